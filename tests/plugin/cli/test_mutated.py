# SPDX-License-Identifier: GPL-3.0-or-later
"""Files damaged at random, or cut anywhere, are used or refused in a sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from .conftest import Runner, clip_text, figure_bytes, vmd_bytes


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Cut, overwritten, swollen, or with a few bytes changed."""
    at = rng.randrange(len(data))
    kind = rng.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + rng.randbytes(rng.randrange(1, 64)) + data[at:]
    if kind == 2:
        return data[:at] + data[at + rng.randrange(1, 64) :]
    if kind == 3:
        return data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :]
    changed = bytearray(data)
    # Most of what decides about a file stands at its ends.
    for _ in range(rng.randrange(1, 8)):
        end = rng.choice((64, 512, len(data)))
        place = rng.randrange(min(end, len(data)))
        changed[place if rng.random() < 0.7 else -1 - place] = rng.randrange(256)
    return bytes(changed)


def test_mutated_files(keywarp: Runner, student: Path, tmp_path: Path, place: Path, full: bool) -> None:
    """However a file is damaged, it is used or refused in a sentence; nothing is written for it."""
    rng = random.Random(20)
    pose = tmp_path / "table.npy"
    np.save(pose, np.zeros((2, 45)))
    originals = {
        "a.png": figure_bytes(),
        "a.pt": (student / "face_morpher.pt").read_bytes(),
        "a.yaml": (student / "character_model.yaml").read_bytes(),
        "a.json": clip_text().encode(),
        "a.vmd": vmd_bytes(),
        "a.npy": pose.read_bytes(),
        "p.json": json.dumps({"head_y": 0.5, "eye_wink_left": 1}).encode(),
    }
    for name in ("body_morpher.pt", "character.png", "face_morpher.pt"):
        (tmp_path / name).write_bytes((student / name).read_bytes())
    refused = 0
    for name, data in originals.items():
        file = tmp_path / name
        for _ in range(400 if full else 40):
            file.write_bytes(mutated(data, rng))
            if name in ("a.npy", "p.json"):
                # The region is refused only after the pose was read.
                region = ["--size", "native", "--region", "0,0,9999,1"]
                command: list[object] = ["pose", student, "--pose", file, "-o", place / "p_##.png", *region]
            else:
                command = [rng.choice(("info", "check")), file]
            done = keywarp(*command)
            assert done.status in (0, 2), f"{command}: {done.err}"
            if done.status == 2:
                refused += 1
                lines = [line for line in done.err.splitlines() if not line.startswith("note: ")]
                assert len(lines) == 1, done.err
            assert list(place.rglob("*")) == []
    assert refused >= (1500 if full else 150)


def test_a_motion_cut_anywhere(keywarp: Runner, tmp_path: Path, place: Path) -> None:
    data = vmd_bytes()
    file = tmp_path / "cut.vmd"
    for end in range(0, len(data), 3):
        file.write_bytes(data[:end])
        done = keywarp("convert", file, place / "made.json")
        if done.status == 0:  # only the lists after the morphs may be missing: old files end there
            assert end >= len(data) - 12
            (place / "made.json").unlink()
        else:
            assert "cut.vmd" in done.sentence
