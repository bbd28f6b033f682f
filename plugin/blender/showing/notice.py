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

DARK = (0.0, 0.0, 0.0, 0.7)

_handle: Any = None


def text_of(what: str, share: float, short: bool = False) -> str:
    """In one line: ``Preparing: exporting, 40%``; short, where there is little room, ``Preparing, 40%``."""
    words = "Preparing" if short or what == "preparing" else f"Preparing: {what}"
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
    import gpu
    from gpu_extras.batch import batch_for_shader

    middle = sum((Vector(corner) for corner in thing.bound_box), Vector()) / 8
    place = location_3d_to_region_2d(context.region, context.region_data, thing.matrix_world @ middle)
    if place is None:
        return
    blf.size(0, POINTS * context.preferences.system.ui_scale)
    width, height = blf.dimensions(0, text)
    left, bottom = place.x - width / 2, place.y - height / 2
    corners = [(left - height, bottom - height), (left + width + height, bottom - height)]
    corners += [(x, bottom + 2 * height) for x, _ in reversed(corners)]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("color", DARK)
    batch_for_shader(shader, "TRIS", {"pos": corners}, indices=[(0, 1, 2), (0, 2, 3)]).draw(shader)
    gpu.state.blend_set("NONE")
    blf.position(0, left, bottom, 0)
    blf.color(0, 1.0, 1.0, 1.0, 1.0)
    blf.draw(0, text)


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
