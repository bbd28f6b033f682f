# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour conversion against the formulas of IEC 61966-2-1, in plain double precision."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keywarp.core import bleed, color
from keywarp.core.picture import read_picture
from keywarp.keyframes.errors import KeywarpError


def decode_exactly(v: float) -> float:
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


def encode_exactly(v: float) -> float:
    return v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055


def reference(picture: np.ndarray, top: int) -> np.ndarray:
    """Straight sRGB levels of a picture in float64, rounded; colours only where alpha is not 0."""
    p = picture.astype(np.float64)
    alpha = p[..., 3:]
    straight = np.divide(p[..., :3], alpha, out=np.zeros_like(p[..., :3]), where=alpha > 0)
    straight = np.clip(straight, 0, 1)
    encoded = np.where(
        straight <= 0.0031308, straight * 12.92, 1.055 * np.maximum(straight, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.rint(np.concatenate([encoded, np.clip(alpha, 0, 1)], -1) * top).astype(np.int64)


def frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A soft blob of many colours with every degree of alpha, and nothing in the corners."""
    rng = np.random.default_rng(seed)
    colours = cv2.resize(rng.random((6, 6, 3)).astype(np.float32) ** 2, (width, height))
    colours = np.clip(colours + rng.normal(0, 0.01, colours.shape).astype(np.float32), 0, 1)
    y, x = np.mgrid[:height, :width]
    r = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    alpha = np.clip((0.42 - r) * 0.2 * min(height, width), 0, 1).astype(np.float32)
    return np.concatenate([colours * alpha[..., None], alpha[..., None]], -1)


@given(st.floats(0, 1))
def test_transfer_function_is_the_standards(value: float) -> None:
    array = np.array([value])
    assert color.srgb_to_linear(array)[0] == pytest.approx(decode_exactly(value), abs=1e-12)
    assert color.linear_to_srgb(array)[0] == pytest.approx(encode_exactly(value), abs=1e-12)


@pytest.mark.parametrize(
    ("levels", "dtype", "encode"), [(256, np.uint8, color.to_srgb8), (65536, np.uint16, color.to_srgb16)]
)
def test_every_opaque_level_survives(levels: int, dtype: type, encode) -> None:
    grey = np.arange(levels, dtype=dtype).reshape(-1, 256)
    rgb = np.stack([grey, grey[::-1], grey[:, ::-1]], -1)
    decode = color.from_srgb8 if dtype is np.uint8 else color.from_srgb16
    assert np.array_equal(encode(decode(rgb))[..., :3], rgb)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(4))))
def test_straight_pixels_survive_a_round_trip(pixels: np.ndarray) -> None:
    back = color.to_srgb8(color.from_srgb8(pixels))
    visible = pixels[..., 3] > 0
    assert np.array_equal(back[..., 3], pixels[..., 3])
    assert np.array_equal(back[visible], pixels[visible])


@pytest.mark.parametrize("shape", [(270, 480), (33, 1921), (1, 1), (4, 1), (1, 4), (7, 5)])
@pytest.mark.parametrize(("top", "encode"), [(255, color.to_srgb8), (65535, color.to_srgb16)])
def test_encoding_matches_the_formula(shape: tuple[int, int], top: int, encode) -> None:
    picture = frame(*shape)
    got = encode(picture).astype(np.int64)
    want = reference(picture, top)
    visible = want[..., 3] > 0
    assert np.array_equal(got[..., 3], want[..., 3])
    difference = np.abs(got - want)[visible]
    assert difference.max(initial=0) <= 1
    if len(difference) > 1000:
        assert (difference.max(axis=-1) == 0).mean() >= 0.99


def test_encoding_matches_the_formula_where_opencv_has_no_16_bit_tables(monkeypatch) -> None:
    picture = frame(270, 480)
    expected = color.to_srgb8(picture)
    monkeypatch.setattr(color, "_has_deep_lut", lambda: False)
    assert np.array_equal(color.to_srgb8(picture), expected)


def test_values_beyond_the_range_are_clipped() -> None:
    picture = np.array([[[2.0, -0.5, 0.25, 1.0], [0.9, 0.2, 0.0, 0.5], [0.5, 0.5, 0.5, -0.01]]], np.float32)
    got = color.to_srgb8(picture)
    assert got[0, 0].tolist() == [255, 0, round(255 * encode_exactly(0.25)), 255]
    assert got[0, 1].tolist() == [255, round(255 * encode_exactly(0.4)), 0, 128]
    assert got[0, 2, 3] in (0, 3)


def test_premultiplying_is_undone() -> None:
    picture = frame(20, 30)
    back = color.premultiply(color.unpremultiply(picture))
    assert np.allclose(back, picture, atol=1e-6)
    assert not color.unpremultiply(np.zeros((2, 2, 4), np.float32)).any()


def test_grey_and_missing_alpha_become_opaque_rgba() -> None:
    grey = np.array([[0, 128, 255]], np.uint8)
    picture = color.from_srgb8(grey)
    assert picture.dtype == np.float32
    assert np.array_equal(picture[..., 3], np.ones((1, 3)))
    assert picture[0, 1] == pytest.approx([decode_exactly(128 / 255)] * 3 + [1.0], abs=1e-7)


def test_compositing_is_in_linear_light() -> None:
    half = np.array([[[0.0, 0.0, 0.0, 0.5]]], np.float32)  # half covered by black
    over_white = color.over_srgb8(half, color.WHITE)
    assert over_white[0, 0].tolist() == [round(255 * encode_exactly(0.5))] * 3  # 188, not 128
    picture = frame(100, 130)
    background = color.parse_colour("#204060")
    p = picture.astype(np.float64)
    levels = np.array([decode_exactly(c) for c in background])
    linear = p[..., :3] + (1 - p[..., 3:]) * levels
    want = np.rint(255 * np.vectorize(encode_exactly)(np.clip(linear, 0, 1)))
    got = color.over_srgb8(picture, background)
    assert np.abs(got - want).max() <= 1
    assert (got == want).mean() >= 0.99
    assert np.allclose(color.over(picture, background), linear, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("white", (255, 255, 255)),
        (" Black ", (0, 0, 0)),
        ("#f80", (255, 136, 0)),
        ("#Ff8001", (255, 128, 1)),
        ("1, 2,3", (1, 2, 3)),
        ("green", (0, 128, 0)),
    ],
)
def test_colours_are_read(text: str, levels: tuple[int, int, int]) -> None:
    assert [c * 255 for c in color.parse_colour(text)] == pytest.approx(levels)


@given(
    st.text(max_size=12)
    | st.sampled_from(["#12", "#-1+2 3", "#ggg", "1,2", "1,2,3,4", "256,0,0", "nan,0,0", "", "#"])
)
def test_other_colours_are_refused_in_one_sentence(text: str) -> None:
    try:
        levels = color.parse_colour(text)
    except KeywarpError as error:
        assert "\n" not in str(error).replace(text, "")
    else:
        assert all(0 <= level <= 1 for level in levels)


def composite_filtered(straight: np.ndarray, factor: Fraction, background: float) -> np.ndarray:
    """What a program does that filters straight alpha: bilinear enlargement, then compositing."""
    values = straight.astype(np.float64) / 255
    size = (int(values.shape[1] * factor), int(values.shape[0] * factor))
    values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return values[..., :3] * values[..., 3:] + background * (1 - values[..., 3:])


def correct_filtered(straight: np.ndarray, factor: Fraction, background: float) -> np.ndarray:
    """The same, filtered premultiplied, as is right."""
    values = straight.astype(np.float64) / 255
    values[..., :3] *= values[..., 3:]
    size = (int(values.shape[1] * factor), int(values.shape[0] * factor))
    values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return values[..., :3] + background * (1 - values[..., 3:])


@pytest.mark.shared
@pytest.mark.parametrize("name", ["renpy_eileen_happy_1080.png", "raven_aria1.png"])
@pytest.mark.parametrize("background", [0.0, 1.0])
def test_no_fringes_when_straight_alpha_is_filtered(shared, name: str, background: float) -> None:
    straight = color.to_srgb8(read_picture(shared / "images" / name).pixels)
    bare = straight.copy()
    bare[bare[..., 3] == 0] = 0
    factor = Fraction(3, 2)
    want = correct_filtered(straight, factor, background)
    edge = cv2.resize((straight[..., 3] == 0).astype(np.float64), want.shape[1::-1])
    edge = (edge > 0) & (edge < 1)
    with_colour = np.abs(composite_filtered(straight, factor, background) - want)[edge]
    without = np.abs(composite_filtered(bare, factor, background) - want)[edge]
    assert with_colour.mean() * 255 <= 2.0
    assert with_colour.mean() <= 0.25 * without.mean()


def test_hidden_colour_reaches_only_so_far() -> None:
    picture = np.zeros((120, 120, 4), np.float32)
    picture[50:70, 50:70] = (0.5, 0.1, 0.0, 1.0)
    got = color.to_srgb8(picture)
    assert got[45, 60].tolist() == [*got[60, 60, :3], 0]
    far = np.ones((120, 120), bool)
    far[50 - bleed.REACH : 70 + bleed.REACH, 50 - bleed.REACH : 70 + bleed.REACH] = False
    assert not got[far].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 70), st.integers(1, 70))
def test_a_part_with_margins_equals_the_crop_of_the_whole(x: int, y: int, w: int, h: int) -> None:
    picture = frame(131, 133, seed=3)
    whole = color.to_srgb8(picture)[y : y + h, x : x + w]
    left, top = max(x - bleed.REACH, 0), max(y - bleed.REACH, 0)
    part = np.ascontiguousarray(picture[top : y + h + bleed.REACH, left : x + w + bleed.REACH])
    got = color.to_srgb8(part, origin=(left, top))[y - top : y - top + h, x - left : x - left + w]
    assert np.array_equal(got, whole)


def test_a_part_without_margins_differs_only_under_transparent_pixels() -> None:
    picture = frame(131, 133, seed=3)
    whole = color.to_srgb8(picture)[20:90, 11:77]
    part = color.to_srgb8(np.ascontiguousarray(picture[20:90, 11:77]), origin=(11, 20))
    visible = whole[..., 3] > 0
    assert np.array_equal(part[..., 3], whole[..., 3])
    assert np.array_equal(part[visible], whole[visible])
