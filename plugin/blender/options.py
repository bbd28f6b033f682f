# SPDX-License-Identifier: GPL-3.0-or-later
"""What definitions of properties have in common."""

from __future__ import annotations

from typing import Any

import bpy

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def tag(self: Any, _context: Any) -> None:
    """Blender evaluates the object anew by itself only where a slider is moved, not where a script sets it."""
    self.id_data.update_tag()


def pixels(name: str, description: str, default: int, largest: int = 16384, **options: Any) -> Any:
    """A width or a height."""
    return bpy.props.IntProperty(
        name=name, description=description, default=default, min=16, max=largest, subtype="PIXEL", **options
    )


class FrameSize:
    """Base of operators that make frames of a size, 4K unless another one is chosen."""

    width: pixels("Width", "Width of the frames", 3840)
    height: pixels("Height", "Height of the frames", 2160)
