# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that are animated without a word about models, and the demo character by its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
import yaml
from PIL import Image

from keywarp.core.models import registry
from keywarp.core.models.exported import MOTION_FILE

from ...core.models.stand_in import HEAD, save_animator
from ...core.models.test_shipped import check_demo, check_papers
from .conftest import Runner, draw_figure, save_student


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the one that ships; empty."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(registry, "SHIPPED", folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    draw_figure(256).save(path)
    return path


def save_demo(folder: Path) -> Path:
    """A folder as ``keywarp distill`` leaves it, with an untrained student."""
    save_student(folder)
    with (folder / "character_model.yaml").open("a", encoding="utf-8") as file:
        file.write("licence: CC0-1.0\ncredit: the tests\n")
    draw_figure(640).save(folder / "character_hd.png")
    (folder / "character.yaml").write_text(
        "keywarp: 1\npicture: character.png\nmodel: .\nhd_picture: character_hd.png\n"
        "defaults: {mouth_aaa: 0}\nlicence: CC0-1.0\ncredit: the tests\n",
        encoding="utf-8",
    )
    (folder / "README.md").write_text("CC0-1.0\n\n    keywarp distill generated:1\n", encoding="utf-8")
    (folder / "face-log.csv").write_text("step,loss\n1,0.5\n", encoding="utf-8")
    return folder


def test_a_picture_needs_no_model(
    keywarp: Runner, shipped: Path, picture: Path, clip: Path, tmp_path: Path
) -> None:
    save_animator(shipped / "animator")
    video = tmp_path / "out.mp4"
    done = keywarp("render", picture, clip, "-o", video, "--size", "64x64", "--frames", "0-5")
    assert done.status == 0, done.err
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    assert keywarp("pose", picture, "--set", "yaw=10", "-o", tmp_path / "p.png").status == 0
    assert "animator (a stand-in)" in keywarp("info", picture).out
    assert keywarp("check", picture).status == 0
    # A character file is framed as this model wants it, and names it.
    file = tmp_path / "cat.yaml"
    assert keywarp("new", picture, "-o", file).status == 0
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert said["model"] == "animator"
    square = said["framing"]
    crown, chin = (square["scale"] * y / 512 * 256 + square["y"] for y in (62, 200))
    assert (chin - crown) == pytest.approx(HEAD[2], rel=0.25)
    assert (crown + chin) / 2 == pytest.approx(HEAD[1], abs=0.25)
    checked = keywarp("check", file)
    assert checked.status == 0
    assert "not where the model expects it" not in checked.out
    # A file that names none gets it, too.
    del said["model"]
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    assert keywarp("pose", file, "--set", "yaw=10", "-o", tmp_path / "q.png").status == 0


def test_a_missing_animator_is_one_sentence(
    keywarp: Runner, shipped: Path, picture: Path, clip: Path, place: Path, tmp_path: Path
) -> None:
    for command in (
        ["render", picture, clip, "-o", place / "o.mp4"],
        ["pose", picture, "-o", place / "p.png"],
        ["sheet", picture, "-o", place / "s.png"],
    ):
        sentence = keywarp(*command).sentence
        assert "there is no model 'animator'" in sentence and "--model" in sentence
    assert keywarp("info", picture).status == keywarp("check", picture).status == 0
    done = keywarp("new", picture, "-o", tmp_path / "cat.yaml")
    assert done.status == 0
    assert "there is no model 'animator'" in done.err
    # One that is there and broken is no missing one.
    (save_animator(shipped / "animator") / MOTION_FILE).unlink()
    assert f"{MOTION_FILE} beside it is missing" in keywarp("pose", picture, "-o", place / "p.png").sentence


@pytest.mark.slow
def test_the_demo_character_has_a_name(keywarp: Runner, shipped: Path, tmp_path: Path) -> None:
    demo = save_demo(shipped / "demo")
    told = keywarp("info", "demo").out
    assert "640x640 pixels; larger frames show no more" in told, "its own file, with the large picture"
    assert "non-commercial" not in told and "BY-NC" not in told
    assert keywarp("pose", "demo", "-o", tmp_path / "p.png", "--size", "96x54").status == 0
    with Image.open(tmp_path / "p.png") as image:
        assert image.info["Character"] == "demo"
        assert image.info["Licence"] == "artwork: CC0-1.0; model: CC0-1.0"
    check_papers(demo)
    check_demo(demo, learnt=False)
    broken = tmp_path / "broken"
    shutil.copytree(demo, broken)
    (broken / "body_morpher.pt").write_bytes(b"PK\3\4nothing")
    assert "body_morpher.pt" in keywarp("pose", broken, "-o", tmp_path / "no.png").sentence
