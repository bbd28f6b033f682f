# SPDX-License-Identifier: GPL-3.0-or-later
"""Files damaged at random, or cut anywhere, are used or refused in a sentence."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from keywarp.keyframes.spaces import space

from ...core.models.stand_in import SPACE, save_animator
from .conftest import Done, Runner, clip_text, draw_figure, figure_bytes, vmd_bytes


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


LEAST_REFUSED = {
    "a.png": 0.8,
    "a.pt": 0.8,
    "a.yaml": 0.8,
    "a.json": 0.8,
    "a.vmd": 0.5,
    "a.npy": 0.5,
    "p.json": 0.8,
}
"""Of each kind, the share of damaged files that cannot be used. Most of a motion, and of a table of poses, is
numbers: with one changed it is another, in order."""


def originals(student: Path) -> dict[str, bytes]:
    """A file of each kind that is in order."""
    table = io.BytesIO()
    np.save(table, np.zeros((2, len(space(SPACE)))))
    return {
        "a.png": figure_bytes(),
        "a.pt": (student / "face_morpher.pt").read_bytes(),
        "a.yaml": (student / "character_model.yaml").read_bytes(),
        "a.json": clip_text().encode(),
        "a.vmd": vmd_bytes(),
        "a.npy": table.getvalue(),
        "p.json": json.dumps({"yaw": 5.5, "eye_wide_left": 1}).encode(),
    }


@pytest.mark.parametrize("name", LEAST_REFUSED)
def test_mutated_files(
    keywarp: Runner, student: Path, tmp_path: Path, place: Path, full: bool, name: str
) -> None:
    """However a file is damaged, it is used, and what was asked for is there, or it is refused in a sentence, and
    nothing is written for it."""
    rng = random.Random(f"20 {name}")
    draw_figure(128).save(tmp_path / "who.png")
    # Small, so that what is in order is drawn in no time.
    character = [tmp_path / "who.png", "--model", save_animator(tmp_path / "model")]
    for beside in ("body_morpher.pt", "character.png", "face_morpher.pt"):
        (tmp_path / beside).write_bytes((student / beside).read_bytes())
    file, data = tmp_path / name, originals(student)[name]
    commands: list[list[object]] = [["info", file], ["check", file]]
    if name in ("a.json", "a.vmd"):
        drawn = ["-o", place / "f_##.png", "--size", "16x16", "--frames", "0-1"]
        commands += [
            ["convert", file, place / "made.json"],
            ["plot", file, "-o", place / "plot.png"],
            ["render", character[0], file, *character[1:], *drawn],
        ]
    elif name in ("a.npy", "p.json"):
        commands = [["pose", *character, "--pose", file, "-o", place / "p_##.png", "--size", "16x16"]]
    for command in commands:  # undamaged, all of them work
        file.write_bytes(data)
        assert used(keywarp(*command), command, place)
    count = 400 if full else 40
    refused = 0
    for _ in range(count):
        file.write_bytes(mutated(data, rng))
        command = rng.choice(commands)
        refused += not used(keywarp(*command), command, place)
    assert refused >= LEAST_REFUSED[name] * count


def used(done: Done, command: list[object], place: Path) -> bool:
    """Whether a file was used; fails where it was neither used nor refused as it should be. Leaves nothing."""
    assert done.status in (0, 2), f"{command}: {done.err}"
    written = list(place.rglob("*"))
    if done.status == 2:
        assert done.sentence, command
        assert written == [], command
    else:
        assert bool(written) == (command[0] not in ("info", "check")), command
    for path in written:
        path.unlink()
    return done.status == 0


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
