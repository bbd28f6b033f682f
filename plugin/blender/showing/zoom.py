# SPDX-License-Identifier: GPL-3.0-or-later
"""How large characters are seen in the 3D viewports, so that previews need be no larger."""

from __future__ import annotations

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

BEAT = 0.4
"""Seconds between two looks."""
STEPS = (180, 270, 360, 540, 720, 1080, 1440, 2160)
"""Heights of previews: few, so that zooming does not make every frame anew."""

_heights: dict[int, int] = {}


def height(uid: int, otherwise: int) -> int:
    """Rows that the object with this session's number was last seen to need."""
    return _heights.get(uid, otherwise)


def forget() -> None:
    _heights.clear()


def look(thing: bpy.types.Object) -> bool:
    """Measure the object in all viewports; whether it needs another size than before."""
    seen = max(
        (
            _rows(thing, region, space.region_3d)
            for window in bpy.context.window_manager.windows
            for area in window.screen.areas
            if area.type == "VIEW_3D"
            for space in area.spaces
            if space.type == "VIEW_3D" and space == area.spaces.active
            for region in area.regions
            if region.type == "WINDOW" and region.alignment != "QUAD_SPLIT"
        ),
        default=0.0,
    )
    if not seen:
        return False
    step = next((step for step in STEPS if step >= seen * 0.9), STEPS[-1])
    changed = _heights.get(thing.session_uid) != step
    _heights[thing.session_uid] = step
    return changed


def _rows(thing: bpy.types.Object, region: bpy.types.Region, view: bpy.types.RegionView3D) -> float:
    """Pixels from the object's lowest to its highest corner."""
    corners = [
        location_3d_to_region_2d(region, view, thing.matrix_world @ Vector(corner))
        for corner in thing.bound_box
    ]
    rows = [corner.y for corner in corners if corner is not None]
    return max(rows) - min(rows) if len(rows) == len(corners) else 0.0
