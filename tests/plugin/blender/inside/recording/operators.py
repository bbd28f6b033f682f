# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of live poses: shown while they come, punched in over old keys, undone as one step; the settings."""

from __future__ import annotations

import math
from types import SimpleNamespace

import bpy
from figures import figure, refused, values_at

from keywarp.core.engine.client import LiveReport
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import (
    channel_group,
    channel_path,
    face_groups,
    groups,
    pose_of,
)
from keywarp.plugin.blender.recording import operators as recording
from keywarp.plugin.blender.recording.take import Take

NAMES = ("head_y", "mouth_aaa")


def report(time, phase="live", **values):
    return LiveReport(phase, "", {**dict.fromkeys(SPACE.names, 0.0), **values}, time, NAMES)


def wave(frame):
    return 0.5 * math.sin(frame / 5)


def taken(thing, first, last, chosen=None, error=0.005):
    take = Take(thing, bpy.context.scene, groups() if chosen is None else chosen)
    for frame in range(first, last + 1):
        assert take.add(thing, float(frame), report(frame / 24, head_y=wave(frame), mouth_aaa=0.25))
    return take.finish(thing, error)


def keys(thing, name):
    found = [curve for curve in compat.fcurves(thing) if curve.data_path == channel_path(name)]
    return [(point.co.x, point.co.y) for curve in found for point in curve.keyframe_points]


def key(thing, name, frame, value):
    group = channel_group(thing, name)
    setattr(group, name, value)
    group.keyframe_insert(name, frame=frame, group=SPACE[name].group)


def check_a_take_becomes_few_keys_on_its_frames():
    thing = figure()
    count, first, last = taken(thing, 10, 100)
    assert (first, last) == (10, 100) and count == len(keys(thing, "head_y")) + len(keys(thing, "mouth_aaa"))
    assert len(keys(thing, "head_y")) < 45 and len(keys(thing, "mouth_aaa")) == 1
    for frame in range(10, 101, 5):
        pose = values_at(thing, frame)
        assert abs(pose["head_y"] - wave(frame)) <= 0.01 + 1e-5 and abs(pose["mouth_aaa"] - 0.25) < 1e-6
    assert not keys(thing, "head_x"), "what no source speaks of has no keys"
    assert {curve.group.name for curve in compat.fcurves(thing)} == {"Head", "Mouth"}


def check_a_smaller_error_has_more_keys():
    counts = [taken(figure(), 1, 120, error=error)[0] for error in (0.0005, 0.02)]
    assert counts[0] > counts[1]


def check_punching_in_leaves_what_is_outside():
    thing = figure()
    for frame, value in ((1, 0.9), (50, -0.7), (200, 0.8)):
        key(thing, "head_y", frame, value)
        key(thing, "mouth_aaa", frame, value)
        key(thing, "neck_z", frame, value)
    taken(thing, 40, 60, {"Head"})
    head = keys(thing, "head_y")
    assert abs(head[0][1] - 0.9) < 1e-6 and head[0][0] == 1 and head[-1][0] == 200
    inside = [frame for frame, _ in head[1:-1]]
    assert min(inside) == 40 and max(inside) == 60
    for name in ("mouth_aaa", "neck_z"):
        assert [frame for frame, _ in keys(thing, name)] == [1, 50, 200], name
    assert abs(values_at(thing, 50)["head_y"] - wave(50)) <= 0.011
    assert not any(curve.mute for curve in compat.fcurves(thing))


def check_poses_are_shown_while_they_come():
    thing = figure()
    key(thing, "head_y", 1, -0.9)
    take = Take(thing, bpy.context.scene, groups())
    take.add(thing, 1.0, report(1.0, head_y=0.4))
    assert abs(values_at(thing, 1)["head_y"] - 0.4) < 1e-6, "not the old key's value"
    assert not take.add(thing, 2.0, report(1.1, "waiting")) and not take.add(thing, 2.0, None)
    take.cancel(thing)
    assert keys(thing, "head_y") == [(1.0, keys(thing, "head_y")[0][1])]
    assert abs(values_at(thing, 1)["head_y"] + 0.9) < 1e-6


def check_nothing_recorded_is_a_sentence():
    thing = figure()
    take = Take(thing, bpy.context.scene, groups())
    try:
        take.finish(thing, 0.005)
    except KeywarpError as error:
        assert "nothing" in str(error)
    else:
        raise AssertionError
    assert not list(compat.fcurves(thing))


def check_a_take_is_undone_in_one_step():
    thing = figure()
    key(thing, "head_y", 1, 0.2)
    bpy.ops.ed.undo_push(message="before")
    taken(thing, 1, 50)
    bpy.ops.ed.undo_push(message="recorded")
    bpy.ops.ed.undo()
    thing = bpy.context.object
    assert [frame for frame, _ in keys(thing, "head_y")] == [1] and not keys(thing, "mouth_aaa")


def check_the_scenes_rate_counts():
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    thing = figure()
    _, first, last = taken(thing, 7, 67)
    assert (first, last) == (7, 67)
    assert abs(values_at(thing, 60)["head_y"] - wave(60)) <= 0.011
    assert pose_of(thing)["head_x"] == SPACE["head_x"].default


def check_settings_name_the_source():
    settings = bpy.context.window_manager.keywarp_recording
    for source, address, words in (
        ("vmc", " 39540 ", "vmc:39540"),
        ("vmc", "", "vmc"),
        ("ifacialmocap", "192.168.1.7", "ifacialmocap:192.168.1.7"),
        ("mouse", "left over", "mouse"),
    ):
        settings.source, settings.address = source, address
        assert recording.live_settings(settings)["sources"] == [{"from": words}]
    settings.source, settings.address = "ifacialmocap", ""
    try:
        recording.live_settings(settings)
    except KeywarpError as error:
        assert "192.168.1.7" in str(error)
    else:
        raise AssertionError
    settings.source = "vmc"
    settings.groups = {"Head", "Gaze"}
    names = recording.recorded_channels(settings)
    assert "head_y" in names and "iris_rotation_x" in names and "mouth_aaa" not in names


def check_it_is_offered_only_where_it_can_work():
    figure()
    assert "window" in refused(bpy.ops.keywarp.record)
    assert "Press Record first" in refused(bpy.ops.keywarp.calibrate)


class Windowless:
    """What a running recording needs of a window."""

    def __init__(self, thing):
        self.context = SimpleNamespace(
            scene=bpy.context.scene,
            window_manager=SimpleNamespace(
                keywarp_recording=bpy.context.window_manager.keywarp_recording,
                event_timer_remove=lambda timer: None,
            ),
            workspace=SimpleNamespace(status_text_set=lambda text: None),
            screen=SimpleNamespace(areas=[], is_animation_playing=False),
        )
        self.calibrated = 0
        self.reports = []
        self.running = SimpleNamespace(
            _thing=thing.name,
            _take=Take(thing, bpy.context.scene, face_groups()),
            _first=1.0,
            _began=0.0,
            _playing=False,
            _latest=float("-inf"),
            _timer=None,
            report=lambda kind, words: self.reports.append(words),
        )
        for name in ("_step", "_frame", "_begin", "_finish", "_close"):
            method = getattr(recording.KEYWARP_OT_record, name)
            setattr(self.running, name, method.__get__(self.running))

    def calibrate(self):
        self.calibrated += 1

    def close(self):
        pass

    live = None

    def modal(self, kind, value="PRESS"):
        event = SimpleNamespace(type=kind, value=value)
        return recording.KEYWARP_OT_record.modal(self.running, self.context, event)


def check_calibrate_is_clicked_while_it_records():
    window = Windowless(figure())
    recording._State.stream = window
    assert bpy.ops.keywarp.record_keep.poll()
    assert window.modal("LEFTMOUSE") == {"PASS_THROUGH"} and window.modal("TIMER") == {"PASS_THROUGH"}
    assert bpy.ops.keywarp.calibrate() == {"FINISHED"} and window.calibrated == 1
    assert recording.is_under_way()
    bpy.ops.keywarp.record_keep()
    assert window.modal("TIMER") == {"CANCELLED"}  # nothing came: there is nothing to keep
    assert "nothing" in window.reports[0].lower()
    assert not recording.is_under_way() and not bpy.ops.keywarp.record_keep.poll()
