# SPDX-License-Identifier: GPL-3.0-or-later
"""The 1 Euro filter against its algorithm written out for one channel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keywarp.keyframes.live.one_euro import OneEuro


class LowPass:
    """Algorithm 2 of the paper."""

    def __init__(self) -> None:
        self.first, self.previous = True, 0.0

    def filter(self, x: float, alpha: float) -> float:
        if self.first:
            self.first, self.previous = False, x
        self.previous = alpha * x + (1 - alpha) * self.previous
        return self.previous


def algorithm_1(
    samples: list[float], times: list[float], mincutoff: float, beta: float, dcutoff: float
) -> list[float]:
    def alpha(rate: float, cutoff: float) -> float:
        tau, te = 1.0 / (2 * math.pi * cutoff), 1.0 / rate
        return 1.0 / (1.0 + tau / te)

    xfilt, dxfilt, out, rate = LowPass(), LowPass(), [], 1.0
    for i, x in enumerate(samples):
        if i:
            rate = 1.0 / (times[i] - times[i - 1])
        dx = 0.0 if i == 0 else (x - xfilt.previous) * rate
        edx = dxfilt.filter(dx, alpha(rate, dcutoff))
        out.append(xfilt.filter(x, alpha(rate, mincutoff + beta * abs(edx))))
    return out


def test_many_channels_are_each_filtered_as_the_paper_says() -> None:
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.uniform(0.004, 0.05, 400))
    noisy = np.cumsum(rng.normal(0, 0.05, (400, 9)), axis=0) + rng.normal(0, 0.02, (400, 9))
    cutoffs, betas = rng.uniform(0.05, 10, 9), rng.uniform(0, 3, 9)
    smooth = OneEuro(cutoffs, betas, 1.5)
    out = np.array([smooth(row, t) for row, t in zip(noisy, times)])
    for i in range(9):
        expected = algorithm_1(noisy[:, i].tolist(), times.tolist(), cutoffs[i], betas[i], 1.5)
        np.testing.assert_allclose(out[:, i], expected, atol=1e-12)


def test_a_rest_is_calm_and_a_jump_is_followed() -> None:
    rng = np.random.default_rng(8)
    smooth = OneEuro(1.0, 2.0)
    still = np.array([smooth(rng.normal(0, 0.01, 5), i / 60) for i in range(600)])
    assert still[300:].std() < 0.005
    after = [smooth(np.ones(5), 10 + i / 60)[0] for i in range(30)]
    assert after[-1] == pytest.approx(1.0, abs=0.05)


def test_the_same_moment_asked_again_is_the_same() -> None:
    smooth = OneEuro()
    smooth([0.0], 0.0)
    first = smooth([1.0], 0.1)
    assert smooth([5.0], 0.1) == first == smooth([9.0], 0.05)
    first[0] = 77.0
    assert smooth([5.0], 0.1)[0] != 77.0
    smooth.reset()
    assert smooth([5.0], 0.0) == [5.0]
