# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as few Bezier keys, and freed of jitter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Cycles, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import fitted, fitted_curve, smoothed
from keywarp.keyframes.importers import load
from keywarp.keyframes.mappings import convert_clip

FRAMES = np.arange(0.0, 300.0)


def everywhere(curve: Curve) -> np.ndarray:
    return np.linspace(curve.range[0] - 5, curve.range[1] + 5, 20_011)


def recordings() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    blink = np.zeros(300)
    for start in (20, 90, 91, 200):
        blink[start : start + 5] = [0.3, 1.0, 1.0, 0.6, 0.2]
    return {
        "wave": np.sin(FRAMES / 17),
        "walk": np.cumsum(rng.normal(0, 0.05, 300)),
        "noise": rng.uniform(-1, 1, 300),
        "blinks": blink,
        "step": (FRAMES > 150) * 1.0,
        "still": np.full(300, 0.25),
        "ramp": FRAMES / 300,
    }


@pytest.mark.parametrize("tolerance", [0.0, 1e-3, 0.02])
@pytest.mark.parametrize("name", recordings())
def test_a_fitted_curve_is_never_off_by_more_than_asked(name: str, tolerance: float) -> None:
    curve = Curve.from_points(FRAMES, recordings()[name])
    few = fitted_curve(curve, tolerance)
    at = everywhere(curve)
    assert np.abs(few.sample(at) - curve.sample(at)).max() <= tolerance + 1e-9


def test_few_keys_carry_what_is_smooth() -> None:
    assert len(fitted_curve(Curve.from_points(FRAMES, np.sin(FRAMES / 17)), 5e-3)) < 20
    assert len(fitted_curve(Curve.from_points(FRAMES, FRAMES / 300), 1e-6)) == 2
    assert len(fitted_curve(Curve.from_points(FRAMES, np.full(300, 0.25)), 1e-6)) == 1


def test_a_smooth_curve_has_smooth_keys_and_corners_stay() -> None:
    keys = fitted_curve(Curve.from_points(FRAMES, np.sin(FRAMES / 17)), 5e-3).keys
    assert all(key.handle_left_type == "ALIGNED" for key in keys[1:-1])
    for key in keys[1:-1]:
        left, right = (
            np.subtract(handle, (key.frame, key.value)) for handle in (key.handle_left, key.handle_right)
        )
        assert left[1] / left[0] == pytest.approx(right[1] / right[0], abs=1e-9)
    corner = fitted_curve(Curve.from_points([0, 10, 20, 30, 40], [0, 1, 2, 0, 0]), 1e-3)
    assert all(key.handle_left_type == "FREE" for key in corner.keys)
    assert corner.sample([19.5, 20, 20.5]) == pytest.approx([1.95, 2.0, 1.9], abs=1e-3)


@pytest.mark.parametrize(
    "curve",
    [
        Curve([Key(0, 0), Key(10, 1), Key(20, 0)]),
        Curve([Key(0, 0, "CONSTANT"), Key(10, 1, "CONSTANT"), Key(20, 0)]),
        Curve.from_points([0, 5, 9], [0, 1, 0], cycles=Cycles()),
        Curve.from_points([0, 5, 9], [0, 1, 0], extrapolation="LINEAR"),
    ],
)
def test_what_a_person_made_stays_as_it_is(curve: Curve) -> None:
    assert fitted_curve(curve, 0.1) == curve


@pytest.mark.parametrize("tolerance", [-1.0, float("nan"), float("inf")])
def test_a_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(KeywarpError, match="tolerance"):
        fitted_curve(Curve.from_points(FRAMES, FRAMES), tolerance)


@pytest.mark.shared
def test_a_motion_keeps_its_course_with_a_fraction_of_its_keys(shared: Path) -> None:
    clip = convert_clip(load(shared / "motions" / "16_thinking.vmd").clip, "tha45")
    few = fitted(clip, 0.01)
    at = np.linspace(clip.start, clip.end, 5003)
    ranges = clip.pose_space.maximum - clip.pose_space.minimum
    assert (np.abs(few.sample(at) - clip.sample(at)) / ranges).max() <= 0.01 + 1e-9
    assert sum(map(len, few.curves.values())) < 0.6 * sum(map(len, clip.curves.values()))


def jittery(fps: float = 30.0) -> tuple[Clip, np.ndarray]:
    true = np.sin(FRAMES / 40)
    noisy = true + np.random.default_rng(1).normal(0, 0.05, 300)
    return Clip("tha45", {"head_x": Curve.from_points(FRAMES, noisy)}, fps, 0, 299), true


def test_smoothing_takes_jitter_away_and_nothing_comes_late() -> None:
    clip, true = jittery()
    before = clip.sample(FRAMES)[:, clip.pose_space.index("head_x")]
    after = smoothed(clip, 0.1).sample(FRAMES)[:, clip.pose_space.index("head_x")]
    inner = slice(20, -20)
    assert np.abs(after - true)[inner].std() < 0.4 * np.abs(before - true)[inner].std()
    lags = [np.abs(after[30 + lag : 270 + lag] - true[30:270]).mean() for lag in (-3, 0, 3)]
    assert lags[1] == min(lags)


def test_smoothing_leaves_straight_lines_and_steps() -> None:
    line = Curve.from_points(FRAMES, FRAMES / 300)
    steps = Curve([Key(0, 0, "CONSTANT"), Key(100, 1, "CONSTANT"), Key(299, 0, "CONSTANT")])
    clip = Clip("tha45", {"head_x": line, "mouth_iii": steps}, 30, 0, 299)
    after = smoothed(clip, 0.2)
    assert np.allclose(after.curves["head_x"].sample(FRAMES), line.sample(FRAMES), atol=1e-9)
    assert after.curves["mouth_iii"] == steps
    assert smoothed(clip, 0.0) is clip


def test_a_clip_shorter_than_the_smoothing_comes_through() -> None:
    clip = Clip("tha45", {"head_x": Curve.from_points([0, 1, 2], [0, 1, 0])}, 30, 0, 2)
    assert np.isfinite(smoothed(clip, 5.0).sample([0, 1, 2])).all()


@pytest.mark.parametrize("seconds", [-0.1, 11.0, float("nan")])
def test_smoothing_over_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(KeywarpError, match="seconds"):
        smoothed(jittery()[0], seconds)
