# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders in the background: how the process ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ..conftest import INSIDE

SCRIPT = """
import os, sys
sys.path.insert(0, {inside!r})
import bpy
import keywarp.plugin.blender as extension
extension.register()
from blender_side import set_engine
from pictures import add, render_settings
bpy.ops.wm.read_factory_settings()
set_engine()
thing = add()
thing.keywarp.size = 64
render_settings("CYCLES", (32, 32))
if {gone}:
    thing.keywarp.character = os.path.abspath("gone.yaml")
bpy.context.scene.render.filepath = os.path.abspath("frame_")
bpy.context.scene.frame_end = 1
bpy.ops.render.render(animation=True)
extension.unregister()
"""


@pytest.mark.slow
@pytest.mark.parametrize("gone", [False, True], ids=["good", "a missing file"])
def test_a_render_that_lacked_a_frame_says_so_when_it_ends(
    blender_python: Path, blender_environment: dict[str, str], tmp_path: Path, gone: bool
) -> None:
    script = SCRIPT.format(inside=str(INSIDE), gone=gone)
    if not gone:
        # Blender's own clean-up hangs in some releases; a render that lacks frames ends before it.
        script += "\nsys.stdout.flush()\nos._exit(0)\n"
    done = subprocess.run(
        [str(blender_python), "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **blender_environment},
        cwd=tmp_path,
        timeout=600,
    )
    assert (tmp_path / "frame_0001.png").exists(), done.stdout + done.stderr
    if gone:
        assert done.returncode == 3
        assert "gone.yaml does not exist" in done.stderr
    else:
        assert done.returncode == 0
        assert "keywarp:" not in done.stderr
