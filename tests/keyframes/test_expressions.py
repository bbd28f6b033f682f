# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready-made expressions: whole, within range, different from one another, and mirrored rightly."""

from __future__ import annotations

import itertools

import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import (
    EXPRESSIONS,
    FACE,
    FEELINGS,
    GROUPS,
    SPACE,
    VOWELS,
    channels_of,
    expression,
)
from keywarp.keyframes.spaces import tha45

#: The labels of GoEmotions, by which chat programs ask for a character's faces.
GO_EMOTIONS = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
]

every = pytest.mark.parametrize("each", EXPRESSIONS, ids=lambda each: each.name)


def test_there_is_every_feeling_that_is_asked_for_by_name() -> None:
    assert len(GO_EMOTIONS) == 28
    assert set(GO_EMOTIONS) <= {each.name for each in FEELINGS}


def test_there_are_vowels_lids_and_breath() -> None:
    names = {each.name for each in EXPRESSIONS}
    assert {f"vowel_{vowel}" for vowel in "aiueo"} <= names
    assert {"blink", "wink_left", "wink_right", "breath", "mouth_closed"} <= names
    assert set(GROUPS) == {each.group for each in EXPRESSIONS}


@every
def test_values_are_in_range_and_covered(each) -> None:
    for name, value in each.values.items():
        channel = SPACE[name]
        assert channel.minimum <= value <= channel.maximum
        assert name in each.covers
    assert list(each.covers) == [name for name in SPACE.names if name in each.covers]
    assert expression(each.name) is each


@pytest.mark.parametrize("each", FEELINGS, ids=lambda each: each.name)
def test_a_feeling_covers_the_face_and_leaves_head_and_body(each) -> None:
    assert each.covers == channels_of(FACE)


def test_no_two_are_the_same() -> None:
    for one, other in itertools.combinations(FEELINGS, 2):
        a, b = one.pose(), other.pose()
        assert sum(abs(a[name] - b[name]) for name in a) > 0.4, f"{one.name} and {other.name}"
    assert (
        len({each.name for each in EXPRESSIONS})
        == len({each.title for each in EXPRESSIONS})
        == len(EXPRESSIONS)
    )


def test_one_takes_the_place_of_another_without_a_remainder() -> None:
    joy, anger = expression("joy"), expression("anger")
    after = anger.blended({**joy.pose(), "head_x": 0.5}, 1.0)
    assert after == anger.pose()
    assert "head_x" not in after


def test_a_character_drawn_with_a_closed_mouth_keeps_it_where_nothing_is_said() -> None:
    closed = {"mouth_aaa": 0.0}
    assert expression("mouth_closed").pose()["mouth_aaa"] == 0.0
    assert expression("joy").pose(closed)["mouth_aaa"] == 1.0  # joy says that the mouth is open
    assert expression("blink").pose(closed) == {"eye_wink_left": 1.0, "eye_wink_right": 1.0}
    quiet = [each for each in FEELINGS if "mouth_aaa" not in each.values]
    assert all(each.pose(closed)["mouth_aaa"] == 0.0 for each in quiet)


@pytest.mark.parametrize("each", VOWELS, ids=lambda each: each.name)
def test_a_vowel_is_one_mouth_shape(each) -> None:
    shapes = [name for name, value in each.pose().items() if value]
    assert shapes in ([f"mouth_{each.name[-1] * 3}"], [])
    assert (shapes == []) == (each.name == "mouth_closed")


def test_winks_are_the_characters_own_sides() -> None:
    assert expression("wink_left").pose() == {"eye_wink_left": 1.0, "eye_wink_right": 0.0}
    space = tha45.SPACE
    mirrored = space.mirror(space.pose(expression("wink_left").pose()))
    assert mirrored.tolist() == space.pose(expression("wink_right").pose()).tolist()


def test_strength_goes_from_the_pose_and_stays_in_range() -> None:
    anger = expression("anger")
    pose = {"eyebrow_angry_left": 0.5, "mouth_aaa": 0.5}
    half = anger.blended(pose, 0.5)
    assert half["eyebrow_angry_left"] == pytest.approx(0.75)
    assert half["mouth_aaa"] == pytest.approx(0.25)
    assert anger.blended(half, 0.0)["mouth_aaa"] == half["mouth_aaa"]
    beyond = anger.blended(pose, 5.0)
    assert all(SPACE[name].minimum <= value <= SPACE[name].maximum for name, value in beyond.items())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeywarpError, match="no expression named 'melancholy'"):
        expression("melancholy")
