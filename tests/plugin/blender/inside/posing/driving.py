# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that follow a driving video: their two channels, keyed, rendered, exported and brought in."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
from blender_side import CHARACTER, FOLLOWER
from figures import failed, figure, refused
from pictures import add, assert_same, clip_by_cli, decibels, live_values, raw, render_settings, rendered

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.spaces.driving import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character import trust
from keywarp.plugin.blender.character.properties import channel_path, groups, pose_of
from keywarp.plugin.blender.panels import pose as pose_panels
from keywarp.plugin.blender.panels import sidebar
from keywarp.plugin.blender.showing import live

SIZE = (128, 96)


def moving(thing):
    """Blender's curve of each channel, by its name."""
    return {curve.data_path.rpartition(".")[2]: curve for curve in compat.fcurves(thing)}


def check_the_frames_that_play_video_keys_are_the_videos():
    thing = add(FOLLOWER)
    assert (thing.keywarp.video_frames, thing.keywarp.video_rate) == (4, 12.0)
    scene = render_settings("KEYWARP", SIZE)
    scene.render.fps = 24
    scene.frame_set(11)
    assert bpy.ops.keywarp.play_video() == {"FINISHED"}
    assert [tuple(p.co) for p in moving(thing)["driving_frame"].keyframe_points] == [(11, 0), (17, 3)]
    expected = clip_by_cli(FOLLOWER, FOLLOWER.parent / "take.mp4", SIZE, 12)
    found = []
    for i, wanted in enumerate(expected):
        scene.frame_set(11 + 2 * i)
        found.append(rendered(f"video_{i}"))
        assert_same(found[-1], wanted)
    assert len(found) == 4 and min(decibels(found[0], other) for other in found[1:]) < 38  # it does move


def check_keys_go_out_as_a_clip_and_come_in_again():
    thing = add(FOLLOWER)
    scene = render_settings("KEYWARP", SIZE)
    scene.frame_start, scene.frame_end = 1, 4
    for frame, value in ((1, 3.0), (4, 0.0)):
        thing.keywarp.pose.driving.driving_frame = value
        thing.keywarp.pose.driving.driving_strength = 1.5
        scene.frame_set(frame)
        thing.keywarp.pose.driving.driving_frame = value
        thing.keywarp.pose.driving.driving_strength = 1.5
        assert bpy.ops.keywarp.key_all() == {"FINISHED"}
    assert set(moving(thing)) == set(SPACE.names)
    path = Path("back.json").absolute()
    assert bpy.ops.keywarp.export_clip(filepath=str(path)) == {"FINISHED"}
    assert (Clip.load(path).space, set(Clip.load(path).curves)) == ("driving", set(SPACE.names))
    expected = clip_by_cli(FOLLOWER, path, SIZE, scene.render.fps)
    for i, wanted in enumerate(expected):
        scene.frame_set(1 + i)
        assert_same(rendered(f"back_{i}"), wanted)
    other = add(FOLLOWER)
    assert bpy.ops.keywarp.import_clip(filepath=str(path), begin="FILE", reduction="NONE") == {"FINISHED"}
    for frame in (1, 2.25, 4):
        scene.frame_set(int(frame), subframe=frame % 1)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        assert np.allclose(
            list(pose_of(other, depsgraph).values()), list(pose_of(thing, depsgraph).values()), atol=1e-4
        )


def check_only_its_own_channels_are_offered():
    thing = add(FOLLOWER)
    assert list(pose_of(thing)) == list(SPACE.names)
    shown = [kind.bl_label for kind in pose_panels.CLASSES[1:] if kind.poll(bpy.context)]
    assert shown == ["Driving"] and groups()[-1] == "Driving"
    for kind in (sidebar.KEYWARP_PT_expressions, sidebar.KEYWARP_PT_idle, sidebar.KEYWARP_PT_recording):
        assert not kind.poll(bpy.context)
    words = "follows a driving video"
    assert words in refused(bpy.ops.keywarp.apply_expression, expression="joy")
    assert words in refused(bpy.ops.keywarp.make_pose_library)
    assert words in refused(bpy.ops.keywarp.create_pose_asset)
    thing.keywarp.pose.driving.driving_strength = 2.0
    assert bpy.ops.keywarp.mirror_pose() == {"FINISHED"}
    assert bpy.ops.keywarp.copy_pose() == {"FINISHED"}
    assert bpy.ops.keywarp.reset_pose() == {"FINISHED"}
    assert thing.keywarp.pose.driving.driving_strength == 0.0
    assert thing.keywarp.pose.driving.name == "Driving"
    figure()
    assert "follows no driving video" in refused(bpy.ops.keywarp.play_video)
    assert not pose_panels.CLASSES[-1].poll(bpy.context)


def check_motion_of_faces_and_of_videos_is_told_apart():
    add(FOLLOWER)
    Clip("tha45", {"head_x": Curve([Key(0, 0.0), Key(9, 1.0)])}, 24, 0, 9).save("face.json")
    Clip("driving", {"driving_frame": Curve([Key(0, 0.0), Key(9, 1.0)])}, 24, 0, 9).save("video.json")
    face, video = (str(Path(name).absolute()) for name in ("face.json", "video.json"))
    told = failed(bpy.ops.keywarp.import_clip, filepath=face)
    assert "face.json" in told and "tha45" in told and "driving" in told
    thing = figure()
    told = failed(bpy.ops.keywarp.import_clip, filepath=video)
    assert "video.json" in told and thing.animation_data is None


def check_another_model_brings_its_own_channels():
    thing = add(FOLLOWER)
    thing.keywarp.pose.driving.driving_frame = 3.0
    thing.keywarp.pose.driving.driving_strength = 2.0
    bpy.context.view_layer.update()
    followed = live_values(thing.keywarp.image)
    thing.keywarp.character = str(CHARACTER / "character_model.yaml")
    bpy.context.view_layer.update()
    assert "head_y" in pose_of(thing) and thing.keywarp.message == ""
    assert thing.keywarp.video_frames == 0
    thing.keywarp.character = str(FOLLOWER)
    bpy.context.view_layer.update()
    assert list(pose_of(thing)) == list(SPACE.names) and thing.keywarp.message == ""
    assert np.array_equal(live_values(thing.keywarp.image), followed)


def check_its_space_and_defaults_are_kept_in_the_file():
    folder = Path.cwd() / "project"
    shutil.copytree(FOLLOWER.parent, folder)
    strong = folder / "strong.yaml"
    strong.write_text(FOLLOWER.read_text() + "defaults: {driving_strength: 1}\n")
    thing = add(strong)
    assert thing.keywarp.pose.driving.driving_strength == 1.0
    assert thing.driver_add(channel_path("driving_frame")).data_path == "keywarp.pose.driving.driving_frame"
    name = thing.name
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "file.blend"))
    thing = bpy.data.objects[name]
    assert list(pose_of(thing)) == list(SPACE.names)
    assert bpy.ops.keywarp.play_video.poll()
    thing.keywarp.pose.driving.driving_strength = 0.25
    assert bpy.ops.keywarp.reset_pose() == {"FINISHED"}
    assert thing.keywarp.pose.driving.driving_strength == 1.0


def lone():
    """A picture and a model that follows videos, without one."""
    return add(FOLLOWER.with_name("who.png"), model=str(FOLLOWER.with_name("tiny.pth.tar")))


def check_a_character_without_its_video_says_what_it_needs():
    thing = lone()
    bpy.context.scene.frame_set(2)
    assert "takes its motion from a driving video: choose one as Video" in thing.keywarp.message
    assert "follows no driving video" in refused(bpy.ops.keywarp.play_video)


def check_a_video_is_chosen_for_a_picture():
    thing, video = lone(), str(FOLLOWER.with_name("take.mp4"))
    thing.keywarp.video = video
    assert (thing.keywarp.video_frames, thing.keywarp.video_rate) == (4, 12.0)
    other = add(FOLLOWER)
    for each in (thing, other):
        each.keywarp.pose.driving.driving_frame = 3.0
        each.keywarp.pose.driving.driving_strength = 2.0
    bpy.context.view_layer.update()
    assert thing.keywarp.message == ""
    assert np.array_equal(live_values(thing.keywarp.image), live_values(other.keywarp.image))
    bpy.context.view_layer.objects.active = thing
    scene = render_settings("KEYWARP", SIZE)
    scene.frame_end = 1
    out = Path.cwd() / "out" / "frame"
    assert bpy.ops.keywarp.render_sequence(filepath=str(out)) == {"FINISHED"}
    scene.keywarp.character = thing
    assert_same(raw(Path("out/frame_0001.png").absolute()), rendered("chosen"))
    trust._write([])
    live.refresh(thing)
    assert "press Allow" in thing.keywarp.message and video in thing.keywarp.message
    assert bpy.ops.keywarp.allow_paths() == {"FINISHED"}
    assert thing.keywarp.message == ""
    thing.keywarp.video = str(Path.cwd() / "gone.mp4")
    assert "gone.mp4" in thing.keywarp.message
    # A model that is posed has no use for it.
    thing.keywarp.model = str(CHARACTER)
    assert "head_y" in pose_of(thing)
    assert thing.keywarp.message == "", thing.keywarp.message
