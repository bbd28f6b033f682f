# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that a driving video moves, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.clip_file import save
from keywarp.keyframes.curve import Curve
from tests.plugin.cli.conftest import Runner, save_tpsmm, save_video

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tpsmm(tmp_path_factory.mktemp("tpsmm"))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_video(tmp_path_factory.mktemp("video") / "take.mp4")


def picture(folder: Path) -> Path:
    pixels = np.zeros((96, 96, 4), np.uint8)
    pixels[10:90, 20:76] = (200, 120, 90, 255)
    Image.fromarray(pixels).save(folder / "who.png")
    return folder / "who.png"


def test_a_video_in_place_of_a_clip(keywarp: Runner, tmp_path: Path, model: Path, video: Path) -> None:
    done = keywarp(
        "render", picture(tmp_path), video, "--model", model, "-o", tmp_path / "f_####.png", "--size", "64x64"
    )
    assert done.status == 0, done.err
    assert [path.name for path in sorted(tmp_path.glob("f_*.png"))] == [f"f_000{i}.png" for i in range(4)]
    assert "12 fps" in done.out


def test_keyframes_on_a_driving_video(keywarp: Runner, tmp_path: Path, model: Path, video: Path) -> None:
    """A curve plays it backwards; frame and strength are channels like any other."""
    ends = np.array([0.0, 3.0])
    curves = {
        "driving_frame": Curve.from_points(ends, np.array([3.0, 0.0])),
        "driving_strength": Curve.from_points(ends, np.ones(2)),
    }
    save(Clip("driving", curves, 12.0, 0, 3), tmp_path / "back.json")
    who = tmp_path / "who.yaml"
    picture(tmp_path)
    who.write_text(f"keywarp: 1\npicture: who.png\nmodel: {model}\ndriving: {video}\n")
    there = ("-o", tmp_path / "f_####.png", "--size", "64x64")
    back = ("-o", tmp_path / "b_####.png", "--size", "64x64")
    assert keywarp("render", who, video, *there).status == 0
    assert keywarp("render", who, tmp_path / "back.json", *back).status == 0
    for i in range(4):
        assert most_apart(tmp_path / f"f_000{i}.png", tmp_path / f"b_000{3 - i}.png") <= 1
    setting = ["--set", "driving_frame=2", "--set", "driving_strength=1"]
    done = keywarp("pose", who, *setting, "-o", tmp_path / "p.png", "--size", "64x64")
    assert done.status == 0, done.err
    assert most_apart(tmp_path / "p.png", tmp_path / "f_0002.png") <= 1


def most_apart(*files: Path) -> int:
    """Of colours as they show over black: where next to nothing is seen, straight colour says nothing."""
    one, other = (np.asarray(Image.open(file)).astype(float) for file in files)
    return int(np.abs(one[..., :3] * one[..., 3:] - other[..., :3] * other[..., 3:]).max() / 255)


def test_what_does_not_fit_is_said(
    keywarp: Runner, tmp_path: Path, model: Path, video: Path, clip: Path, student: Path
) -> None:
    who, out = picture(tmp_path), ("-o", tmp_path / "f_#.png")
    assert "driving video" in keywarp("pose", who, "--model", model, "-o", tmp_path / "p.png").sentence
    assert "no mapping" in keywarp("render", who, clip, "--model", model, *out).sentence
    assert "animated by poses" in keywarp("render", student, video, *out).sentence
    assert "--driving" in keywarp("render", student, clip, "--best-frame", *out).sentence
    wrong = ("--driving-mode", "avd", "--best-frame")
    assert "mode relative" in keywarp("render", who, video, "--model", model, *wrong, *out).sentence
    assert list(tmp_path.glob("f_*")) == []
