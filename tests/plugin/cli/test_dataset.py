# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp dataset``: from a character's file to shards and their card, broken off and continued."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from keywarp.core.color import from_srgb8
from keywarp.core.training.shards import read_shards

from ...core.studio.models import bust, pmx_bytes, texture_png
from .conftest import Runner


@pytest.fixture
def characters(tmp_path: Path) -> Path:
    """A folder with a good character and one that is no character."""
    folder = tmp_path / "characters"
    folder.mkdir()
    (folder / "skin.png").write_bytes(texture_png())
    (folder / "Bust.pmx").write_bytes(pmx_bytes(bust()))
    (folder / "broken.pmx").write_bytes(pmx_bytes(bust())[:500])
    return folder


def test_characters_become_shards(keywarp: Runner, characters: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    options = ["--size", "128", "--style", "flat", "--style", "outline", "--count", "6", "--per-shard", "4"]
    done = keywarp("dataset", "render", characters, "-o", out, *options)
    assert done.status == 0
    assert "broken.pmx" in done.err
    samples = list(read_shards([out]))
    assert len(samples) == 12
    assert {sample.identity for sample in samples} == {"Bust"}
    for sample in samples:
        assert sample.rest is not None
        assert sample.flow is not None
        assert sample.visible is not None
        assert sample.posed.shape == sample.rest.shape == (128, 128, 4)
        turned = sample.about["group"] == "rotated-expression"
        assert turned == bool(sample.poses["animeceleb20gaze"][17:20].any())
        assert not turned or np.abs(sample.flow).max() > 0.01
    assert len({sample.about["style"] for sample in samples}) == 2
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "12 photographs of 1 3D characters" in card
    assert "broken.pmx" in card
    assert cv2.imread(str(out / "card.png")) is not None

    # Broken off behind a shard: only what is missing is photographed again, and comes out the same.
    lost = sorted(out.glob("*.tar"))[-1]
    lost.rename(lost.with_suffix(".lost"))
    again = keywarp("dataset", "render", characters / "Bust.pmx", "-o", out, *options)
    assert "4 photographs added, 12 in all" in again.out
    by_key = {sample.key: sample for sample in read_shards([out])}
    for sample in samples:
        np.testing.assert_array_equal(by_key[sample.key].posed, sample.posed)
        np.testing.assert_array_equal(by_key[sample.key].flow, sample.flow)
    shown = keywarp("dataset", "show", out, "-o", tmp_path / "some.png")
    assert shown.status == 0
    assert "12 samples of 1 characters" in shown.out
    assert cv2.imread(str(tmp_path / "some.png")) is not None


def test_generated_characters_stand_beside_files(keywarp: Runner, characters: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    options = ["--size", "128", "--style", "cel", "--count", "2", "--scheme", "tha45"]
    done = keywarp("dataset", "render", "generated:4-5", characters / "Bust.pmx", "-o", out, *options)
    assert done.status == 0
    samples = list(read_shards([out]))
    assert {sample.identity for sample in samples} == {"generated-4", "generated-5", "Bust"}
    for sample in samples:
        made = sample.identity.startswith("generated")
        assert sample.about["licence"] == ("CC0-1.0" if made else "")
        assert not made or {"eyes", "mouth", "face"} <= sample.regions.keys()
    assert "CC0-1.0" in (out / "README.md").read_text(encoding="utf-8")
    assert "2 (CC0-1.0)" in keywarp("dataset", "show", out).out
    # The same as a file.
    assert (
        keywarp("dataset", "generate", "generated:4", "-o", tmp_path / "figures", "--size", "128").status == 0
    )
    lines = keywarp("dataset", "sample", tmp_path / "figures", "--count", "3").out
    assert lines == keywarp("dataset", "sample", "generated:4", "--count", "3").out
    assert len(lines.splitlines()) == 3


def test_layers_are_kept_where_they_are_asked_for(keywarp: Runner, tmp_path: Path) -> None:
    out = tmp_path / "set"
    options = ["--size", "128", "--style", "outline", "--count", "2", "--scheme", "tha45", "--layers"]
    assert keywarp("dataset", "render", "generated:4", "-o", out, *options).status == 0
    for sample in read_shards([out]):
        assert sample.layered is not None and sample.rest is not None
        first, inside = sample.layered.layers
        np.testing.assert_allclose(first.colour, from_srgb8(sample.rest), atol=0.01)
        assert first.seen.mean() > 0.2
        assert 0 < inside.seen.sum() < 0.05 * first.seen.sum()
        assert not (inside.seen & ~first.seen).any()
    shown = keywarp("dataset", "show", out, "-o", tmp_path / "some.png")
    assert shown.status == 0
    assert "2 samples of 1 characters" in shown.out
    assert cv2.imread(str(tmp_path / "some.png")) is not None


def test_annotations_are_written_and_obeyed(keywarp: Runner, characters: Path, tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    done = keywarp("dataset", "annotate", characters / "Bust.pmx", "-o", folder)
    assert done.status == 0
    assert "7 of AnimeCeleb's 23" in done.out
    file = folder / "Bust.annotation.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert said["channels"]["mouth_aaa"] == [{"morph": "あ", "weight": 1.0}]
    page = (folder / "Bust.annotation.html").read_text(encoding="utf-8")
    assert page.count('"morph": "') == 4
    assert "\\u307e\\u3070\\u305f\\u304d" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    sheet = cv2.imread(str(folder / "Bust.annotation.png"))
    assert sheet is not None
    # A person takes the eyes away: nothing but the mouth is drawn from then on.
    said["channels"] = {"mouth_aaa": said["channels"]["mouth_aaa"]}
    said["licence"] = "CC0-1.0"
    file.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    options = ["--annotations", folder, "--count", "30", "--scheme", "animeceleb"]
    lines = keywarp("dataset", "sample", characters / "Bust.pmx", *options).out.splitlines()
    assert len(lines) == 30
    assert any("mouth_a" in line for line in lines)
    assert not any("eye_" in line for line in lines)
    # What a person wrote is kept.
    keywarp("dataset", "annotate", characters / "Bust.pmx", "-o", folder)
    assert yaml.safe_load(file.read_text(encoding="utf-8")) == said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["render", "broken.pmx", "-o", "set"], "none of the characters"),
        (["annotate", "nobody.pmx"], "none of the characters"),
        (["sample", "broken.pmx"], "none of the characters"),
        (["render", "Bust.pmx", "-o", "Bust.pmx"], "is a file"),
        (["render", "Bust.pmx", "-o", "set", "--size", "64"], "128"),
        (["show", "empty"], "empty"),
        (["render", "generated:9-3", "-o", "set"], "generated:17"),
        (["generate", "Bust.pmx", "-o", "set"], "generated:17"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    keywarp: Runner, characters: Path, arguments: list[str], says: str
) -> None:
    (characters / "empty").mkdir()
    names = {path.name: path for path in characters.iterdir()} | {"set": characters / "set"}
    done = keywarp("dataset", *(names.get(argument, argument) for argument in arguments))
    assert done.status == 2
    assert says in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
