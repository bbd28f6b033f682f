# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin-plate splines in NumPy: what the runtime solves for every frame (papers: TPSMM, equations 1 to 3).

Coordinates and signs are those of ``tps``, which is the same for training. Here the system is solved in float64;
float32, as published, decides the third digit by its rounding where keypoints lie close to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.motion import FloatImage

RIDGE = 0.01
"""Added to the diagonal of the system: splines through keypoints that (nearly) coincide stay finite."""
TINY = 1e-9
"""Keeps the logarithm finite at a control point itself."""


@dataclass(frozen=True)
class Coefficients:
    """Equation 2 for any number of splines: T(p) = A [p; 1] + sum_i w_i U(|P_i - p|)."""

    points: FloatImage
    """(..., n, 2): the control points P."""
    weights: FloatImage
    """(..., n, 2): w."""
    affine: FloatImage
    """(..., 3, 2): A, of x, y and 1."""


def coefficients(points: FloatImage, targets: FloatImage, ridge: float = RIDGE) -> Coefficients:
    """The splines of least bending with T(points) = targets, both (..., n, 2) float32."""
    n = points.shape[-2]
    exact = points.astype(np.float64)
    squared = np.square(exact[..., :, None, :] - exact[..., None, :, :]).sum(-1)
    system = np.zeros((*points.shape[:-2], n + 3, n + 3))
    system[..., :n, :n] = squared * np.log(squared + TINY)
    system[..., :n, n : n + 2] = exact
    system[..., :n, n + 2] = 1
    system[..., n:, :n] = np.swapaxes(system[..., :n, n:], -1, -2)
    system += ridge * np.eye(n + 3)
    wanted = np.zeros((*points.shape[:-2], n + 3, 2))
    wanted[..., :n, :] = targets
    solution = np.linalg.solve(system, wanted).astype(np.float32)
    return Coefficients(points, solution[..., :n, :], solution[..., n:, :])
