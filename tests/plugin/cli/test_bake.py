# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp bake``: from a 3D character to a folder that every command takes; and what rests as the model says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.core.character import load_character
from keywarp.core.engine.answers import _info
from keywarp.plugin.cli import main

from .conftest import Runner

SIZE = ("--size", "128x128")


@pytest.fixture(scope="module")
def who(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baked") / "who"
    small = ["--size", "256", "--side", "128", "--layers", "3", "--framing", "head"]
    assert main(["bake", "generated:4", "-o", str(folder), *small]) == 0
    return folder


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(np.float64)


def mouth(shown: np.ndarray) -> np.ndarray:
    """The middle of the lower half of a framed head."""
    rows, columns = shown.shape[:2]
    return shown[rows // 2 : rows * 9 // 10, columns // 3 : columns * 2 // 3]


def test_every_command_takes_what_is_baked(keywarp: Runner, who: Path, tmp_path: Path) -> None:
    about = keywarp("info", who)
    assert about.status == 0
    assert "layers of a 3D character, 8 of 128x128" in about.out
    assert "CC0-1.0" in about.out
    assert keywarp("check", who).status == 0
    assert keywarp("check", who / "character.yaml").status == 0
    out = tmp_path / "turned.png"
    done = keywarp("pose", who, "--set", "head_y=1", "-o", out, *SIZE)
    assert done.status == 0, done.err
    still = keywarp("pose", who, "-o", tmp_path / "still.png", *SIZE)
    assert still.status == 0
    assert Image.open(out).size == (128, 128)
    assert np.abs(picture(out) - picture(tmp_path / "still.png")).mean() > 2


def test_the_model_says_that_the_mouth_rests_closed(keywarp: Runner, who: Path, tmp_path: Path) -> None:
    """Where neither the character nor the clip says anything of it, tha45's own default opens it."""
    character = load_character(who)
    assert character.defaults == {}
    assert character.resting == {"mouth_aaa": 0.0}
    said = {entry["name"]: entry["default"] for entry in _info({"character": str(who)})["channels"]}
    assert said["mouth_aaa"] == 0.0
    assert said["mouth_ooo"] == 0.0
    clip = tmp_path / "clip.json"
    curves = {"body_z": {"interpolation": "LINEAR", "points": [[0, 0]]}}
    clip.write_text(
        json.dumps({"keywarp_clip": 1, "space": "tha45", "fps": 24, "start": 0, "end": 0, "curves": curves})
    )
    shown = {}
    for name, options in (
        ("closed", ["--set", "mouth_aaa=0"]),
        ("open", ["--set", "mouth_aaa=1"]),
        ("rest", []),
    ):
        done = keywarp("pose", who, *options, "-o", tmp_path / f"{name}.png", *SIZE)
        assert done.status == 0, done.err
        shown[name] = picture(tmp_path / f"{name}.png")
    assert keywarp("render", who, clip, "-o", tmp_path / "f_####.png", *SIZE).status == 0
    shown["clip"] = picture(tmp_path / "f_0000.png")
    for name in ("rest", "clip"):
        np.testing.assert_array_equal(shown[name], shown["closed"], err_msg=name)
    assert np.abs(mouth(shown["open"]) - mouth(shown["closed"])).max() > 60


def test_what_the_character_says_goes_before_what_the_model_says(
    keywarp: Runner, who: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(who, tmp_path / "own"))
    file = own / "character.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "defaults: {mouth_aaa: 1}\n")
    assert load_character(own).resting == {"mouth_aaa": 1}
    for name, one in (("own", own), ("closed", who)):
        assert keywarp("pose", one, "-o", tmp_path / f"{name}.png", *SIZE).status == 0
    assert np.abs(mouth(picture(tmp_path / "own.png")) - mouth(picture(tmp_path / "closed.png"))).max() > 60


def test_a_sheet_starts_from_a_closed_mouth(who: Path) -> None:
    from keywarp.core.render.sheet import cells
    from keywarp.keyframes.spaces import space

    poses = space("tha45")
    resting = load_character(who).resting
    shown = cells(poses, poses.clamp(poses.pose(resting)))
    column = poses.index("mouth_aaa")
    others = [cell for cell in shown if not cell.pose[column]]
    assert len(others) >= len(shown) - 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generated:1-2"], "names 2 characters; bake one at a time"),
        (["generated:x"], "generated:17"),
        (["nobody.pmx"], "nobody.pmx"),
        (["generated:4", "--size", "256", "--side", "512"], "as its layers"),
        (["generated:4", "--side", "64"], "128"),
        (["generated:4", "--layers", "9"], "8"),
        (["generated:4", "--style", "oil"], "oil"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    keywarp: Runner, place: Path, arguments: list[str], said: str
) -> None:
    assert said in keywarp("bake", *arguments, "-o", place / "who").sentence


def test_a_folder_with_something_else_is_left_alone(keywarp: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "diary.txt").write_text("mine")
    assert "is no baked character" in keywarp("bake", "generated:4", "-o", folder).sentence
    assert "is no baked character" in keywarp("bake", "generated:4", "-o", folder / "diary.txt").sentence
    assert [path.name for path in folder.iterdir()] == ["diary.txt"]
    assert (folder / "diary.txt").read_text() == "mine"


def test_baked_again_a_folder_keeps_what_is_its_owners(keywarp: Runner, who: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(who, tmp_path / "own"))
    (own / "notes.txt").write_text("mine")
    done = keywarp("bake", "generated:4", "-o", own, "--size", "128", "--side", "128", "--layers", "2")
    assert done.status == 0, done.err
    assert Image.open(own / "character.png").size == (128, 128)
    assert "7 of 128x128" in keywarp("info", own).out
    assert (own / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
