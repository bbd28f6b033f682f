# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that Blender renders, and those of ``keywarp render`` from the exported clip."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import bpy
from blender_side import CHARACTER
from keyed import key_everything
from pictures import add, assert_same, decibels, raw, render_settings, rendered

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
    expected = rendered_by_cli(clip, scene.render.fps * STEPS)
    assert len(expected) == (LAST - FIRST) * STEPS + 1
    chosen = random.Random(3).sample(range(len(expected)), 10)
    found = []
    for i in chosen:
        frame = FIRST + i / STEPS
        scene.frame_set(int(frame), subframe=frame % 1)
        found.append(rendered(f"blender_{i}"))
        assert_same(found[-1], expected[i])
    assert sum(decibels(found[0], other) < 45 for other in found[1:]) >= 7  # it does move


def rendered_by_cli(clip, fps):
    folder = Path("frames").absolute()
    python = json.loads(os.environ["KEYWARP_TEST_ENGINE"])[0]
    command = [python, "-s", "-m", "keywarp.plugin.cli", "render", str(CHARACTER), str(clip)]
    command += ["--fps", str(fps), "--size", f"{SIZE[0]}x{SIZE[1]}", "--out", str(folder / "f_####.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return [raw(path) for path in sorted(folder.glob("f_*.png"))]
