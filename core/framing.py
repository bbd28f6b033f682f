# SPDX-License-Identifier: GPL-3.0-or-later
"""``Framing``: where in the picture the model's square lies."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, radians, sin

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Framing:
    """A similarity from the picture's pixels to the model's square.

    A point p of the picture (continuous pixel coordinates: origin at the top left corner, the
    first pixel's centre at (0.5, 0.5), y down) lies at ``scale * R(rotation_deg) @ p + (x, y)`` in
    the square, which reaches from -1 to 1 on both axes; R turns x towards y.
    """

    scale: float
    """Square units per picture pixel: ``2 / side`` for a square ``side`` pixels wide."""
    rotation_deg: float
    x: float
    y: float

    @classmethod
    def of_square(cls, left: float, top: float, side: float) -> Framing:
        """The upright square with this top left corner and side, in picture pixels."""
        scale = 2.0 / side
        return cls(scale, 0.0, -1.0 - left * scale, -1.0 - top * scale)

    @property
    def side(self) -> float:
        """Side of the square in picture pixels."""
        return 2.0 / self.scale

    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3): picture pixels to square units."""
        angle = radians(self.rotation_deg)
        c, s = self.scale * cos(angle), self.scale * sin(angle)
        return np.array([[c, -s, self.x], [s, c, self.y]])

    def inverse(self) -> npt.NDArray[np.float64]:
        """(2, 3): square units to picture pixels."""
        m = self.matrix()
        a = np.linalg.inv(m[:, :2])
        return np.hstack([a, -a @ m[:, 2:]])

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike) -> Framing:
        """The framing with this (2, 3) similarity."""
        m = np.asarray(matrix, np.float64)
        angle = float(np.degrees(np.arctan2(m[1, 0], m[0, 0])))
        return cls(hypot(m[0, 0], m[1, 0]), angle, float(m[0, 2]), float(m[1, 2]))
