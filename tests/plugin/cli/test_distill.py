# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp distill``: from a 3D character to a frame, and what is refused before hours are spent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from keywarp.core.models.tha.distill.settings import RECIPES

from ...core.studio.models import bust, pmx_bytes, texture_png
from .conftest import Runner

pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture
def character(tmp_path: Path) -> Path:
    folder = tmp_path / "figure"
    folder.mkdir()
    (folder / "skin.png").write_bytes(texture_png())
    (folder / "Bust.pmx").write_bytes(pmx_bytes(bust()))
    return folder / "Bust.pmx"


@pytest.fixture(autouse=True)
def small_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    from keywarp.core.models.tha.distill import opening

    monkeypatch.setattr(opening, "HD_SIDE", 700)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The small preset with next to nothing to do."""
    content = yaml.safe_load(RECIPES.read_text(encoding="utf-8"))["presets"]["small"]
    content.update({"poses": 2, "checked": 1})
    for part in ("face_morpher", "body_morpher"):
        content[part]["batch"] = 2
        for phase in content[part]["phases"]:
            phase["steps"] = 1
    content["body_morpher"]["network"] = {"tiles": 1}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.slow
def test_from_a_3d_character_to_a_frame(
    keywarp: Runner, character: Path, tiny: Path, tmp_path: Path, full: bool
) -> None:
    out, frame = tmp_path / "student", tmp_path / "frame.png"
    done = keywarp("distill", character, "-o", out, "--preset", tiny, "--style", "flat", "--device", "cpu")
    assert done.status == 0, done.err
    assert "a student of 3D character Bust" in done.out
    assert "dB to its teacher" in done.out
    scores = json.loads((out / "training" / "evaluation.json").read_text())
    assert scores["steps"] == {"face_morpher": 1, "body_morpher": 3}
    assert Image.open(out / "character_hd.png").size == (700, 700)
    assert np.asarray(Image.open(out / "training" / "face_mask.png")).max() == 255
    again = keywarp("distill", character, "-o", out, "--preset", tiny)
    assert "go on with --resume" in again.sentence
    other = keywarp("distill", character, "-o", out, "--resume", "--poses", "9")
    assert "stay as they are with --resume" in other.sentence
    # What is finished stays as it is.
    weights = (out / "body_morpher.pt").read_bytes()
    done = keywarp("distill", character, "-o", out, "--resume", "--style", "flat", "--device", "cpu")
    assert done.status == 0, done.err
    assert (out / "body_morpher.pt").read_bytes() == weights
    assert "THA4 student" in keywarp("info", out).out
    if full:  # an untrained student shows something everywhere, so that all of it is drawn for every probe
        done = keywarp(
            "pose", out / "character.yaml", "--set", "head_y=0.5", "-o", frame, "--size", "300x300"
        )
        assert done.status == 0, done.err
        assert Image.open(frame).size == (300, 300)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "huge"], "no preset 'huge' of distillation; there are paper, small"),
        (["--minutes", "0"], "above 0"),
        (["--phases", "1,9"], "phases 1 to 3, not 1, 9"),
        (["--phases", "first"], "as in 1,3"),
        (["--preset", "paper", "--poses", "9"], "asks its teacher in every step"),
        (["--teacher", "weights"], "its own teacher"),
        (["--style", "oil"], "--style"),
        (["--face-mask", "nothing.png"], "nothing.png does not exist"),
    ],
)
def test_what_cannot_be_distilled_is_said(
    keywarp: Runner, character: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    assert said in keywarp("distill", character, "-o", tmp_path / "student", *arguments).sentence
    assert not (tmp_path / "student").exists()


def test_an_inverted_mask_is_seen_before(keywarp: Runner, character: Path, tmp_path: Path) -> None:
    mask = np.full((512, 512), 255, np.uint8)
    mask[100:180, 210:300] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = ["--face-mask", tmp_path / "mask.png"]
    assert "seems inverted" in keywarp("distill", character, "-o", tmp_path / "student", *given).sentence


def test_a_disk_that_is_too_small_is_seen_before(
    keywarp: Runner, character: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**8))
    done = keywarp("distill", character, "-o", tmp_path / "student", "--style", "flat", "--device", "cpu")
    assert "GB are free" in done.sentence
    assert not (tmp_path / "student").exists()


def test_other_folders_are_left_alone(keywarp: Runner, character: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "holds no distillation" in keywarp("distill", character, "-o", tmp_path / "mine").sentence
    assert "is a file" in keywarp("distill", character, "-o", tmp_path / "mine" / "notes.txt").sentence
    several = keywarp("distill", "generated:3-5", "-o", tmp_path / "student")
    assert "a student knows one" in several.sentence
    missing = keywarp("distill", tmp_path / "nobody.png", "--teacher", "x", "-o", tmp_path / "student")
    assert "nobody.png does not exist" in missing.sentence
