# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion in the shown pose, and baked to keys."""

from __future__ import annotations

import bpy
import numpy as np
from figures import failed, figure, refused, values_at

from keywarp.keyframes.idle import BLINK_CHANNELS, CHANNELS, SPACE, SWAY, Idle
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import channel_group, channel_path, set_pose
from keywarp.plugin.blender.character.shots import posed

ops = bpy.ops.keywarp
RANGES = SPACE.maximum - SPACE.minimum


def idling(**settings):
    thing = figure()
    thing.keywarp.idle.enabled = True
    for name, value in settings.items():
        setattr(thing.keywarp.idle, name, value)
    return thing


def shown_at(thing, frame):
    values_at(thing, frame)
    return posed(thing, bpy.context.scene, bpy.context.evaluated_depsgraph_get())


def row(pose):
    return np.array([pose[name] for name in SPACE.names])


def key(thing, name, frame, value):
    group = channel_group(thing, name)
    setattr(group, name, value)
    group.keyframe_insert(name, frame=frame, group=SPACE[name].group)


def check_the_shown_pose_is_the_keyed_pose_with_idle_motion_at_the_scenes_time():
    thing = idling(seed=7, sway=2.0, blinks_per_minute=26.0)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    idle = Idle(seed=7, sway=2.0, blinks_per_minute=26.0)
    for frame in (1, 37.25, 500.5, -12.75, 9000):
        seconds = frame * scene.render.fps_base / 30  # which is kept in float32
        expected = idle.over(SPACE.rest()[None], [seconds])[0]
        assert np.abs(row(shown_at(thing, frame)) - expected).max() < 1e-5


def check_it_is_off_until_it_is_switched_on():
    thing = figure()
    assert np.array_equal(row(shown_at(thing, 33)), SPACE.rest())


def check_its_settings_are_animatable():
    thing = idling()
    thing.keywarp.idle.sway = 0.0
    thing.keywarp.idle.keyframe_insert("sway", frame=1)
    thing.keywarp.idle.sway = 2.0
    thing.keywarp.idle.keyframe_insert("sway", frame=100)
    assert shown_at(thing, 1)["head_y"] == 0.0
    assert abs(shown_at(thing, 100)["head_y"]) > 1e-3


def check_baking_shows_the_same_on_every_frame():
    thing = idling(seed=3)
    for frame, value in ((1, -0.5), (120, 0.5)):
        key(thing, "head_y", frame, value)
        key(thing, "eye_happy_wink_left", frame, max(value, 0.0))
    before = {frame: row(shown_at(thing, frame)) for frame in range(1, 121)}
    assert ops.bake_idle(start=1, end=120) == {"FINISHED"}
    assert not thing.keywarp.idle.enabled
    for frame, pose in before.items():
        assert (np.abs(row(shown_at(thing, frame)) - pose) / RANGES).max() <= 1e-5, frame
    keyed = {curve.data_path for curve in compat.fcurves(thing)}
    assert keyed == {channel_path(name) for name in (*CHANNELS, "eye_happy_wink_left")}
    assert {curve.group.name for curve in compat.fcurves(thing)} == {"Eyes", "Head", "Body"}


def check_baking_with_an_error_has_fewer_keys_and_keeps_to_it():
    counts = {}
    for error in (0.0, 1.0):
        thing = idling(seed=3)
        before = {frame: row(shown_at(thing, frame)) for frame in range(1, 241)}
        assert ops.bake_idle(start=1, end=240, error=error) == {"FINISHED"}
        counts[error] = sum(len(curve.keyframe_points) for curve in compat.fcurves(thing))
        for frame in range(1, 241, 7):
            assert (np.abs(row(shown_at(thing, frame)) - before[frame]) / RANGES).max() <= max(
                error / 100, 1e-5
            ) + 1e-5
    assert counts[1.0] < 0.5 * counts[0.0]


def check_baking_leaves_keys_outside_of_the_range():
    thing = idling()
    key(thing, "head_y", 1, 0.25)
    key(thing, "head_y", 200, -0.25)
    ops.bake_idle(start=50, end=60)
    curve = next(c for c in compat.fcurves(thing) if c.data_path == channel_path("head_y"))
    frames = [point.co.x for point in curve.keyframe_points]
    assert frames[0] == 1 and frames[-1] == 200 and 50 in frames and 60 in frames


def check_only_what_moves_is_baked():
    thing = idling(breath=0.0, sway=0.0)
    ops.bake_idle(start=1, end=100)
    assert {c.data_path for c in compat.fcurves(thing)} == {channel_path(name) for name in BLINK_CHANNELS}


def check_baking_can_be_undone():
    idling(seed=1)
    bpy.ops.ed.undo_push(message="idle")
    assert ops.bake_idle("EXEC_DEFAULT", True, start=1, end=30) == {"FINISHED"}
    bpy.ops.ed.undo()
    thing = bpy.context.object
    assert thing.keywarp.idle.enabled and not list(compat.fcurves(thing))


def check_what_cannot_be_baked_is_one_sentence():
    figure()
    assert "Switch idle motion on" in refused(ops.bake_idle)
    thing = idling()
    assert "comes before" in failed(ops.bake_idle, start=10, end=1)
    channel_group(thing, "head_y").driver_add("head_y")
    assert "A driver moves head_y" in failed(ops.bake_idle, start=1, end=10)
    assert thing.keywarp.idle.enabled


def check_animated_idle_motion_goes_into_clips_and_is_baked():
    thing = idling(seed=5)
    idle = thing.keywarp.idle
    for frame, value in ((1, 0.0), (60, 2.0)):
        idle.sway = value
        idle.keyframe_insert("sway", frame=frame)
    set_pose(thing, {"head_x": 0.1})
    before = {frame: row(shown_at(thing, frame)) for frame in range(1, 61)}
    assert max(abs(pose[SPACE.index(name)]) for pose in before.values() for name in SWAY) > 0.05
    ops.bake_idle(start=1, end=60)
    for frame, pose in before.items():
        assert (np.abs(row(shown_at(thing, frame)) - pose) / RANGES).max() <= 1e-5, frame
