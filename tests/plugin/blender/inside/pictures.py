# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters in scenes, what Blender shows of them, and what ``keywarp pose`` makes of the same values."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from blender_side import CHARACTER

from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character import adding
from keywarp.plugin.blender.character.properties import channel_group
from keywarp.plugin.blender.showing import live, preview

ENOUGH = 45.0
"""Decibels."""

# Previews that are small are soon made.
adding.PREVIEW_HEIGHT = preview.PREVIEW_HEIGHT = 128


@contextmanager
def watched():
    """Within, live images follow as in a window: without waiting for exact frames."""
    before, live._is_watched = live._is_watched, lambda: True
    try:
        yield
    finally:
        live._is_watched = before


def settle(seconds=300.0):
    """Run the preview's timer, which needs a window to run by itself, until nothing is awaited."""
    until = time.monotonic() + seconds
    while preview.is_waiting() and time.monotonic() < until:
        preview._pump()
        time.sleep(0.01)
    assert not preview.is_waiting()


def add(path=CHARACTER / "character_model.yaml", **settings):
    """A new character by the operator, active."""
    assert bpy.ops.keywarp.add_character(filepath=str(path), **settings) == {"FINISHED"}
    return bpy.context.object


def key(thing, name, values, interpolation="LINEAR"):
    """Key a channel: ``{frame: value}``."""
    group = channel_group(thing, name)
    for frame, value in values.items():
        setattr(group, name, value)
        group.keyframe_insert(name, frame=frame, group=group.name)
    for curve in compat.fcurves(thing):
        for point in curve.keyframe_points:
            point.interpolation = interpolation


def keyed(thing):
    """Three channels over frames 1 to 5."""
    key(thing, "head_y", {1: -0.8, 5: 1.0})
    key(thing, "eye_wink_left", {1: 0.0, 5: 1.0})
    key(thing, "body_z", {1: 0.5, 5: -0.5})


def keyed_pose(frame):
    """What ``keyed`` gives at a frame, worked out by hand."""
    share = min(max((frame - 1) / 4, 0.0), 1.0)
    return {"head_y": -0.8 + 1.8 * share, "eye_wink_left": share, "body_z": 0.5 - share}


_made = {}


def poses_by_cli(poses, size):
    """Each pose as ``keywarp pose`` shows it: raw 8-bit values, rows from the top, (H, W, 4)."""
    wanted = [(tuple(sorted(pose.items())), size) for pose in poses]
    missing = [each for each in dict.fromkeys(wanted) if each not in _made]
    if missing:
        _made.update(zip(missing, _by_cli([dict(pose) for pose, _ in missing], size)))
    return [_made[each] for each in wanted]


def _by_cli(poses, size):
    folder = Path.cwd() / f"oracle{len(_made)}"
    folder.mkdir()
    np.save(folder / "poses.npy", np.array([SPACE.pose(pose) for pose in poses]))
    python = json.loads(os.environ["KEYWARP_TEST_ENGINE"])[0]
    command = [python, "-s", "-m", "keywarp.plugin.cli", "pose", CHARACTER, "--pose", folder / "poses.npy"]
    command += ["--size", f"{size[0]}x{size[1]}", "--out", folder / "frame_####.png"]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [raw(path) for path in sorted(folder.glob("frame_*.png"))]


def clip_by_cli(character, clip, size, fps):
    """What ``keywarp render`` makes of a clip, or of a driving video: as ``poses_by_cli``."""
    folder = Path.cwd() / f"{Path(clip).stem}_by_cli"
    python = json.loads(os.environ["KEYWARP_TEST_ENGINE"])[0]
    command = [python, "-s", "-m", "keywarp.plugin.cli", "render", character, clip, "--fps", fps]
    command += ["--size", f"{size[0]}x{size[1]}", "--out", folder / "f_####.png"]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [raw(path) for path in sorted(folder.glob("f_*.png"))]


def raw(path):
    """The numbers in an image file without any colour management, in 0..255, rows from the top, (H, W, 4)."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return np.round(values.reshape(height, width, 4)[::-1] * 255)


def live_values(image):
    """A live image as an 8-bit file would have it: sRGB, straight alpha, rows from the top."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    picture = np.clip(values.reshape(height, width, 4)[::-1], 0, 1)
    alpha = picture[..., 3:]
    linear = np.divide(picture[..., :3], alpha, out=np.zeros_like(picture[..., :3]), where=alpha > 1e-6)
    curve = np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * np.clip(linear, 0, None) ** (1 / 2.4) - 0.055
    )
    return np.round(np.concatenate([np.clip(curve, 0, 1), alpha], -1) * 255)


def decibels(one, other):
    """Peak signal to noise of 8-bit pictures as they are seen: colours weighted by alpha, and alpha."""
    assert one.shape == other.shape, (one.shape, other.shape)
    a, b = (np.concatenate([p[..., :3] * p[..., 3:] / 255, p[..., 3:]], -1) for p in (one, other))
    error = np.mean((a - b) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def assert_same(one, other):
    found = decibels(one, other)
    assert found >= ENOUGH, f"{found:.1f} dB"


def render_settings(engine, size, *, samples=1):
    """PNG with alpha, colours as they are, at this size."""
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.color_depth = "8"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
    scene.render.filter_size = 0.0
    scene.frame_start, scene.frame_end = 1, 3
    for name in ("Cube", "Light"):
        if name in bpy.data.objects:
            bpy.data.objects.remove(bpy.data.objects[name])
    return scene


def frame_the_plane(thing):
    """Have an orthographic camera see exactly the character's plane."""
    camera = bpy.context.scene.camera
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = max(thing.dimensions.x, thing.dimensions.z)
    camera.rotation_euler = (np.pi / 2, 0, 0)
    camera.location = (0, -10, thing.dimensions.z / 2)


def rendered(name="still"):
    """The present frame, rendered to a file and read again."""
    path = Path.cwd() / f"{name}.png"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return raw(path)


def rendered_animation(name="anim"):
    """The scene's frames, rendered to files and read again."""
    bpy.context.scene.render.filepath = str(Path.cwd() / f"{name}_")
    bpy.ops.render.render(animation=True)
    return [raw(path) for path in sorted(Path.cwd().glob(f"{name}_*.png"))]
