# SPDX-License-Identifier: GPL-3.0-or-later
"""Where results go, never over what is read; and what is said of files that are named wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .conftest import Runner, draw_figure


def test_results_never_replace_what_is_read(
    keywarp: Runner, student: Path, clip: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "art.png"
    draw_figure(64).save(picture)
    before = picture.read_bytes(), clip.read_bytes()
    assert "is what is read" in keywarp("pose", picture, "--model", student, "-o", picture).sentence
    assert "is what is read" in keywarp("sheet", picture, "--model", student, "-o", picture).sentence
    assert "is what is read" in keywarp("convert", clip, clip).sentence
    numbered, poses = tmp_path / "f_01.png", tmp_path / "poses.npy"
    numbered.write_bytes(before[0])
    np.save(poses, np.zeros((3, 45)))
    for given in (("render", numbered, clip), ("pose", numbered, "--pose", poses)):
        done = keywarp(*given, "--model", student, "-o", tmp_path / "f_##.png")
        assert f"{numbered}, which is read here, is called like a frame" in done.sentence
    (tmp_path / "frame_0009.png").write_bytes(before[0])
    done = keywarp("render", tmp_path / "frame_0009.png", clip, "--model", student, "-o", tmp_path)
    assert "is called like a frame" in done.sentence
    assert (picture.read_bytes(), clip.read_bytes()) == before
    assert numbered.read_bytes() == (tmp_path / "frame_0009.png").read_bytes() == before[0]


def test_no_name_is_no_place_for_frames(keywarp: Runner, student: Path, clip: Path) -> None:
    for out, fault in (
        ("", "not an empty text"),
        (".png", "ending without a name"),
        (clip.parent / "taken", "is a file"),
    ):
        (clip.parent / "taken").write_text("mine")
        assert fault in keywarp("render", student, clip, "-o", out).sentence
    assert (clip.parent / "taken").read_text() == "mine"


def test_small_words(keywarp: Runner, student: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert "it is no file" in keywarp("render", student, clip, "-o", out, "--audio", tmp_path).sentence
    said = keywarp("pose", student, "--set", "HEAD_Y=0.5", "-o", tmp_path / "p.png").sentence
    assert "did you mean head_y" in said
    draw_figure(64).save(tmp_path / "art.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256, 4), np.uint8)).save(
        tmp_path / "other.png"
    )
    given = ("new", tmp_path / "art.png", "--hd", tmp_path / "other.png", "-o", tmp_path / "who.yaml")
    assert f"{tmp_path / 'other.png'} does not show the same artwork" in keywarp(*given).sentence
    for version in ("true", "1.0", "'1'"):
        (tmp_path / "odd.yaml").write_text(f"keywarp: {version}\npicture: art.png\n", encoding="utf-8")
        assert "this keywarp reads version 1" in keywarp("info", tmp_path / "odd.yaml").sentence


def test_new_writes_only_what_can_be_read(keywarp: Runner, student: Path, tmp_path: Path) -> None:
    picture, out = tmp_path / "art.png", tmp_path / "who.yaml"
    draw_figure(64).save(picture)
    for box in ("20,20,1e-9,1e-9", "20,20,0.4,0.4"):
        assert (
            "pixels to see, not a square of 16" in keywarp("new", picture, "--head", box, "-o", out).sentence
        )
    Image.new("RGBA", (1, 1), (255, 0, 0, 255)).save(tmp_path / "one.png")
    done = keywarp("new", tmp_path / "one.png", "--model", student, "-o", out)
    assert "1x1 pixels, gives the model" in done.sentence
    assert not out.exists()


def test_a_remedy_keeps_the_character_s_model_and_large_picture(
    keywarp: Runner, student: Path, tmp_path: Path
) -> None:
    who = tmp_path / "who.yaml"
    draw_figure(256).save(tmp_path / "art.png")
    draw_figure(512).save(tmp_path / "large.png")
    who.write_text(
        f"keywarp: 1\npicture: art.png\nhd_picture: large.png\nmodel: {student.as_posix()}\n"
        "head: [200, 200, 40, 40]\nframing: {scale: 0.0078125, rotation_deg: 0, x: -1, y: -1}\n",
        encoding="utf-8",
    )
    said = keywarp("check", who).out
    assert f"--model {student} --hd {tmp_path / 'large.png'}" in said
