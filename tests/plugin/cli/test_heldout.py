# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp evaluate --suite heldout``: models, runs and students beside photographs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from keywarp.core.models.tha.distill.aim import aimed
from keywarp.core.models.tha.student_layout import SIDE
from keywarp.core.studio.actor import read_pose
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.sampling import scheme

from ...core.models.stand_in import save_animator
from ...core.studio.models import bust, pmx_bytes, texture_png
from .conftest import Runner

FEW = ["--poses", "2", "--large", "0", "--clips", "0"]


@pytest.mark.slow
def test_a_model_is_examined_on_strangers(keywarp: Runner, tmp_path: Path) -> None:
    model, out = save_animator(tmp_path / "mine"), tmp_path / "results"
    (tmp_path / "skin.png").write_bytes(texture_png())
    (tmp_path / "Bust.pmx").write_bytes(pmx_bytes(bust()))
    given = ["--suite", "heldout", "--characters", "1", "--character", tmp_path / "Bust.pmx", *FEW]
    done = keywarp("evaluate", model, *given, "-o", out, "--json")
    assert done.status == 0, done.err
    table = json.loads(done.out)
    assert table == json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert table["subjects"] == {"generated:0": "CC0-1.0", "Bust": ""}
    for kind in ("generated", "named"):
        judged = table["own_size"][kind]
        assert (judged["subjects"], judged["poses"]) == (1, 2)
        assert {"mae", "rmse", "psnr", "ssim"} == set(judged["answer"]["whole frame"])
        assert judged["flow"]["answer"] > 0
    assert len(table["poses"]) == 4
    page = (out / "results.md").read_text(encoding="utf-8")
    assert "characters from files (1), 2 poses in all" in page
    # A character that is moved by a model for any picture stands for that model.
    (tmp_path / "who.yaml").write_text("keywarp: 1\npicture: skin.png\nmodel: mine\n", encoding="utf-8")
    again = keywarp("evaluate", tmp_path / "who.yaml", *given, "-o", out)
    assert again.status == 0
    assert again.out.splitlines()[-1] == str(out / "results.md")


@pytest.mark.full
def test_a_student_is_held_against_what_it_was_distilled_from(
    keywarp: Runner, student: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "who", tmp_path / "results"
    shutil.copytree(student, folder)
    rest = read_pose("tha45", scheme("tha45").rest())
    picture = aimed(generated_character(3, SIDE)).studio(SIDE, "soft", rest).rest
    Image.fromarray(picture).save(folder / "character.png")
    given = ["--suite", "heldout", "--poses", "1", "--large", "0", "--clips", "0", "-o", out]
    done = keywarp("evaluate", folder, *given, "--character", "generated:3", "--json")
    assert done.status == 0, done.err
    table = json.loads(done.out)
    assert table["poses"][0]["style"] == "soft", "the style that it is drawn in"
    judged = table["own_size"]["student"]
    assert judged["unposed picture"]["whole frame"]["psnr"] > judged["answer"]["whole frame"]["psnr"]
    assert "does not look like" in keywarp("evaluate", folder, *given, "--character", "generated:4").sentence
    assert "--character" in keywarp("evaluate", folder, *given).sentence


def test_what_cannot_be_examined_is_said(keywarp: Runner, tmp_path: Path, clip: Path) -> None:
    model = save_animator(tmp_path / "mine")
    suite = ["--suite", "heldout", *FEW]
    assert "--data" in keywarp("evaluate", model, *suite, "--data", tmp_path).sentence
    assert "--suite" in keywarp("evaluate").sentence
    assert "no model" in keywarp("evaluate", "nobody", *suite).sentence
    assert "no character is left" in keywarp("evaluate", model, *suite, "--characters", "0").sentence
    assert "holds no weights" in keywarp("evaluate", tmp_path, *suite).sentence
    assert "is a file" in keywarp("evaluate", model, *suite, "-o", clip).sentence
    gone = keywarp("evaluate", model, *suite, "--characters", "0", "--character", tmp_path / "gone.pmx")
    assert "does not exist" in gone.sentence
    assert not Path("heldout-mine").exists()


@pytest.mark.parametrize("count", ["-1", "x"])
def test_counts_are_whole_numbers(keywarp: Runner, count: str) -> None:
    assert keywarp("evaluate", "--suite", "heldout", "--characters", count).status == 2
