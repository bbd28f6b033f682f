# SPDX-License-Identifier: GPL-3.0-or-later
"""A background behind formats with alpha: the ``over`` operator in linear light, then opaque."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from keywarp.core.picture import Picture
from keywarp.core.render.sinks import Output, Sink
from keywarp.core.render.sinks.backed import BackedSink


class Kept(Sink):
    def write(self, number: int, frame: Picture) -> None:
        self.frame = frame


def linear(level: int) -> float:
    """IEC 61966-2-1, above its straight part."""
    return float(((level / 255 + 0.055) / 1.055) ** 2.4)


def test_over_a_colour() -> None:
    half = [0.1, 0.2, 0.3, 0.5]
    overshot = [1.1, -0.1, 0.5, 1.2]
    frame = np.array([[[0, 0, 0, 0], half, [0.2, 0.4, 0.6, 1.0], overshot]], np.float32)
    given = frame.copy()
    kept = Kept(Output(4, 1, Fraction(24)))
    BackedSink(kept, (160 / 255, 176 / 255, 192 / 255)).write(0, frame)
    behind = np.array([linear(160), linear(176), linear(192)])
    expected = [behind, half[:3] + 0.5 * behind, [0.2, 0.4, 0.6], [1.0, 0.0, 0.5]]
    np.testing.assert_allclose(kept.frame[0, :, :3], expected, atol=1e-6)
    assert (kept.frame[..., 3] == 1).all()
    np.testing.assert_array_equal(frame, given)
