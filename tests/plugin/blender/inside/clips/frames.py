# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that Blender renders, and those of ``keywarp render`` from the exported clip."""

from __future__ import annotations

import random
from pathlib import Path

import bpy
from blender_side import CHARACTER
from keyed import key_everything
from pictures import add, assert_same, clip_by_cli, decibels, render_settings, rendered

SIZE = (256, 144)
FIRST, LAST = 1, 6
STEPS = 4
"""Frames of ``keywarp render`` to one of the scene."""


def check_blender_and_keywarp_render_the_same_subframes():
    thing = add()
    key_everything(thing, seed=8, frames=(0.5, 1.75, 2.5, 4.0, 4.75, 7.0), reach=0.4)
    scene = render_settings("KEYWARP", SIZE)
    scene.frame_start, scene.frame_end = FIRST, LAST
    clip = Path("clip.json").absolute()
    assert bpy.ops.keywarp.export_clip(filepath=str(clip)) == {"FINISHED"}
    expected = clip_by_cli(CHARACTER, clip, SIZE, scene.render.fps * STEPS)
    assert len(expected) == (LAST - FIRST) * STEPS + 1
    chosen = random.Random(3).sample(range(len(expected)), 10)
    found = []
    for i in chosen:
        frame = FIRST + i / STEPS
        scene.frame_set(int(frame), subframe=frame % 1)
        found.append(rendered(f"blender_{i}"))
        assert_same(found[-1], expected[i])
    assert sum(decibels(found[0], other) < 45 for other in found[1:]) >= 7  # it does move
