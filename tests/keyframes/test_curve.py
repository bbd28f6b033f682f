# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves: what holds for all of them, without Blender at hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keywarp.keyframes.curve import Curve, Cycles, Key
from keywarp.keyframes.easing import EASINGS, FAMILIES
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS

gaps = st.floats(0.5, 40)
values = st.floats(-5, 5)


def rising_frames(least: int, most: int) -> st.SearchStrategy[list[float]]:
    return st.lists(gaps, min_size=least, max_size=most).map(lambda steps: np.cumsum(steps).tolist())


@st.composite
def keys(draw: st.DrawFn, least: int = 1, most: int = 8, **fixed: Any) -> list[Key]:
    """Keys of all kinds on rising frames; ``fixed``: what all of them share."""

    def key(frame: float) -> Key:
        value = draw(values)
        kind = {
            "interpolation": draw(st.sampled_from(INTERPOLATIONS)),
            "easing": draw(st.sampled_from(EASINGS)),
            "handle_left_type": draw(st.sampled_from(HANDLE_TYPES)),
            "handle_right_type": draw(st.sampled_from(HANDLE_TYPES)),
            "handle_left": (frame - draw(gaps), draw(values)),
            "handle_right": (frame + draw(gaps), draw(values)),
        }
        return Key(frame, value, **{**kind, **fixed})

    return [key(frame) for frame in draw(rising_frames(least, most))]


curves = st.builds(
    Curve, keys(), st.sampled_from(["CONSTANT", "LINEAR"]), st.sampled_from(["NONE", "CONT_ACCEL"])
)


@given(curves)
def test_a_curve_goes_through_its_keys(curve: Curve) -> None:
    assert np.array_equal(curve.sample(curve.columns.frame), curve.columns.value)


@given(curves, st.lists(st.floats(-50, 400), min_size=1, max_size=20))
def test_samples_do_not_depend_on_their_company(curve: Curve, frames: list[float]) -> None:
    together = curve.sample(frames)
    alone = np.concatenate([curve.sample([frame]) for frame in frames])
    assert np.all(np.isfinite(together))
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)


@given(curves)
def test_a_curve_is_made_of_its_keys_again(curve: Curve) -> None:
    again = Curve(curve.keys, curve.extrapolation, curve.auto_smoothing)
    assert again == curve
    assert np.array_equal(np.hstack(again.handles), np.hstack(curve.handles))


@given(rising_frames(1, 12), st.data())
def test_linear_points_are_numpys_interpolation(frames: list[float], data: st.DataObject) -> None:
    points = data.draw(st.lists(values, min_size=len(frames), max_size=len(frames)))
    asked = np.linspace(frames[0] - 5, frames[-1] + 5, 97)
    # Within 1e-4 of a frame a key holds, so steep spans may differ by what they move in it.
    near = 1e-4 * 10 / 0.5
    np.testing.assert_allclose(
        Curve.from_points(frames, points).sample(asked), np.interp(asked, frames, points), atol=near
    )


@given(keys(2, 2, interpolation="BEZIER", handle_left_type="FREE", handle_right_type="FREE"))
def test_a_free_bezier_span_is_the_parametric_curve(ends: list[Key]) -> None:
    first, last = ends
    span = last.frame - first.frame
    assume(first.handle_right is not None and last.handle_left is not None)
    right, left = first.handle_right, last.handle_left
    assume(right[0] <= last.frame and left[0] >= first.frame)
    t = np.linspace(0, 1, 41)[:, None]
    corners = np.array([(first.frame, first.value), right, left, (last.frame, last.value)])
    x, y = (
        (1 - t) ** 3 * corners[0]
        + 3 * (1 - t) ** 2 * t * corners[1]
        + 3 * (1 - t) * t**2 * corners[2]
        + t**3 * corners[3]
    ).T
    inner = (x > first.frame + 2e-4) & (x < last.frame - 2e-4)
    # Where the curve turns vertical, a rounding of the frame may move the value by its cube root.
    slack = 60 * (np.spacing(last.frame) / span) ** (1 / 3)
    np.testing.assert_allclose(Curve(ends).sample(x)[inner], y[inner], atol=slack)


clamped = keys(
    2, 8, interpolation="BEZIER", handle_left_type="AUTO_CLAMPED", handle_right_type="AUTO_CLAMPED"
)


@given(clamped)
def test_clamped_smooth_curves_stay_between_their_keys(row: list[Key]) -> None:
    curve = Curve(row, auto_smoothing="CONT_ACCEL")
    for a, b in zip(row[:-1], row[1:]):
        between = curve.sample(np.linspace(a.frame, b.frame, 33))
        assert between.min() >= min(a.value, b.value) - 1e-9
        assert between.max() <= max(a.value, b.value) + 1e-9


def second_derivative(curve: Curve, frame: float, step: float) -> float:
    """One-sided, from the span that ``step`` points into; exact for a cubic's linear second derivative."""
    near, far = (
        float(np.diff(curve.sample(frame + step * np.array([k - 1, k, k + 1])), 2)[0]) / step**2
        for k in (2, 3)
    )
    return 3 * near - 2 * far


automatic = keys(3, 8, interpolation="BEZIER", handle_left_type="AUTO", handle_right_type="AUTO")


@given(automatic)
def test_smoothed_automatic_keys_are_a_natural_spline(row: list[Key]) -> None:
    curve = Curve(row, "LINEAR", "CONT_ACCEL")
    frames = [key.frame for key in row]
    step = min(np.diff(frames)) / 16
    before = np.array([second_derivative(curve, frame, -step) for frame in frames[1:]])
    after = np.array([second_derivative(curve, frame, step) for frame in frames[:-1]])
    slack = 1e-9 / step**2 + 1e-6
    np.testing.assert_allclose(before[:-1], after[1:], atol=slack)
    np.testing.assert_allclose([after[0], before[-1]], 0, atol=slack)


@given(automatic)
def test_an_endless_smoothed_curve_has_no_seam(row: list[Key]) -> None:
    curve = Curve(row, "CONSTANT", "CONT_ACCEL", Cycles("REPEAT_OFFSET", "REPEAT_OFFSET"))
    first, last = curve.range
    step = min(np.diff([key.frame for key in row])) / 16
    slack = 1e-9 / step**2 + 1e-6
    assert second_derivative(curve, last, -step) == pytest.approx(
        second_derivative(curve, first, step), abs=slack
    )


@given(keys(2, 6), st.floats(0.01, 0.99), st.integers(1, 5))
def test_repeating(row: list[Key], share: float, times: int) -> None:
    first, last = row[0], row[-1]
    length = last.frame - first.frame
    inside = first.frame + share * length
    # Within its range, too, an endless curve may differ from one that ends: automatic handles see the next round.
    endless, stair = Curve(row, cycles=Cycles()), Curve(row, cycles=Cycles("REPEAT_OFFSET", "REPEAT_OFFSET"))
    value = endless.sample([inside])[0]
    for sign in (-1, 1):
        far = [inside + sign * times * length]
        assert near_to(endless, far, value)
        assert near_to(stair, far, value + sign * times * (last.value - first.value))


def near_to(curve: Curve, frames: list[float], value: float) -> bool:
    """Whether the value is met within the rounding of the frame."""
    around = np.array(frames)[:, None] + np.array([-1e-9, 0.0, 1e-9])
    got = curve.sample(around.ravel())
    return bool(got.min() - 1e-6 <= value <= got.max() + 1e-6) or bool(np.min(np.abs(got - value)) < 1e-3)


def test_mirrored_cycles_turn_at_the_ends() -> None:
    curve = Curve.from_points([0, 10], [0, 1], cycles=Cycles("MIRROR", "MIRROR"))
    np.testing.assert_allclose(curve.sample([-12, -10, -3, 12, 20, 23]), [0.8, 1, 0.3, 0.8, 0, 0.3])


def test_counted_cycles_end_in_the_extrapolation() -> None:
    curve = Curve.from_points([0, 10], [0, 1], cycles=Cycles("NONE", "REPEAT", cycles_after=2))
    np.testing.assert_allclose(curve.sample([-5, 15, 25, 29, 31, 100]), [0, 0.5, 0.5, 0.9, 1, 1])


def test_cycles_act_in_their_range_of_frames() -> None:
    curve = Curve.from_points([0, 10], [0, 1], cycles=Cycles(frame_start=-5, frame_end=22))
    np.testing.assert_allclose(curve.sample([-8, -4, 15, 23]), [0, 0.6, 0.5, 1])


def test_a_rounding_error_does_not_choose_the_side_of_a_seam() -> None:
    curve = Curve.from_points([0, 10], [0, 1], cycles=Cycles())
    np.testing.assert_array_equal(curve.sample([20 - 1e-9, 20, 20 + 1e-9]), [1, 1, 1])


def halfway(family: str, easing: str, **parameters: float) -> Callable[[float], float]:
    """The value at a share of the way from 0 at frame 0 to 1 at frame 100."""
    curve = Curve([Key(0, 0, family, easing, **parameters), Key(100, 1)])
    return lambda share: float(curve.sample([100 * share])[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_easing_out_is_easing_in_turned_round(family: str) -> None:
    ease_in, ease_out, both = (halfway(family, easing) for easing in ("EASE_IN", "EASE_OUT", "EASE_IN_OUT"))
    for share in (0.1, 0.25, 0.37, 0.5, 0.81):
        assert ease_out(share) == pytest.approx(1 - ease_in(1 - share), abs=1e-12)
        assert both(share) == pytest.approx(1 - both(1 - share), abs=1e-12)


@pytest.mark.parametrize(
    ("family", "value"),
    [
        ("QUAD", 0.25),
        ("CUBIC", 0.125),
        ("QUART", 0.0625),
        ("QUINT", 0.03125),
        ("SINE", 1 - np.sqrt(0.5)),
        ("CIRC", 1 - np.sqrt(0.75)),
        ("EXPO", (2**-5 - 2**-10) / (1 - 2**-10)),
    ],
)
def test_easing_in_halfway(family: str, value: float) -> None:
    assert halfway(family, "EASE_IN")(0.5) == pytest.approx(value)
    assert halfway(family, "AUTO")(0.5) == pytest.approx(value)


def test_back_overshoots_by_a_tenth() -> None:
    curve = Curve([Key(0, 0, "BACK"), Key(100, 1)])
    assert curve.sample(np.arange(0, 100, 0.25)).max() == pytest.approx(1.1, abs=1e-4)


def test_bounce_meets_the_later_key_three_times_on_the_way() -> None:
    ease_out = halfway("BOUNCE", "AUTO")
    assert [ease_out(n / 2.75) for n in (1, 2, 2.5)] == pytest.approx([1, 1, 1])
    assert [ease_out(n / 2.75) for n in (1.5, 2.25, 2.625)] == pytest.approx([0.75, 0.9375, 0.984375])


def test_elastic_rings_after_it_has_arrived() -> None:
    shape = Curve([Key(0, 0, "ELASTIC", amplitude=1.0, period=30.0), Key(100, 1)]).sample(np.arange(1, 100))
    assert shape[:15].max() > 1.2
    assert abs(shape[-10:] - 1).max() < 0.01
    crossings = np.count_nonzero(np.diff(np.sign(shape - 1)))
    assert crossings == pytest.approx(100 / 15, abs=1)


def test_extrapolation() -> None:
    row = [Key(0, 0, "LINEAR"), Key(10, 1, "LINEAR")]
    np.testing.assert_allclose(Curve(row, "CONSTANT").sample([-5, 20]), [0, 1])
    np.testing.assert_allclose(Curve(row, "LINEAR").sample([-5, 20]), [-0.5, 2])
    held = [Key(0, 0, "CONSTANT"), Key(10, 1, "CONSTANT")]
    np.testing.assert_allclose(Curve(held, "LINEAR").sample([-5, 9.9, 20]), [0, 0, 1])


def test_keys_may_come_in_any_order_and_the_last_on_a_frame_holds() -> None:
    curve = Curve([Key(10, 5), Key(0, 1), Key(10, 2, extra={"note": "kept"})])
    assert [(key.frame, key.value, key.extra) for key in curve.keys] == [
        (0, 1, {}),
        (10, 2, {"note": "kept"}),
    ]
    points = Curve.from_points([3, 1, 2, 2], [30, 10, 20, 25])
    assert [(key.frame, key.value) for key in points.keys] == [(1, 10), (2, 25), (3, 30)]


def test_a_free_handle_that_is_not_given_is_automatic() -> None:
    free = Curve([Key(0, 0), Key(10, 3, handle_left_type="FREE", handle_right_type="ALIGNED"), Key(20, 4)])
    plain = Curve([Key(0, 0), Key(10, 3), Key(20, 4)])
    assert np.array_equal(np.hstack(free.handles), np.hstack(plain.handles))


def test_a_time_from_another_frame_rate_meets_its_key() -> None:
    curve = Curve([Key(0, 0, "CONSTANT"), Key(3, 1, "CONSTANT"), Key(6, 0)])
    assert curve.sample([3 - 1e-12])[0] == 1


def test_a_million_points_are_quick() -> None:
    began = time.process_time()
    frames = np.arange(1_000_000) * 0.5
    curve = Curve.from_points(frames, np.sin(frames))
    sampled = curve.sample(frames[:-1] + 0.25)
    assert time.process_time() - began < 5
    np.testing.assert_allclose(sampled, (np.sin(frames[:-1]) + np.sin(frames[1:])) / 2)


def test_a_hundred_thousand_smoothed_keys_are_usable() -> None:
    began = time.process_time()
    frames = np.arange(100_000)
    curve = Curve.from_points(frames, np.sin(frames), "BEZIER", auto_smoothing="CONT_ACCEL")
    curve.sample(frames + 0.5)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve([]), "from 1 to"),
        (lambda: Curve([Key(0, float("nan"))]), "key 1 .*value"),
        (lambda: Curve([Key(0, 0), Key(float("inf"), 0)]), "key 2 .*frame"),
        (lambda: Curve([Key(10**400, 0)]), "frame"),
        (lambda: Curve([Key("1", 0)]), "frame"),  # type: ignore[arg-type]
        (lambda: Curve([Key(0, True)]), "value"),
        (lambda: Curve([Key(0, 0, "CUBED")]), "CUBED.*CONSTANT, LINEAR, BEZIER"),
        (lambda: Curve([Key(0, 0, easing="IN")]), "EASE_IN"),
        (lambda: Curve([Key(0, 0, handle_left_type="ALIGN")]), "ALIGNED"),
        (lambda: Curve([Key(0, 0, handle_left=(1, 2, 3))]), "left handle"),  # type: ignore[arg-type]
        (lambda: Curve([Key(0, 0, handle_right=(1, float("nan")))]), "right handle"),
        (lambda: Curve([Key(0, 0, period=float("inf"))]), "period"),
        (lambda: Curve([Key(0, 0)], "FLAT"), "extrapolation"),
        (lambda: Curve([Key(0, 0)], auto_smoothing="YES"), "auto smoothing"),
        (lambda: Cycles("AGAIN"), "cycle mode"),
        (lambda: Cycles(cycles_after=-1), "number of cycles"),
        (lambda: Cycles(frame_end=float("nan")), "finite"),
        (lambda: Curve.from_points([0, 1], [0]), "as many values"),
        (lambda: Curve.from_points([0, 1], [0, float("nan")]), "point 2"),
        (lambda: Curve.from_points([[0, 1]], [[0, 1]]), "row of numbers"),
        (lambda: Curve.from_points(["0"], ["1"]), "row of numbers"),
        (lambda: Curve.from_points(np.broadcast_to(0.0, 10**9), np.broadcast_to(0.0, 10**9)), "from 1 to"),
        (lambda: Curve([Key(0, 0)]).sample([float("nan")]), "finite"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(make: Callable[[], object], message: str) -> None:
    with pytest.raises(KeywarpError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
