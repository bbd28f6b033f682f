# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses and expressions as text: what is written is read back, and what is wrong is refused in a sentence."""

from __future__ import annotations

import json

import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import expression
from keywarp.keyframes.pose_text import expression_text, identifier, parse_expression, parse_pose, pose_text


def test_a_pose_comes_back() -> None:
    pose = expression("anger").pose()
    assert parse_pose(pose_text(pose)) == pytest.approx(pose)


def test_values_beyond_their_range_are_held_to_it() -> None:
    assert parse_pose('{"head_x": 7, "mouth_iii": -3}') == {"head_x": 1.0, "mouth_iii": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a pose"),
        ("hello", "not a pose"),
        ("[1, 2]", "not a pose"),
        ('{"head_x": NaN}', "not a pose"),
        ("[" * 100_000, "not a pose"),
        ('{"head_q": 1}', "no channel named 'head_q'"),
        ('{"head_x": "1"}', "head_x must be a number"),
        ('{"head_x": true}', "head_x must be a number"),
        ('{"head_x": null}', "head_x must be a number"),
        ('{"head_x": 1e400}', "head_x must be finite"),
        ('{"head_x": ' + "9" * 500 + "}", "head_x must be finite"),
        (" " * (2 << 20), "too long"),
    ],
)
def test_text_that_is_no_pose_is_refused(text: str, message: str) -> None:
    with pytest.raises(KeywarpError, match=message) as refused:
        parse_pose(text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 250


def test_an_expression_of_ones_own_comes_back() -> None:
    own = parse_expression(expression_text("Évil grin", {"mouth_smirk": 1.0, "eyebrow_angry_left": 0.25}))
    assert (own.title, own.group, own.name) == ("Évil grin", "My Own", "évil_grin")
    assert own.pose() == {"eyebrow_angry_left": 0.25, "mouth_smirk": 1.0}
    assert own.covers == ("eyebrow_angry_left", "mouth_smirk")


def test_fields_of_later_versions_do_no_harm() -> None:
    content = {**json.loads(expression_text("Grin", {"mouth_smirk": 1})), "colour": "red"}
    assert parse_expression(json.dumps(content)).values == {"mouth_smirk": 1.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"title": "A", "values": {"head_x": 1}}, "keywarp_expression"),
        ({"keywarp_expression": 2, "title": "A", "values": {"head_x": 1}}, "must be 1"),
        ({"keywarp_expression": True, "title": "A", "values": {"head_x": 1}}, "must be 1"),
        ({"keywarp_expression": 1, "title": "A", "values": {}}, "values"),
        ({"keywarp_expression": 1, "title": "A", "values": [1]}, "values"),
        ({"keywarp_expression": 1, "title": "A", "values": {"nose": 1}}, "no channel named 'nose'"),
        ({"keywarp_expression": 1, "title": "", "values": {"head_x": 1}}, "name must be text"),
        ({"keywarp_expression": 1, "title": "a\nb", "values": {"head_x": 1}}, "name must be text"),
        ({"keywarp_expression": 1, "title": "!!", "values": {"head_x": 1}}, "at least one letter"),
        ({"keywarp_expression": 1, "title": "A", "group": 3, "values": {"head_x": 1}}, "group"),
    ],
)
def test_what_is_no_expression_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(KeywarpError, match=message):
        parse_expression(json.dumps(content))


@pytest.mark.parametrize("title", ["../../etc/passwd", "a/b", "C:\\x", "..", "con."])
def test_an_identifier_is_never_a_path(title: str) -> None:
    try:
        word = identifier(title)
    except KeywarpError:
        return
    assert not set(word) & set("/\\.: ")
