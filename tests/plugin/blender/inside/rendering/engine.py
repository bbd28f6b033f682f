# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the render engine Keywarp, in a real Blender."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
from pictures import (
    add,
    assert_same,
    decibels,
    keyed,
    keyed_pose,
    poses_by_cli,
    raw,
    render_settings,
    rendered,
    rendered_animation,
)

from keywarp.plugin.blender import benchmark
from keywarp.plugin.blender.rendering import engine

SIZE = (480, 270)


def check_frames_are_keywarp_poses():
    keyed(add())
    render_settings("KEYWARP", SIZE)
    expected = poses_by_cli([keyed_pose(frame) for frame in (1, 2, 3)], SIZE)
    frames = rendered_animation()
    assert len(frames) == 3
    for frame, wanted in zip(frames, expected):
        assert_same(frame, wanted)
    assert decibels(frames[0], frames[1]) < 45
    assert decibels(frames[1], frames[2]) < 45


def check_frames_say_where_they_came_from():
    add()
    render_settings("KEYWARP", SIZE)
    rendered()
    assert texts_of_png(Path("still.png")).items() >= provenance_by_cli().items()


def texts_of_png(path):
    """The texts of a PNG file (its standard, 11.3.3.2): keyword, a zero byte, Latin-1 text."""
    data, at, texts = path.read_bytes(), 8, {}
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"tEXt":
            keyword, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
            texts[keyword.decode("latin-1")] = text.decode("latin-1")
        at += 12 + length
    return texts


def provenance_by_cli():
    """What ``keywarp pose`` writes into its own files."""
    poses_by_cli([{"mouth_iii": 0.125}], SIZE)  # which nothing has made before, so that its file is here
    path = next(path for path in Path.cwd().glob("oracle*/frame_*.png"))
    found = texts_of_png(path)
    assert found["Software"].startswith("keywarp")
    assert "Model" in found
    return found


def check_subframes_are_exact():
    keyed(add())
    scene = render_settings("KEYWARP", SIZE)
    expected = poses_by_cli([keyed_pose(2.37), keyed_pose(2.0)], SIZE)
    scene.frame_set(2, subframe=0.37)
    # Blender keeps a subframe for renders of a single frame only in the scene.
    found = rendered()
    assert_same(found, expected[0])
    assert decibels(found, expected[1]) < decibels(found, expected[0])


def check_percentage_scales_the_frame():
    add()
    scene = render_settings("KEYWARP", (960, 540))
    scene.render.resolution_percentage = 50
    assert_same(rendered(), poses_by_cli([{}], SIZE)[0])


def check_no_row_or_column_is_lost_to_rounding():
    add()
    scene = render_settings("KEYWARP", (1280, 720))
    scene.render.film_transparent = False
    scene.render.resolution_percentage = 70
    frame = rendered("share")
    assert frame.shape[:2] == (504, 896) and frame[..., 3].min() == 255
    for side, share in ((4000, 29), (4000, 57), (3000, 58)):
        scene.render.resolution_x, scene.render.resolution_percentage = side, share
        assert engine.full_size(scene)[0] == side * share // 100
    scene.render.resolution_x, scene.render.resolution_y = 300, 300
    scene.render.resolution_percentage = 100
    scene.render.use_border = scene.render.use_crop_to_border = True
    for least, most in ((0.0, 0.7), (1 / 3, 0.7), (0.1, 0.9), (0.3, 0.57)):
        scene.render.border_min_x, scene.render.border_max_x = least, most
        scene.render.border_min_y, scene.render.border_max_y = least, most
        assert rendered("part")[..., 3].min() == 255, (least, most)


def check_view_layers_show_their_own_characters():
    left, right = add(), add()
    scene = render_settings("KEYWARP", SIZE)
    second = scene.view_layers.new("Second")
    for thing, value in ((left, 1.0), (right, -1.0)):
        thing.keywarp.pose.head.head_y = value
        collection = bpy.data.collections.new(thing.name)
        scene.collection.children.link(collection)
        for other in list(thing.users_collection):
            other.objects.unlink(thing)
        collection.objects.link(thing)
    for mine, others in ((left, right), (right, left)):
        for layer, shown in ((scene.view_layers[0], mine), (second, others)):
            for thing in (left, right):
                layer.layer_collection.children[thing.name].exclude = thing != shown
        value = mine.keywarp.pose.head.head_y
        assert_same(rendered("layered"), poses_by_cli([{"head_y": value}], SIZE)[0])
    for thing in (left, right):
        second.layer_collection.children[thing.name].exclude = True
    assert_same(rendered("one is empty"), poses_by_cli([{"head_y": -1.0}], SIZE)[0])


def check_both_eyes_of_a_stereo_frame_are_drawn():
    add()
    scene = render_settings("KEYWARP", SIZE)
    plain = rendered("plain")
    scene.render.use_multiview = True
    scene.render.views_format = "STEREO_3D"
    scene.render.image_settings.views_format = "INDIVIDUAL"
    scene.render.filepath = str(Path.cwd() / "eye.png")
    bpy.ops.render.render(write_still=True)
    for eye in ("L", "R"):
        assert np.array_equal(raw(Path.cwd() / f"eye_{eye}.png"), plain), eye


def check_a_border_is_that_part_of_the_frame():
    add()
    scene = render_settings("KEYWARP", SIZE)
    whole = rendered("whole")
    scene.render.use_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.75
    scene.render.border_min_y, scene.render.border_max_y = 0.5, 1.0
    within = whole[:135, 120:360]
    part = rendered("part")
    assert part.shape == whole.shape
    assert np.array_equal(part[:135, 120:360], within)
    assert part[135:].max() == 0
    scene.render.use_crop_to_border = True
    assert np.array_equal(rendered("crop"), within)


def check_an_opaque_film_has_the_worlds_colour():
    add()
    scene = render_settings("KEYWARP", SIZE)
    scene.render.film_transparent = False
    scene.world.color = (0.0, 1.0, 0.0)
    frame = rendered()
    assert frame[..., 3].min() == 255
    assert list(frame[0, 0, :3]) == [0, 255, 0]


def check_the_nearest_character_is_on_top():
    far, near = add(), add()
    scene = render_settings("KEYWARP", SIZE)
    for thing, value in ((far, 1.0), (near, -1.0)):
        thing.keywarp.pose.head.head_y = value
    scene.camera.location, scene.camera.rotation_euler = (0, -10, 1), (np.pi / 2, 0, 0)
    far.location.y, near.location.y = 2.0, -2.0
    together = rendered("together")
    far.hide_render = True
    alone = rendered("alone")
    solid = alone[..., 3] == 255
    assert solid.any()
    assert_same(together[solid], alone[solid])
    scene.keywarp.character = far
    only = poses_by_cli([{"head_y": 1.0}], SIZE)[0]
    assert_same(rendered("chosen"), only)


def check_drivers_and_nla_count():
    driven, stripped = add(), add()
    scene = render_settings("KEYWARP", SIZE)
    curve = driven.driver_add("keywarp.pose.head.head_y")
    curve.driver.expression = "frame / 4"
    keyed(stripped)
    animation = stripped.animation_data
    track = animation.nla_tracks.new()
    action, slot = animation.action, getattr(animation, "action_slot", None)
    animation.action = None
    strip = track.strips.new("strip", 1, action)
    if slot is not None:
        strip.action_slot = slot
    scene.frame_set(3)
    wanted = poses_by_cli([{"head_y": 0.75}, keyed_pose(3)], SIZE)
    for hidden in (False, True):  # in the viewports; renders show them all the same
        driven.hide_viewport = hidden
        stripped.hide_set(hidden)
        for thing, expected in ((driven, wanted[0]), (stripped, wanted[1])):
            scene.keywarp.character = thing
            assert_same(rendered(f"{thing.name}_{hidden}"), expected)


def check_a_frame_that_cannot_be_made_stops_the_render():
    thing = add()
    render_settings("KEYWARP", SIZE)
    thing.keywarp.character = str(Path.cwd() / "gone.yaml")
    try:
        rendered_animation("bad")
    except RuntimeError as error:
        assert "gone.yaml does not exist" in str(error), error
    else:
        raise AssertionError("the render went on")
    assert not list(Path.cwd().glob("bad_*"))
    assert "gone.yaml does not exist" in thing.keywarp.message


def check_a_scene_without_characters_says_so():
    render_settings("KEYWARP", SIZE)
    try:
        rendered()
    except RuntimeError as error:
        assert "no visible character" in str(error), error
    else:
        raise AssertionError("it rendered nothing")


def check_a_4k_frame_costs_little_beyond_the_engine(frames=6):
    """Beyond the engine's own time, and Blender's bare result measured in the same run."""
    thing = add()
    benchmark.prepare(thing)
    thing.keywarp.size = 64  # which the bare engine's renders would wait for
    *_, whole = benchmark.render_stages(frames)
    own, bare = min(whole.seconds), min(whole.bare)
    sys.stdout.write(f"4K render result: ours {own * 1e3:.1f} ms, bare {bare * 1e3:.1f} ms\n")
    assert own - bare <= 0.020
