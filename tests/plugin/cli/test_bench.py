# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp bench``: what it measures is there, and what no machine changes is as promised."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from keywarp.core.bench import rows as module

from .conftest import Runner

pytest.importorskip("torch")
pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture
def rows(
    keywarp: Runner, shared: Path, full: bool, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, Any]]:
    """By name, of the reference student: as a user would ask for it, or with few poses and frames."""
    student = shared / "reference" / "lambda_00"
    if full:
        command = [sys.executable, "-m", "keywarp.plugin.cli", "bench", student, "--device", "cpu", "--json"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        for name, count in (("POSES", 1), ("SEQUENCE_FRAMES", 2), ("FRAMES", 1)):
            monkeypatch.setattr(module, name, count)
        done = keywarp("bench", student, "--device", "cpu", "--json")
        assert done.status == 0, done.err
        said = done.out
    return {row["name"]: row for row in json.loads(said)["rows"]}


def number(pattern: str, note: str) -> float:
    found = re.search(pattern, note)
    assert found is not None, note
    return float(found[1])


def test_every_row_is_there_and_keeps_what_no_machine_changes(
    rows: dict[str, dict[str, Any]], full: bool
) -> None:
    for name in (
        "Motion on the CPU, random poses",
        "Motion on the CPU, a clip",
        "ResWarp to 4K, a clip",
        "ResWarp to 4K, random poses",
        "ResWarp to 4K, noise everywhere",
        "a 4K frame to 8-bit sRGB, straight alpha",
    ):
        row = rows[name]
        assert row["seconds"] > 0 and row["reference_seconds"] > 0
        assert row["ratio"] == pytest.approx(row["seconds"] / row["reference_seconds"])
    for name in ("random poses", "a clip"):
        assert number(r"worst agreement ([\d.]+) dB", rows[f"Motion on the CPU, {name}"]["note"]) >= 45
    sequence = rows["4K PNG sequence, a frame"]
    assert number(r"character on (\d+)% of the frame", sequence["note"]) >= 60
    assert number(r"a file is ([\d.]+) x zlib level 1", sequence["note"]) <= 1.3
    peak = number(r"peak memory ([\d.]+) GiB", sequence["note"])
    if full:  # else this process has held what other tests needed
        assert peak <= 2
