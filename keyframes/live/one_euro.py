# SPDX-License-Identifier: GPL-3.0-or-later
"""The 1 Euro filter: Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems", CHI 2012, algorithms 1 and 2; many channels at once.
"""

from __future__ import annotations

import math
from typing import Optional

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class OneEuro:
    """``min_cutoff`` in hertz, ``beta`` in hertz per unit a second, ``d_cutoff`` in hertz; one or one a channel."""

    def __init__(
        self, min_cutoff: npt.ArrayLike = 1.0, beta: npt.ArrayLike = 0.0, d_cutoff: npt.ArrayLike = 1.0
    ) -> None:
        self._min_cutoff = np.asarray(min_cutoff, np.float64)
        self._beta = np.asarray(beta, np.float64)
        self._d_cutoff = np.asarray(d_cutoff, np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget what came before."""
        self._time = -math.inf
        self._value: Optional[Floats] = None
        self._speed: Floats = np.zeros(0)

    def __call__(self, values: npt.ArrayLike, time: float) -> Floats:
        """The filtered ``values``, (C,), of the moment ``time`` in seconds.

        A time that is not later than the one before gives what was given there.
        """
        noisy = np.asarray(values, np.float64)
        if self._value is None or self._value.shape != noisy.shape:
            self._time, self._value, self._speed = time, noisy.copy(), np.zeros_like(noisy)
        elif time > self._time:
            step = time - self._time
            speed = (noisy - self._value) / step
            self._speed = self._speed + _alpha(self._d_cutoff, step) * (speed - self._speed)
            cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
            self._value = self._value + _alpha(cutoff, step) * (noisy - self._value)
            self._time = time
        return self._value.copy()


def _alpha(cutoff: Floats, step: float) -> Floats:
    """The smoothing factor for a cutoff frequency and a sampling period (equation 6)."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step)))
