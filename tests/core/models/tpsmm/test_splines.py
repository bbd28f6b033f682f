# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin-plate splines and grids against SciPy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from keywarp.core.models.tpsmm.splines import coefficients

torch = pytest.importorskip("torch")
from keywarp.core.models.tpsmm import tps  # noqa: E402


def random_points(seed: int, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    points = random.uniform(-0.9, 0.9, (count, 2)).astype(np.float32)
    return points, (points + random.normal(0, 0.15, points.shape)).astype(np.float32)


def places(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 100).uniform(-1, 1, (200, 2)).astype(np.float32)


def evaluated(points: np.ndarray, targets: np.ndarray, where: np.ndarray, ridge: float) -> np.ndarray:
    solved = coefficients(points, targets, ridge)
    parts = (
        torch.from_numpy(np.ascontiguousarray(x)) for x in (solved.points, solved.weights, solved.affine)
    )
    moved: np.ndarray = tps.ThinPlateSpline(*parts)(torch.from_numpy(where)).numpy()
    return moved


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [5, 12])
def test_splines_are_those_of_scipy(seed: int, count: int) -> None:
    points, targets = random_points(seed, count)
    where = places(seed)
    oracle = RBFInterpolator(points, targets, kernel="thin_plate_spline", degree=1)(where)
    np.testing.assert_allclose(evaluated(points, targets, where, 0.0), oracle, atol=2e-4)
    torch_spline = tps.ThinPlateSpline.through(torch.from_numpy(points), torch.from_numpy(targets), 0.0)
    np.testing.assert_allclose(torch_spline(torch.from_numpy(where)).numpy(), oracle, atol=2e-3)


def test_with_the_ridge_training_and_runtime_agree() -> None:
    points, targets = (
        np.stack(each) for each in zip(*(random_points(seed) for seed in range(10)), strict=True)
    )
    solved = coefficients(points, targets)
    trained = tps.ThinPlateSpline.through(torch.from_numpy(points), torch.from_numpy(targets))
    np.testing.assert_allclose(solved.weights, trained.weights.numpy(), atol=5e-5)
    np.testing.assert_allclose(solved.affine, trained.affine.numpy(), atol=5e-5)


def test_keypoints_that_coincide_give_a_finite_spline() -> None:
    points = np.full((5, 2), 0.25, np.float32)
    solved = coefficients(points, points)
    assert np.isfinite(solved.weights).all()
    moved = evaluated(points, points, places(0), 0.01)
    assert np.isfinite(moved).all()


def test_sampling_is_opencvs_remap() -> None:
    random = np.random.default_rng(3)
    picture = random.random((37, 53)).astype(np.float32)
    grid = random.uniform(-1.2, 1.2, (1, 20, 30, 2)).astype(np.float32)
    mine = tps.sampled(torch.from_numpy(picture[None, None]), torch.from_numpy(grid))[0, 0].numpy()
    x, y = (grid[0, ..., 0] + 1) / 2 * 52, (grid[0, ..., 1] + 1) / 2 * 36
    theirs = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    # OpenCV rounds places to 1/32 of a pixel.
    np.testing.assert_allclose(mine, theirs, atol=0.05)
    assert np.abs(mine - theirs).mean() < 0.01


def test_the_identity_grid_samples_the_picture_itself() -> None:
    picture = torch.rand(1, 3, 24, 40)
    grid = tps.identity_grid(24, 40, picture)[None]
    assert torch.allclose(tps.sampled(picture, grid), picture, atol=1e-5)
    coarse = tps.identity_grid(6, 10, picture)[None]
    assert torch.allclose(tps.resized_grid(coarse, 24, 40), grid, atol=1e-6)
