# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the operator that chooses the render engine, in a real Blender."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.object_utils import world_to_camera_view
from pictures import add


def check_rendering_with_keywarp_chooses_4k_with_alpha():
    add()
    camera = bpy.context.scene.camera
    assert bpy.ops.keywarp.use_render_engine() == {"FINISHED"}
    render = bpy.context.scene.render
    assert render.engine == "KEYWARP" and render.image_settings.color_mode == "RGBA"
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (3840, 2160, 100)
    assert bpy.context.scene.camera == camera


def check_a_scene_without_a_camera_gets_one_that_sees_the_character():
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    thing = add()
    thing.location = 3.0, 1.0, -2.0
    bpy.context.view_layer.update()
    scene = bpy.context.scene
    assert scene.camera is None
    assert bpy.ops.keywarp.use_render_engine(width=64, height=36) == {"FINISHED"}
    bpy.context.view_layer.update()
    corners = [thing.matrix_world @ vertex.co for vertex in thing.data.vertices]
    seen = [world_to_camera_view(scene, scene.camera, corner) for corner in corners]
    assert all(0 <= at.x <= 1 and 0 <= at.y <= 1 and at.z > 0 for at in seen), seen
    assert max(at.y for at in seen) - min(at.y for at in seen) > 0.8
    scene.render.filepath = str(Path.cwd() / "frame.png")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    assert Path("frame.png").stat().st_size > 100
