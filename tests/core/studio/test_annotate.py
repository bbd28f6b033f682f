# SPDX-License-Identifier: GPL-3.0-or-later
"""Morphs are matched to channels by the names that their authors use, and divided where one is for both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from keywarp.core.studio.annotate import Part, annotate, moved, read_annotation, target_count, to_yaml
from keywarp.core.studio.figure import Figure, Morph
from keywarp.core.studio.pmx import read_pmx
from keywarp.keyframes.errors import KeywarpError

from .models import bust, pmx_bytes


@pytest.fixture
def figure() -> Figure:
    return read_pmx(Path("bust.pmx"), pmx_bytes(bust()))


def named(figure: Figure, *names: str, side: float = 0.0) -> Figure:
    """The figure with morphs of these names; ``side``: they move only vertices on that side of x."""
    which = np.flatnonzero(figure.positions[:, 0] * side >= 0).astype(np.int32)
    offsets = np.ones((len(which), 3), np.float32)
    return replace(figure, morphs={name: Morph(name, which, offsets) for name in names})


@pytest.mark.parametrize(
    ("names", "channel", "parts"),
    [
        (["まばたき"], "eye_wink_left", [("まばたき", "left")]),
        (["ウィンク２", "ｳｨﾝｸ２右"], "eye_wink_right", [("ｳｨﾝｸ２右", None)]),
        (["eyeBlinkLeft", "eyeBlinkRight"], "eye_wink_left", [("eyeBlinkLeft", None)]),
        (["Blink_L", "Blink_R", "Blink"], "eye_wink_left", [("Blink_L", None)]),
        (["Fcl_EYE_Close", "Fcl_EYE_Close_L", "Fcl_EYE_Close_R"], "eye_wink_right", [("Fcl_EYE_Close_R", None)]),
        (["Face.M_F00_000_00_Fcl_MTH_A"], "mouth_aaa", [("Face.M_F00_000_00_Fcl_MTH_A", None)]),
        (["Face.M_F00_Fcl_BRW_Angry"], "eyebrow_angry_left", [("Face.M_F00_Fcl_BRW_Angry", "left")]),
        (["vrc.v_ou"], "mouth_uuu", [("vrc.v_ou", None)]),
        (["aa", "ih", "ou", "ee", "oh"], "mouth_iii", [("ih", None)]),
        (["jawOpen", "mouthFunnel"], "mouth_ooo", [("jawOpen", None), ("mouthFunnel", None)]),
        (["browInnerUp", "browOuterUpLeft", "browOuterUpRight"], "eyebrow_raised_left",
         [("browInnerUp", "left"), ("browOuterUpLeft", "left")]),
        (["困る眉"], "eyebrow_troubled_right", [("困る眉", "right")]),
        (["eyeLookInLeft", "eyeLookOutRight"], "gaze_left", [("eyeLookInLeft", None), ("eyeLookOutRight", None)]),
    ],
)  # fmt: skip
def test_names_are_known(
    figure: Figure, names: list[str], channel: str, parts: list[tuple[str, str | None]]
) -> None:
    found = annotate(named(figure, *names))
    assert [(part.morph, part.side) for part in found[channel]] == parts


def test_what_shows_no_feature_is_left_alone(figure: Figure) -> None:
    assert annotate(named(figure, "HideHairBalls", "髪留なし", "jawForward", "browned")) == {}


def test_sides_follow_the_geometry(figure: Figure) -> None:
    left, right = named(figure, "blink_l", side=-1.0), named(figure, "blink_r", side=1.0)
    found = annotate(replace(figure, morphs={**left.morphs, **right.morphs}))
    assert found["eye_wink_left"] == (Part("blink_r"),)
    assert found["eye_wink_right"] == (Part("blink_l"),)


def test_a_blink_of_both_eyes_is_divided_in_the_middle(figure: Figure) -> None:
    found = annotate(figure)
    whole = figure.morphs["まばたき"]
    total = np.zeros_like(figure.positions)
    for side, sign in (("left", 1), ("right", -1)):
        half = moved(figure, found[f"eye_wink_{side}"])
        x = figure.positions[half.vertices, 0]
        assert np.abs(half.offsets[x * sign < -0.1]).max() == 0
        assert np.abs(half.offsets[x * sign > 0.1]).max() > 0.1
        total[half.vertices] += half.offsets
    np.testing.assert_allclose(total[whole.vertices], whole.offsets, atol=1e-6)


def test_target_morphs_are_counted_as_the_paper_does(figure: Figure) -> None:
    # Blink and surprise, each for both sides and for either; one vowel.
    assert target_count(annotate(figure)) == 7


def test_an_annotation_is_kept_as_yaml(figure: Figure, tmp_path: Path) -> None:
    found = annotate(figure)
    file = tmp_path / "bust.annotation.yaml"
    file.write_text(yaml.safe_dump(to_yaml(found, "CC0-1.0"), allow_unicode=True), encoding="utf-8")
    assert read_annotation(file, figure) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("channels: {}", "keywarp_annotation"),
        ("keywarp_annotation: 1\nchannels: []", "channels"),
        ("keywarp_annotation: 1\nchannels: {eye_wnik_left: [まばたき]}", "eye_wnik_left"),
        ("keywarp_annotation: 1\nchannels: {eye_wink_left: まばたき}", "list"),
        ("keywarp_annotation: 1\nchannels: {eye_wink_left: [blink]}", "does not have"),
        ("keywarp_annotation: 1\nchannels: {eye_wink_left: [{morph: まばたき, weight: .inf}]}", "-4 to 4"),
        ("keywarp_annotation: 1\nchannels: {eye_wink_left: [{morph: まばたき, side: top}]}", "left or right"),
    ],
)
def test_annotations_with_mistakes_are_refused(figure: Figure, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "bust.annotation.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KeywarpError, match=says):
        read_annotation(file, figure)
