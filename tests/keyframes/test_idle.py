# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion: the same whenever and however it is asked for, and as people blink, breathe and sway."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import CHANNELS, LIMITS, SPACE, SWAY, Idle, blink_starts

RECORDED_POSES = [
    [0.947151, 0.0, 0.0],
    [0.595276, -0.010189, 0.003942],
    [0.592816, 0.034479, 0.104611],
    [0.938132, 0.020822, -0.003652],
    [0.988345, -0.078982, 0.034089],
]
RECORDED_BLINKS = [3.098217, 5.451088, 6.718811, 8.240735]

HOUR = np.arange(0.0, 3600.0, 1 / 60)


def rest(count: int) -> np.ndarray:
    return np.repeat(SPACE.rest()[None], count, axis=0)


def starts(seed: int, rate: float, minutes: int = 400) -> np.ndarray:
    return np.concatenate([blink_starts(seed, rate, minute) for minute in range(minutes)])


@pytest.fixture(scope="module")
def hour() -> np.ndarray:
    return Idle(seed=5).over(rest(len(HOUR)), HOUR)


def test_any_moment_is_the_same_in_any_order_and_company(hour: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(HOUR))[:500]
    assert np.array_equal(Idle(seed=5).over(rest(500), HOUR[chosen]), hour[chosen])
    for i in chosen[:20]:
        blink_starts.cache_clear()
        assert np.array_equal(Idle(seed=5).over(rest(1), [HOUR[i]])[0], hour[i])


def test_it_is_the_same_on_every_machine() -> None:
    """Figures written down once: a render farm and next year's version must show the same frames."""
    moments = [0.0, 1.25, 61.3, -7.5, 86400.125]
    poses = Idle(seed=11).over(rest(5), moments)
    got = np.round(poses[:, [SPACE.index(name) for name in ("breathing", "head_y", "body_z")]], 6)
    assert got.tolist() == RECORDED_POSES
    assert np.round(blink_starts(11, 17.0, 0)[:4], 6).tolist() == RECORDED_BLINKS


def test_seeds_differ() -> None:
    one, other = (Idle(seed=seed).over(rest(600), HOUR[:600]) for seed in (1, 2))
    for name in ("breathing", *SWAY):
        assert np.abs(one - other)[:, SPACE.index(name)].max() > 0.05
    assert not np.array_equal(one[:, SPACE.index("eye_wink_left")], other[:, SPACE.index("eye_wink_left")])


@pytest.mark.parametrize("rate", [4.5, 17.0, 26.0])
def test_blinks_come_as_often_as_asked(rate: float) -> None:
    assert len(starts(3, rate)) / 400 == pytest.approx(rate, rel=0.06)


def test_intervals_are_those_of_people() -> None:
    """Log-normal with a deviation of 0.6 of the mean: skewed to short ones, some long; the rest in pairs."""
    gaps = np.diff(starts(3, 17.0, 2000))
    double = gaps < 0.4
    assert double.mean() == pytest.approx(0.1 / 1.1, abs=0.01)
    single = gaps[~double]
    assert single.std() / single.mean() == pytest.approx(0.6, abs=0.05)
    assert np.median(single) < single.mean()
    logs = np.log(single)
    assert abs(((logs - logs.mean()) ** 3).mean() / logs.std() ** 3) < 0.35
    assert gaps.min() > 0.35


def test_a_blink_shuts_fast_opens_slowly_and_is_over_before_the_next() -> None:
    idle = Idle(seed=3)
    start = blink_starts(3, 17.0, 2)[1]
    at = np.arange(-0.05, 0.36, 0.001)
    lids = idle.blinks(start + at)
    half = np.flatnonzero(np.diff(lids > 0.5))
    closing, opening = at[half[0]], at[half[-1]]
    assert lids.max() == pytest.approx(1.0, abs=1e-3)
    assert 0.02 < closing < 0.1
    assert opening - (0.1 + 0.03) > 1.5 * (0.1 - closing)
    assert lids[at <= 0].max() == 0 and lids[-1] < 1e-3


def test_every_channel_stays_in_its_range_and_rests_elsewhere(hour: np.ndarray) -> None:
    assert np.all(hour >= SPACE.minimum) and np.all(hour <= SPACE.maximum)
    still = [SPACE.index(name) for name in SPACE.names if name not in CHANNELS]
    assert np.array_equal(hour[:, still], rest(len(HOUR))[:, still])


def test_motion_is_smooth(hour: np.ndarray) -> None:
    """Between frames of 60 a second sway and breath move little, and never jump."""
    for name in ("breathing", *SWAY):
        column = hour[:, SPACE.index(name)]
        assert np.abs(np.diff(column)).max() < 0.03
        assert np.abs(np.diff(column, 2)).max() < 2e-3
        assert column.std() > 0.04


def test_breath_has_its_rate() -> None:
    breath = Idle(seed=9, breaths_per_minute=12).breaths(HOUR)
    rises = np.count_nonzero((breath[1:] > 0.5) & (breath[:-1] <= 0.5))
    assert rises == pytest.approx(12 * 60, abs=3)
    assert breath.min() < 0.01 and breath.max() > 0.99
    assert np.mean(np.diff(breath) > 0) < 0.45


def test_amounts_scale_and_nothing_is_nothing() -> None:
    poses = Idle(blink=0, breath=0, sway=0).over(rest(100), HOUR[:100])
    assert np.array_equal(poses, rest(100))
    assert Idle(blink=0, breath=0, sway=0).channels == ()
    full, half = (Idle(sway=sway).swaying("head_y", HOUR[:100]) for sway in (1.0, 0.5))
    assert np.allclose(full, 2 * half)
    assert Idle(blink=0.6).blinks(HOUR).max() == pytest.approx(0.6, abs=0.01)


def test_keyed_poses_are_moved_not_replaced() -> None:
    keyed = rest(len(HOUR))
    keyed[:, SPACE.index("eye_happy_wink_left")] = 1.0
    keyed[:, SPACE.index("eye_wink_right")] = 0.5
    keyed[:, SPACE.index("head_y")] = 0.95
    keyed[:, SPACE.index("breathing")] = 0.5
    moved = Idle(seed=2, sway=3).over(keyed, HOUR)
    assert np.all(moved[:, SPACE.index("eye_wink_left")] == 0)  # shut already
    right = moved[:, SPACE.index("eye_wink_right")]
    assert right.min() == 0.5 and right.max() == pytest.approx(1.0, abs=0.01)
    assert moved[:, SPACE.index("head_y")].max() <= 1.0
    assert moved[:, SPACE.index("breathing")].min() >= 0.5


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_settings_beyond_their_limits_are_refused(name: str, limits: tuple[float, float]) -> None:
    for value in (limits[0] - 0.1, limits[1] + 0.1, float("nan")):
        with pytest.raises(KeywarpError, match=name):
            Idle(**{name: value})


@pytest.mark.parametrize("seconds", [[float("nan")], [float("inf")], [[0.0]], [1e9]])
def test_times_that_are_none_are_refused(seconds: list[float]) -> None:
    with pytest.raises(KeywarpError, match="seconds"):
        Idle().over(rest(1), seconds)


def test_poses_of_another_shape_are_refused() -> None:
    with pytest.raises(KeywarpError, match="shape"):
        Idle().over(rest(2), [0.0])
