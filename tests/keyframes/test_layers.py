# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips layered over one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.layers import Layer, Layered
from keywarp.keyframes.spaces import space

THA45 = space("tha45")


def steady(fps: float = 24.0, start: float = 0, end: float = 48, **values: float) -> Clip:
    """A clip that holds its channels at one value."""
    return Clip("tha45", {name: Curve([Key(0, value)]) for name, value in values.items()}, fps, start, end)


def ramp(channel: str, fps: float = 24.0, end: float = 48) -> Clip:
    """A channel that is as many hundredths as the clip's frame."""
    return Clip("tha45", {channel: Curve.from_points([0, end], [0, end / 100])}, fps, 0, end)


def column(whole: Layered, name: str, frames: Any) -> np.ndarray:
    return whole.sample(frames)[:, THA45.index(name)]


def test_one_layer_is_its_clip() -> None:
    clip = steady(head_y=0.5, mouth_aaa=0.25)
    whole = Layered([Layer(clip)])
    assert (whole.space, whole.fps, whole.start, whole.end) == ("tha45", 24, 0, 48)
    assert whole.animated == {"head_y", "mouth_aaa"}
    np.testing.assert_array_equal(whole.sample([0, 7.5, 48]), clip.sample([0, 7.5, 48]))


def test_replacing_goes_towards_the_upper_clip_by_its_weight() -> None:
    whole = Layered([Layer(steady(head_y=1.0, head_x=0.5)), Layer(steady(head_y=0.0), weight=0.25)])
    assert column(whole, "head_y", [10])[0] == pytest.approx(0.75)
    assert column(whole, "head_x", [10])[0] == 0.5


def test_adding_adds_what_differs_from_rest() -> None:
    name = next(c.name for c in THA45.channels if c.default == 0)
    layers = [Layer(steady(**{name: 0.2})), Layer(steady(**{name: 0.4}), weight=0.5, mode="ADD")]
    assert column(Layered(layers), name, [3])[0] == pytest.approx(0.4)


def test_adding_the_rest_pose_changes_nothing() -> None:
    animeceleb = space("animeceleb20")
    rest = Clip("animeceleb20", {c.name: Curve([Key(0, c.default)]) for c in animeceleb.channels}, 24, 0, 48)
    below = Clip("animeceleb20", {c.name: Curve([Key(0, c.maximum)]) for c in animeceleb.channels}, 24, 0, 48)
    whole = Layered([Layer(below), Layer(rest, mode="ADD")])
    np.testing.assert_allclose(whole.sample([1]), below.sample([1]))


def test_only_its_channels_and_only_in_its_range() -> None:
    upper = steady(head_y=1.0, head_x=1.0)
    whole = Layered(
        [Layer(steady(head_y=0.1, head_x=0.1)), Layer(upper, start=10, end=20, channels=["head_y"])]
    )
    np.testing.assert_allclose(column(whole, "head_y", [9.9, 10, 20, 20.1]), [0.1, 1, 1, 0.1])
    np.testing.assert_allclose(column(whole, "head_x", [15]), [0.1])


def test_a_weight_may_be_a_curve() -> None:
    fade = Curve.from_points([0, 10], [0, 1])
    whole = Layered([Layer(steady(head_y=0.0)), Layer(steady(head_y=1.0), weight=fade)])
    np.testing.assert_allclose(column(whole, "head_y", [0, 2.5, 10, 40]), [0, 0.25, 1, 1])


def test_clips_of_other_frame_rates_keep_their_speed() -> None:
    whole = Layered([Layer(steady(fps=24, mouth_aaa=0)), Layer(ramp("head_y", fps=60, end=120), offset=12)])
    assert (whole.start, whole.end) == (0, 60)
    np.testing.assert_allclose(column(whole, "head_y", [12, 24, 36, 60]), [0, 0.3, 0.6, 1.2])
    assert column(whole, "head_y", [11])[0] == 0


def test_layers_may_be_layered() -> None:
    inner = Layered([Layer(steady(head_y=0.5)), Layer(steady(head_y=0.25), mode="ADD")])
    whole = Layered([Layer(steady(head_x=1.0)), Layer(inner, weight=0.5)], fps=30, start=5, end=6)
    assert (whole.fps, whole.start, whole.end) == (30, 5, 6)
    np.testing.assert_allclose(column(whole, "head_y", [5]), [0.375])
    np.testing.assert_allclose(column(whole, "head_x", [5]), [1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layered([]), "at least one layer"),
        (
            lambda: Layered([Layer(steady()), Layer(Clip("vrm", {}, 24, 0, 1))]),
            "one pose space.*tha45 and vrm",
        ),
        (lambda: Layer(steady(), mode="MULTIPLY"), "mode of a layer"),
        (lambda: Layer(steady(), weight=float("nan")), "finite"),
        (lambda: Layer(steady(), channels=["nose"]), "nose"),
        (lambda: Layer(steady(), channels="head_y"), "list of names"),
        (lambda: Layered([Layer(steady())], fps=0), "0.001 at least"),
        (lambda: Layered([Layer(steady())], start=50), "before it starts"),
    ],
)
def test_bad_layers_are_refused(make: Any, message: str) -> None:
    with pytest.raises(KeywarpError, match=message):
        make()
