# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the head: drawn figures whose head is known, and illustrations measured by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywarp.core.framing import Framing
from keywarp.core.head import THA_HEAD, HeadBox, HeadTarget, fits, framing_for, framing_for_head, guess_head
from keywarp.core.picture import Picture, read_picture


def figure(
    head: float = 100, centre: tuple[float, float] = (300, 200), *, hair: str = "bob", heads: float = 5
) -> Picture:
    """A person: head of this height about a centre, neck, shoulders, body; ``heads`` high."""
    height = int(centre[1] + head * (heads - 0.5))
    mask = np.zeros((height, 600), np.uint8)
    x, y = centre

    def disc(dx: float, dy: float, rx: float, ry: float) -> None:
        at = round(x + dx * head), round(y + dy * head)
        cv2.ellipse(mask, at, (round(rx * head), round(ry * head)), 0, 0, 360, 255, -1)

    def box(left: float, top: float, right: float, bottom: float) -> None:
        corners = [(round(x + a * head), round(y + b * head)) for a, b in ((left, top), (right, bottom))]
        cv2.rectangle(mask, *corners, 255, -1)

    disc(0, 0, 0.47, 0.5)
    box(-0.15, 0, 0.15, 0.8)
    disc(0, 0.95, 0.8, 0.25)
    box(-0.8, 0.95, 0.8, heads)
    if hair == "long":
        box(-0.47, 0, 0.47, 2)
    if hair == "ears":
        for side in (-0.3, 0.3):
            disc(side, -0.55, 0.1, 0.35)
    if hair == "bun":
        disc(0, -0.62, 0.24, 0.24)
    if hair == "tails":
        for side in (-0.75, 0.75):
            disc(side, 0.1, 0.2, 0.55)
        box(-0.7, -0.3, 0.7, -0.2)
    picture = np.zeros((*mask.shape, 4), np.float32)
    picture[...] = (mask / np.float32(255))[..., None]
    return picture


def off(box: HeadBox, crown: float, chin: float, middle: float) -> float:
    """The largest error of crown, chin and middle, in heights of the head."""
    errors = box.y - crown, box.y + box.h - chin, box.centre[0] - middle
    return max(abs(e) for e in errors) / (chin - crown)


@pytest.mark.parametrize("hair", ["bob", "long", "ears", "bun", "tails"])
@pytest.mark.parametrize("heads", [1.8, 3, 5, 7.5])
def test_the_head_is_found_under_any_hair_and_in_any_cut(hair: str, heads: float) -> None:
    box = guess_head(figure(hair=hair, heads=heads))
    assert box is not None
    assert off(box, 150, 250, 300) < 0.15
    assert box.confidence >= (0.5 if hair == "long" else 0.7)


@given(st.floats(30, 160), st.floats(190, 410), st.floats(0, 150))
@pytest.mark.slow
def test_the_guess_follows_the_figure(head: float, x: float, above: float) -> None:
    y = above + head
    box = guess_head(figure(head, (x, y)))
    assert box is not None
    assert off(box, y - head / 2, y + head / 2, x) < 0.15


def test_the_larger_of_two_figures_counts() -> None:
    picture = np.concatenate([figure(50, (300, 350), heads=4), figure(100, heads=4)[:525]], 1)
    box = guess_head(picture)
    assert box is not None and off(box, 150, 250, 900) < 0.15


def test_an_opaque_picture_on_one_colour_is_cut_out_first() -> None:
    picture = figure(hair="ears")
    picture[..., :3] = np.where(picture[..., 3:] > 0, np.float32(0.3), np.float32(1))
    picture[..., 3] = 1
    box = guess_head(picture)
    assert box is not None and off(box, 150, 250, 300) < 0.15


def test_without_a_silhouette_the_guess_is_the_upper_centre_with_little_confidence() -> None:
    noise = np.ones((800, 600, 4), np.float32)
    noise[..., :3] = np.random.default_rng(0).random((800, 600, 3))
    box = guess_head(noise)
    assert box is not None and box.confidence < 0.4
    assert (box.x, box.y, box.w, box.h) == (225, 75, 150, 150)
    assert framing_for(noise) == Framing.of_square(0, 0, 600)


def test_nothing_is_found_in_nothing() -> None:
    empty = np.zeros((40, 60, 4), np.float32)
    assert guess_head(empty) is None
    assert framing_for(empty) == Framing.of_square(10, 0, 40)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 5)])
def test_pictures_too_small_for_a_head_still_get_a_framing(size: tuple[int, int]) -> None:
    framing = framing_for(np.ones((*size, 4), np.float32))
    assert np.isfinite(framing.matrix()).all() and framing.scale > 0


def test_a_given_head_lands_on_the_models_box() -> None:
    framing = framing_for(figure(), HeadBox(40, 60, 90, 110))
    # The box's centre (85, 115) at column 256 and row 128 of 512, its height 128 rows.
    assert framing.matrix() @ (85, 115, 1) == pytest.approx((0, -0.5))
    assert framing.side == pytest.approx(110 * 512 / 128)
    other = framing_for_head(HeadBox(40, 60, 90, 110), HeadTarget(0.25, 0, 1))
    assert other.matrix() @ (85, 115, 1) == pytest.approx((0.25, 0))
    assert other.side == pytest.approx(220)


def test_heads_off_the_models_box_do_not_fit() -> None:
    square = Framing.of_square(0, 0, 512)
    assert fits(HeadBox(192, 64, 128, 128), square)
    assert fits(HeadBox(180, 50, 150, 150), square)
    assert not fits(HeadBox(250, 64, 128, 128), square)
    assert not fits(HeadBox(192, 128, 128, 128), square)
    assert not fits(HeadBox(156, 28, 200, 200), square)
    assert not fits(HeadBox(216, 88, 80, 80), square)


#: Crown (under ears, buns and single locks), chin and middle, measured on the illustrations by eye.
MEASURED = {
    "images/raven_aria1.png": (46, 195, 254),
    "images/raven_ol1.png": (55, 190, 255),
    "images/renpy_eileen_happy_1080.png": (14, 386, 238),
    "images/renpy_lucy_happy.png": (55, 252, 212),
    "characters/uka/uka.png": (75, 208, 480),
    "reference/lambda_00/character.png": (66, 192, 255),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", MEASURED)
def test_heads_of_real_illustrations(shared: Path, name: str) -> None:
    box = guess_head(read_picture(shared / name).pixels)
    assert box is not None
    assert off(box, *MEASURED[name]) < 0.15


@pytest.mark.shared
@pytest.mark.parametrize("name", [n for n in MEASURED if "raven" in n or "lambda" in n])
def test_pictures_drawn_for_the_models_are_taken_as_they_are(shared: Path, name: str) -> None:
    assert framing_for(read_picture(shared / name).pixels) == Framing.of_square(0, 0, 512)
    assert HeadTarget(0.0, -0.5, 0.5) == THA_HEAD
