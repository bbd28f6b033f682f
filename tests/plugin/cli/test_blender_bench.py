# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame costs inside Blender, asked from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import blender_bench

from .conftest import save_student


@pytest.mark.parametrize(
    ("python", "said"),
    [(sys.executable, "needs Blender as its package bpy"), ("no/such/python", "could not measure anything")],
)
def test_a_python_without_blender_is_one_sentence(python: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match=said) as failure:
        list(blender_bench.blender_rows(Path(python), tmp_path))
    assert "\n" not in str(failure.value)


@pytest.mark.full
@pytest.mark.slow
def test_every_stage_of_a_real_blender(
    blender_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_student(tmp_path / "figure")
    monkeypatch.setattr(blender_bench, "FRAMES", 2)
    rows = list(blender_bench.blender_rows(blender_python, tmp_path / "figure"))
    assert len(rows) == 8 and all(row.name.startswith("Blender ") and row.seconds > 0 for row in rows)
    (render,) = [row for row in rows if "4K render: all" in row.name]
    parts = [row for row in rows if "4K render" in row.name and row is not render]
    assert sum(row.seconds for row in parts) == pytest.approx(render.seconds, rel=0.5)
    assert render.reference_seconds > 0
