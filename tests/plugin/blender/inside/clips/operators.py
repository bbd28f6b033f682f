# SPDX-License-Identifier: GPL-3.0-or-later
"""Import Motion and Export Clip against Blender's own evaluation."""

from __future__ import annotations

import json
import random
from pathlib import Path

import bpy
import numpy as np
from blender_side import SHARED
from figures import failed, figure, refused, values_at
from keyed import curve_named, key, key_everything

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Cycles, Key
from keywarp.keyframes.importers import load
from keywarp.keyframes.keys import INTERPOLATIONS
from keywarp.keyframes.mappings import convert_clip
from keywarp.keyframes.retime import retimed
from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import channel_group, channel_path, set_pose
from keywarp.plugin.blender.clips import fcurves

RANGES = SPACE.maximum - SPACE.minimum
FIRST, LAST = 1, 120


def subframes(count=60, first=FIRST, last=LAST, seed=5):
    rng = random.Random(seed)
    return [float(np.float32(rng.uniform(first, last))) for _ in range(count)] + [first, last, 37.0]


def exported(**options):
    path = Path("clip.json").absolute()
    assert bpy.ops.keywarp.export_clip(filepath=str(path), **options) == {"FINISHED"}
    return Clip.load(path)


def scene_range(first=FIRST, last=LAST):
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = first, last


def assert_same(thing, clip, frames, tolerance=1e-4):
    theirs = np.array([[values_at(thing, frame)[name] for name in SPACE.names] for frame in frames])
    ours = SPACE.clamp(clip.sample(frames))
    error = np.abs(ours - theirs) / RANGES
    frame, column = np.unravel_index(error.argmax(), error.shape)
    assert error.max() <= tolerance, (
        frames[frame],
        SPACE.names[column],
        ours[frame, column],
        theirs[frame, column],
    )


def check_every_kind_of_key_samples_as_blender_evaluates():
    thing = figure()
    scene_range()
    key_everything(thing)
    clip = exported()
    assert set(clip.curves) == set(SPACE.names)
    assert all(len(curve) == 6 for curve in clip.curves.values())
    used = {k.interpolation for curve in clip.curves.values() for k in curve.keys}
    assert used == set(INTERPOLATIONS)
    assert_same(thing, clip, subframes())
    assert clip.fps == 24 and (clip.start, clip.end) == (FIRST, LAST)


def check_what_was_exported_comes_back_as_it_was():
    thing = figure()
    scene_range()
    key_everything(thing, seed=2)
    clip = exported()
    other = figure("Other")
    assert bpy.ops.keywarp.import_clip(filepath=str(Path("clip.json").absolute()), begin="FILE") == {
        "FINISHED"
    }
    assert bpy.context.object == other
    assert_same(other, clip, subframes())
    for name in SPACE.names:
        mine, theirs = (fcurves.curve_of(curve_named(each, name)) for each in (thing, other))
        assert [k.interpolation for k in mine.keys] == [k.interpolation for k in theirs.keys]
        assert [k.handle_left_type for k in mine.keys] == [k.handle_left_type for k in theirs.keys]
        assert np.allclose(mine.columns.handle_right, theirs.columns.handle_right, atol=1e-4)
        assert (mine.cycles, mine.extrapolation, mine.auto_smoothing) == (
            theirs.cycles,
            theirs.extrapolation,
            theirs.auto_smoothing,
        )


def check_drivers_nla_and_modifiers_are_sampled_and_reported():
    thing = figure()
    scene_range(1, 40)
    for frame, value in ((1, 0.0), (20, 1.0), (40, -0.5)):
        key(thing, "head_x", frame, value)
        key(thing, "eye_wink_left", frame, abs(value))
        key(thing, "body_z", frame, value / 2)
    noise = curve_named(thing, "head_x").modifiers.new("NOISE")
    noise.scale, noise.strength = 12.0, 0.3
    driver = channel_group(thing, "head_y").driver_add("head_y").driver
    driver.type = "SCRIPTED"
    driver.expression = "sin(frame / 9) * 0.6"
    clip = exported(samples=8)
    assert len(clip.curves["body_z"]) == 3  # still its own keys
    assert len(clip.curves["head_x"]) > 100 and len(clip.curves["head_y"]) > 100
    frames = [1 + i / 8 for i in range(0, 39 * 8)]
    assert_same(thing, clip, frames)
    assert_same(thing, clip, subframes(30, 1, 40), 2e-3)


def check_nla_tracks_are_sampled():
    thing = figure()
    scene_range(1, 40)
    for frame, value in ((1, 0.0), (20, 0.8)):
        key(thing, "head_x", frame, value)
    animation = thing.animation_data
    track = animation.nla_tracks.new()
    strip = track.strips.new("down", 5, animation.action)
    strip.influence = 0.5
    strip.use_animated_influence = False
    animation.action = None
    clip = exported()
    frames = [1 + i / 8 for i in range(0, 39 * 8, 3)]
    assert np.ptp(clip.sample(frames)[:, SPACE.index("head_x")]) > 0.3
    assert_same(thing, clip, frames)


def check_muted_curves_and_still_channels_are_what_they_show():
    thing = figure()
    scene_range(1, 30)
    for frame, value in ((1, 0.0), (30, 1.0)):
        key(thing, "head_x", frame, value)
        key(thing, "mouth_iii", frame, value)
    curve_named(thing, "mouth_iii").mute = True
    bpy.context.scene.frame_set(10)
    set_pose(thing, {"mouth_iii": 0.25, "mouth_aaa": 0.5})
    clip = exported()
    assert_same(thing, clip, subframes(20, 1, 30))
    sparse = exported(whole_pose=False)
    assert set(sparse.curves) == {"head_x"}


def check_idle_motion_goes_into_the_clip():
    from keywarp.plugin.blender.character.properties import pose_of
    from keywarp.plugin.blender.idle.properties import scene_seconds, with_idle

    thing = figure()
    scene_range(1, 200)
    thing.keywarp.idle.enabled = True
    thing.keywarp.idle.seed = 3
    for frame, value in ((1, 0.0), (200, 0.6)):
        key(thing, "head_y", frame, value)
    clip = exported(samples=8)
    scene = bpy.context.scene
    for frame in [1 + i / 8 for i in range(0, 199 * 8, 31)]:
        scene.frame_set(int(frame), subframe=frame % 1)
        theirs = with_idle(
            pose_of(thing, bpy.context.evaluated_depsgraph_get()), thing.keywarp.idle, scene_seconds(scene)
        )
        ours = SPACE.clamp(clip.sample([frame]))[0]
        error = np.abs(ours - [theirs[name] for name in SPACE.names]) / RANGES
        assert error.max() <= 1e-4, (frame, SPACE.names[error.argmax()])
    assert np.ptp(clip.sample(np.arange(1, 200, 0.5))[:, SPACE.index("eye_wink_left")]) > 0.9
    still = exported(with_idle=False)
    assert np.ptp(still.sample(np.arange(1, 200, 0.5))[:, SPACE.index("eye_wink_left")]) == 0


def check_exporting_leaves_the_scene_as_it_was():
    thing = figure()
    scene_range(1, 20)
    key(thing, "head_x", 1, 0.0)
    curve_named(thing, "head_x").modifiers.new("NOISE")
    bpy.context.scene.frame_set(7, subframe=0.25)
    exported()
    assert bpy.context.scene.frame_current_final == 7.25


def check_export_says_what_is_wrong():
    figure()
    assert "no keys" in failed(
        bpy.ops.keywarp.export_clip, filepath=str(Path("a.json").absolute()), span="KEYS"
    )
    missing = Path("nowhere/at/all.json").absolute()
    assert "cannot be written" in failed(bpy.ops.keywarp.export_clip, filepath=str(missing))
    assert not Path("a.json").exists()
    bpy.context.view_layer.objects.active = None
    assert "Select a Keywarp character" in refused(bpy.ops.keywarp.export_clip)


def check_a_motion_comes_in_at_its_frame_and_the_scenes_rate():
    thing = figure()
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    clip = Clip(
        "tha45",
        {"head_x": Curve([Key(0, 0, "SINE", "EASE_IN"), Key(50, 1, "BACK", back=2.5), Key(100, 0)])},
        50,
        0,
        100,
    )
    clip.save(Path("motion.json"))
    scene.frame_set(11)
    assert bpy.ops.keywarp.import_clip(filepath=str(Path("motion.json").absolute())) == {"FINISHED"}
    fcurve = curve_named(thing, "head_x")
    assert [point.co.x for point in fcurve.keyframe_points] == [11, 36, 61]
    assert fcurve.keyframe_points[1].back == 2.5 and fcurve.keyframe_points[0].easing == "EASE_IN"
    assert fcurve.group.name == "Head"
    for frame in subframes(20, 11, 61):
        ours = clip.sample([(frame - 11) * 2])[0, SPACE.index("head_x")]
        assert abs(values_at(thing, frame)["head_x"] - np.clip(ours, -1, 1)) <= 2e-4
    assert values_at(thing, 11)["head_x"] == 0.0


def check_import_can_be_undone():
    thing = figure()
    key(thing, "head_x", 5, 0.75)
    bpy.ops.ed.undo_push(message="keyed")
    Clip(
        "tha45",
        {"head_x": Curve([Key(0, 0.0), Key(9, 1.0)]), "head_y": Curve([Key(0, 0.0), Key(9, 1.0)])},
        24,
        0,
        9,
    ).save("m.json")
    assert bpy.ops.keywarp.import_clip("EXEC_DEFAULT", True, filepath=str(Path("m.json").absolute())) == {
        "FINISHED"
    }
    assert len(list(compat.fcurves(bpy.context.object))) == 2
    bpy.ops.ed.undo()
    thing = bpy.context.object
    assert [f.data_path for f in compat.fcurves(thing)] == [channel_path("head_x")]
    assert [p.co.x for p in curve_named(thing, "head_x").keyframe_points] == [5]


def check_inserting_keeps_keys_outside():
    thing = figure()
    for frame in (1, 10, 20, 40):
        key(thing, "head_x", frame, frame / 40)
    Clip("tha45", {"head_x": Curve([Key(0, -1.0), Key(10, -0.5)])}, 24, 0, 10).save("m.json")
    path = str(Path("m.json").absolute())
    assert bpy.ops.keywarp.import_clip(filepath=path, begin="FRAME", frame=9, existing="INSERT") == {
        "FINISHED"
    }
    assert [p.co.x for p in curve_named(thing, "head_x").keyframe_points] == [1, 9, 19, 20, 40]
    assert bpy.ops.keywarp.import_clip(filepath=path, begin="FRAME", frame=9, existing="REPLACE") == {
        "FINISHED"
    }
    assert [p.co.x for p in curve_named(thing, "head_x").keyframe_points] == [9, 19]


def check_only_chosen_groups_come_in():
    thing = figure()
    two = {"head_x": Curve([Key(0, 0), Key(9, 1)]), "mouth_iii": Curve([Key(0, 0), Key(9, 1)])}
    Clip("tha45", two, 24, 0, 9).save("m.json")
    path = str(Path("m.json").absolute())
    assert bpy.ops.keywarp.import_clip(filepath=path, channels={"MOUTH"}) == {"FINISHED"}
    assert [f.data_path for f in compat.fcurves(thing)] == [channel_path("mouth_iii")]
    assert "none of the chosen channels" in failed(
        bpy.ops.keywarp.import_clip, filepath=path, channels={"BROWS"}
    )


def check_bad_files_are_one_sentence_and_change_nothing():
    thing = figure()
    Path("bad.csv").write_text("hello")
    assert "bad.csv" in failed(bpy.ops.keywarp.import_clip, filepath=str(Path("bad.csv").absolute()))
    assert "cannot be read" in failed(bpy.ops.keywarp.import_clip, filepath=str(Path("gone.vmd").absolute()))
    assert thing.animation_data is None


def check_reduction_keeps_to_the_error_and_few_keys():
    thing = figure()
    frames = np.arange(0.0, 400.0)
    rng = np.random.default_rng(0)
    walk = np.convolve(rng.normal(0, 1, 440), np.hanning(41), "valid")[:400]
    walk = walk / np.abs(walk).max()
    Clip("tha45", {"head_x": Curve.from_points(frames, walk)}, 24, 0, 399).save("m.json")
    path = str(Path("m.json").absolute())
    counts = {}
    for kind in ("NONE", "LINEAR", "BEZIER"):
        options = {"begin": "FILE", "reduction": kind, "error": 0.5}
        assert bpy.ops.keywarp.import_clip(filepath=path, **options) == {"FINISHED"}
        counts[kind] = len(curve_named(thing, "head_x").keyframe_points)
        shown = np.array([values_at(thing, frame)["head_x"] for frame in frames[::7]])
        assert np.abs(shown - walk[::7]).max() <= (1e-6 if kind == "NONE" else 0.01 + 1e-5)
    assert counts["NONE"] == 400 and counts["BEZIER"] < 0.7 * counts["LINEAR"] < 0.5 * 400


def check_smoothing_takes_jitter_away():
    thing = figure()
    frames = np.arange(0.0, 200.0)
    true = np.sin(frames / 30)
    noisy = true + np.random.default_rng(0).normal(0, 0.05, 200)
    Clip("tha45", {"head_x": Curve.from_points(frames, noisy)}, 24, 0, 199).save("m.json")
    path = str(Path("m.json").absolute())
    options = {"begin": "FILE", "reduction": "NONE", "smoothing": 0.15}
    assert bpy.ops.keywarp.import_clip(filepath=path, **options) == {"FINISHED"}
    shown = np.array([values_at(thing, frame)["head_x"] for frame in frames])
    assert np.abs(shown - true)[10:-10].std() < 0.5 * np.abs(noisy - true)[10:-10].std()


def check_a_long_recording_comes_in_fast():
    import time

    figure()
    frames = np.arange(0.0, 10_000.0)
    rng = np.random.default_rng(0)
    names = SPACE.names[:20]
    curves = {name: Curve.from_points(frames, rng.uniform(0, 1, len(frames))) for name in names}
    Clip("tha45", curves, 24, 0, 9999).save("m.json")
    start = time.thread_time()
    path = str(Path("m.json").absolute())
    assert bpy.ops.keywarp.import_clip(filepath=path, reduction="NONE") == {"FINISHED"}
    assert time.thread_time() - start < 15  # 200,000 keys; one by one they would take minutes


def check_every_kind_of_file_that_converts_is_offered():
    from keywarp.keyframes.importers import FORMATS

    offered = bpy.ops.keywarp.import_clip.get_rna_type().properties["filter_glob"].default
    assert {ending for form in FORMATS for ending in form.extensions} == {e[1:] for e in offered.split(";")}


def check_real_motions_show_what_they_show_elsewhere():
    if SHARED is None:
        return
    thing = figure()
    for path in sorted((SHARED / "motions").glob("*.vmd"))[9:14]:
        options = {"begin": "FILE", "reduction": "NONE"}
        assert bpy.ops.keywarp.import_clip(filepath=str(path), **options) == {"FINISHED"}
        clip = retimed(convert_clip(load(path).clip, "tha45"), 24.0)
        frames = subframes(12, clip.start, clip.end)
        ours = SPACE.clamp(clip.sample(frames))
        for frame, row in zip(frames, ours):
            shown = values_at(thing, frame)
            for name in clip.curves:
                assert abs(shown[name] - row[SPACE.index(name)]) <= 1e-3, (path.name, frame, name)
        for fcurve in list(compat.fcurves(thing)):
            compat.remove_fcurve(thing, fcurve)


def check_cycles_of_a_range_survive():
    thing = figure()
    curve = Curve(
        [Key(0, 0), Key(10, 1)], "CONSTANT", "NONE", Cycles("MIRROR", "REPEAT_OFFSET", 2, 3, -15.0, 35.0)
    )
    Clip("tha45", {"head_x": curve}, 24, 0, 60).save("m.json")
    assert bpy.ops.keywarp.import_clip(filepath=str(Path("m.json").absolute()), begin="FILE") == {"FINISHED"}
    scene_range(0, 60)
    assert exported().curves["head_x"].cycles == curve.cycles
    assert json.loads(Path("clip.json").read_text())["keywarp_clip"] == 1
    assert curve_named(thing, "head_x").modifiers[0].type == "CYCLES"


def check_mouth_cues_and_recordings_come_in_too():
    thing = figure()
    Path("cues.tsv").write_text("0.00\tX\n0.50\tD\n0.80\tB\n1.20\tX\n")
    assert bpy.ops.keywarp.import_clip(filepath=str(Path("cues.tsv").absolute())) == {"FINISHED"}
    assert all(curve.group.name == "Mouth" for curve in compat.fcurves(thing))
    bpy.context.scene.render.fps = 24
    clip = retimed(convert_clip(load("cues.tsv").clip, "tha45"), 24.0, 1.0)
    for frame in (1, 14, 16.5, 22, 40):
        ours = SPACE.clamp(clip.sample([frame]))[0]
        shown = values_at(thing, frame)
        for name in clip.curves:
            error = abs(shown[name] - ours[SPACE.index(name)])
            assert error <= 0.005 + 1e-5, (frame, name, error)
