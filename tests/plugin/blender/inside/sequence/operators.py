# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of sequences rendered to files and of baked live images, in a real Blender."""

from __future__ import annotations

from pathlib import Path

import bpy
from figures import failed
from pictures import (
    add,
    assert_same,
    decibels,
    frame_the_plane,
    keyed,
    keyed_pose,
    poses_by_cli,
    raw,
    render_settings,
    rendered_animation,
)

from keywarp.plugin.blender.sequence.operators import output_pattern

SIDE = 192
FRAMES = (1, 2, 3)


def character():
    thing = add()
    thing.keywarp.size = SIDE
    keyed(thing)
    render_settings("CYCLES", (SIDE, SIDE))
    return thing


def check_a_sequence_is_keywarp_poses():
    character()
    out = Path.cwd() / "out" / "frame"
    assert bpy.ops.keywarp.render_sequence(filepath=str(out)) == {"FINISHED"}
    files = sorted(Path("out").iterdir())
    assert [file.name for file in files] == [f"frame_{n:04d}.png" for n in FRAMES]
    for file, wanted in zip(files, poses_by_cli([keyed_pose(n) for n in FRAMES], (SIDE, SIDE))):
        assert_same(raw(file.absolute()), wanted)


def check_every_format_is_written():
    character()
    bpy.context.scene.frame_end = 2
    for kind, name in (("PNG16", "a_0002.png"), ("EXR", "b_0002.exr"), ("MOV", "c.mov")):
        out = str(Path.cwd() / "all" / name.partition("_")[0].partition(".")[0])
        settings = {"own_size": True, "width": 64, "height": 48}
        assert bpy.ops.keywarp.render_sequence(filepath=out, format=kind, **settings) == {"FINISHED"}
        assert (Path("all") / name).stat().st_size > 500
    assert raw(Path("all/a_0002.png").absolute()).shape == (48, 64, 4)


def check_what_cannot_be_rendered_leaves_nothing():
    thing = character()
    thing.keywarp.character = str(Path.cwd() / "gone.yaml")
    message = failed(bpy.ops.keywarp.render_sequence, filepath=str(Path.cwd() / "none" / "frame"))
    assert "gone.yaml" in message
    assert not list(Path("none").rglob("*.*"))


def check_baked_files_stand_for_the_live_image_and_back():
    thing = character()
    frame_the_plane(thing)
    live = thing.keywarp.image
    before = rendered_animation("live")
    assert bpy.ops.keywarp.bake(directory=str(Path.cwd() / "baked")) == {"FINISHED"}
    texture = thing.material_slots[0].material.node_tree.nodes["Image Texture"]
    assert texture.image == thing.keywarp.baked_image and texture.image.source == "SEQUENCE"
    assert thing.keywarp.image == live
    baked = rendered_animation("baked")
    for one, other in zip(baked, before):
        assert_same(one, other)
    assert decibels(baked[0], baked[2]) < 45
    assert bpy.ops.keywarp.add_baked_strip() == {"FINISHED"}
    for one, other in zip(rendered_animation("strip"), before):
        assert_same(one, other)
    bpy.context.scene.render.use_sequencer = False
    assert bpy.ops.keywarp.unbake() == {"FINISHED"}
    assert texture.image == live and not thing.keywarp.baked
    for one, other in zip(rendered_animation("again"), before):
        assert_same(one, other)


def check_names_of_files():
    for given, suffix, expected in (
        ("/a/b", ".png", "/a/b_####.png"),
        ("/a/b.png", ".png", "/a/b_####.png"),
        ("/a/b_##.exr", ".exr", "/a/b_##.exr"),
        ("/a/v1.5", ".mov", "/a/v1.5.mov"),
    ):
        assert output_pattern(given, suffix) == Path(expected).absolute()
