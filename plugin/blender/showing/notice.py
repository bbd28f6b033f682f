# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine prepares for a character, said where its picture will stand in the 3D viewports."""

from __future__ import annotations

from typing import Any

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

from ..character.shots import characters
from . import preview

POINTS = 13
"""The text's size, before the interface's scale."""

_handle: Any = None


def text_of(what: str, share: float) -> str:
    """In one line: ``Preparing: exporting, 40%``."""
    words = "Preparing" if what == "preparing" else f"Preparing: {what}"
    return f"{words}, {share:.0%}" if share else words


def _draw() -> None:
    """Called by Blender for every 3D viewport that is drawn."""
    context = bpy.context
    waiting = [(thing, news) for thing in characters() if (news := preview.preparation(thing)) is not None]
    for thing, news in waiting:
        if thing.visible_get(viewport=context.space_data):
            _write(context, thing, text_of(*news))


def _write(context: Any, thing: bpy.types.Object, text: str) -> None:
    """In the middle of the character's plane, light on dark."""
    import blf

    middle = sum((Vector(corner) for corner in thing.bound_box), Vector()) / 8
    place = location_3d_to_region_2d(context.region, context.region_data, thing.matrix_world @ middle)
    if place is None:
        return
    blf.size(0, POINTS * context.preferences.system.ui_scale)
    width, height = blf.dimensions(0, text)
    blf.position(0, place.x - width / 2, place.y - height / 2, 0)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 5, 0.0, 0.0, 0.0, 1.0)
    blf.color(0, 1.0, 1.0, 1.0, 1.0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
