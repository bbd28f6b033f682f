# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new user does, a process for each step: ``from_zip.py STEP ...`` in a Python that has bpy.

``install ZIP``, ``library``, ``engine``, ``make CHARACTER FILE.blend``, ``render FILE.blend FRAMES``. Nothing is
imported from the sources: the extension comes from its .zip, and Blender's user folder starts empty.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import bpy

EXTENSION = "bl_ext.user_default.keywarp"
SIZE = (3840, 2160)
KEYS = {
    ("eyes", "eye_wink_left"): (0.1, 1.0),
    ("mouth", "mouth_aaa"): (0.9, 0.2),
    ("head", "head_y"): (-0.4, 0.8),
}
"""Three channels, with their values, none of them at rest, at the first and the last frame."""
FRAMES = (1, 3)


def install(archive: str) -> None:
    bpy.context.preferences.system.use_online_access = True
    done = bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    assert done == {"FINISHED"}
    assert EXTENSION in bpy.context.preferences.addons
    bpy.ops.wm.save_userpref()


def library() -> None:
    """Say which of keywarp's wheels Blender has unpacked."""
    from keywarp import keyframes

    assert EXTENSION in bpy.context.preferences.addons
    sys.stdout.write(f"\n{keyframes.__doc__}\n")


def engine() -> None:
    assert bpy.ops.keywarp.install_engine() == {"FINISHED"}


def make(character: str, file: str) -> None:
    """Add, key three channels, choose the render engine and 4K, save: by the extension's own operators."""
    scene = bpy.context.scene
    assert (scene.view_settings.view_transform, scene.render.film_transparent) != ("Standard", True), (
        "factory"
    )
    assert bpy.ops.keywarp.add_character(filepath=character) == {"FINISHED"}
    thing = bpy.context.object
    assert thing.keywarp.is_character
    for i, frame in enumerate(FRAMES):
        scene.frame_set(frame)
        for (group, name), values in KEYS.items():
            setattr(getattr(thing.keywarp.pose, group), name, values[i])
        assert bpy.ops.keywarp.key_changed() == {"FINISHED"}
    assert bpy.ops.keywarp.use_render_engine() == {"FINISHED"}
    assert (scene.render.resolution_x, scene.render.resolution_y) == SIZE
    scene.frame_start, scene.frame_end = FRAMES
    bpy.ops.wm.save_as_mainfile(filepath=file)


def render(file: str, frames: str) -> None:
    """Open the file, render all frames, and write down the pose of each."""
    from bl_ext.user_default.keywarp.character.properties import pose_of

    bpy.ops.wm.open_mainfile(filepath=file)
    scene = bpy.context.scene
    scene.render.filepath = str(Path(frames) / "frame_")
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    poses: dict[str, Any] = {}
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        thing = next(each for each in scene.objects if each.keywarp.is_character)
        poses[f"{frame:04d}"] = pose_of(thing, bpy.context.evaluated_depsgraph_get())
    (Path(frames) / "poses.json").write_text(json.dumps(poses), encoding="utf-8")


def main(name: str, *arguments: str) -> None:
    if name != "install":
        bpy.ops.wm.read_userpref()  # as the program does at its start, and the Python package does not
    {"install": install, "library": library, "engine": engine, "make": make, "render": render}[name](
        *arguments
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Blender's own clean-up hangs in some releases
