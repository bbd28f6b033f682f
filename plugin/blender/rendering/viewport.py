# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine Keywarp in viewports: the live images, where the frame will have them."""

from __future__ import annotations

from typing import Any

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d

from ..showing import pixels

Corners = tuple[float, float, float, float]


def draw(context: Any, things: list[bpy.types.Object], size: tuple[int, int]) -> None:
    """Draw the characters over one another into the region; ``size``: the frame's."""
    import gpu
    from gpu_extras.presets import draw_texture_2d

    region = context.region
    with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
        _pixel_space(region)
        left, bottom, width, height = frame_corners(context, size)
        fit = context.scene.keywarp.fit
        gpu.state.scissor_test_set(True)
        gpu.state.scissor_set(max(int(left), 0), max(int(bottom), 0), max(int(width), 1), max(int(height), 1))
        gpu.state.blend_set("ALPHA_PREMULT")
        for thing in things:
            image = thing.keywarp.image
            if pixels.is_live(image) and image.size[0]:
                texture = gpu.texture.from_image(image)
                place = placed((left, bottom, width, height), tuple(image.size), fit)
                draw_texture_2d(texture, place[:2], *place[2:])
        gpu.state.blend_set("NONE")
        gpu.state.scissor_test_set(False)


def _pixel_space(region: Any) -> None:
    """Count in the region's pixels."""
    import gpu
    from mathutils import Matrix

    gpu.matrix.load_matrix(Matrix.Identity(4))
    scale = Matrix.Diagonal((2.0 / region.width, 2.0 / region.height, 1.0, 1.0))
    gpu.matrix.load_projection_matrix(Matrix.Translation((-1.0, -1.0, 0.0)) @ scale)


def frame_corners(context: Any, size: tuple[int, int]) -> Corners:
    """Left, bottom, width and height of the render's frame in the region's pixels."""
    region, view = context.region, context.region_data
    camera = context.scene.camera
    if view.view_perspective == "CAMERA" and camera is not None and camera.type == "CAMERA":
        corners = [
            location_3d_to_region_2d(region, view, camera.matrix_world @ corner)
            for corner in camera.data.view_frame(scene=context.scene)
        ]
        if None not in corners:
            left, right = min(c.x for c in corners), max(c.x for c in corners)
            bottom, top = min(c.y for c in corners), max(c.y for c in corners)
            return left, bottom, right - left, top - bottom
    return placed((0.0, 0.0, float(region.width), float(region.height)), size, "contain")


def placed(room: Corners, size: tuple[int, int], fit: str) -> Corners:
    """A picture of this size in the middle of the room, all of it seen (``contain``) or filling it (``cover``)."""
    left, bottom, width, height = room
    scales = width / size[0], height / size[1]
    scale = min(scales) if fit == "contain" else max(scales)
    wide, tall = size[0] * scale, size[1] * scale
    return left + (width - wide) / 2, bottom + (height - tall) / 2, wide, tall
