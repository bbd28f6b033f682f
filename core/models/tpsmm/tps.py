# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin-plate splines and sampling grids in PyTorch (papers: TPSMM, section 3.1, equations 1 to 3).

Convention: coordinates are (x, y), y down, in [-1, 1] with the centres of the outermost pixels at -1 and 1
(align_corners True). Every transformation here maps a place of the driving picture to the place of the source picture
whose content it shows: a backward map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from keywarp.core.models.blocks import in_full
from keywarp.core.models.tpsmm.splines import RIDGE, TINY


def identity_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(height, width, 2): every pixel's own place."""
    x = torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype)
    y = torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype)
    return torch.stack([x[None].expand(height, -1), y[:, None].expand(-1, width)], -1)


def radial(squared: Tensor) -> Tensor:
    """Equation 3: U(r) = r^2 log r^2, of the squared distance."""
    return squared * torch.log(squared + TINY)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(..., n, m) between points (..., n, 2) and (..., m, 2)."""
    apart: Tensor = (a[..., :, None, :] - b[..., None, :, :]).square().sum(-1)
    return apart


@dataclass(frozen=True)
class ThinPlateSpline:
    """Equation 2: T(p) = A [p; 1] + sum_i w_i U(|P_i - p|), for any number of splines at once."""

    points: Tensor
    """(..., n, 2): the control points, in the driving picture."""
    weights: Tensor
    """(..., n, 2)"""
    affine: Tensor
    """(..., 3, 2): of x, y and 1."""

    @classmethod
    def through(cls, points: Tensor, targets: Tensor, ridge: float = RIDGE) -> ThinPlateSpline:
        """Equation 1: the spline of least bending with T(points) = targets, both (..., n, 2).

        The ridge lies on the whole diagonal, so that with it the targets are met only nearly. Distances, and the
        inverse in the precision of ``points``, are taken as the authors take them: where keypoints lie close to each
        other, rounding decides the fourth digit, and trained networks have seen that one.
        """
        n = points.shape[-2]
        ones = torch.ones_like(points[..., :1])
        linear = torch.cat([points, ones], -1)
        zero = torch.zeros_like(linear[..., :3, :])
        apart = torch.linalg.vector_norm(points[..., :, None, :] - points[..., None, :, :], dim=-1)
        upper = torch.cat([radial(apart**2), linear], -1)
        lower = torch.cat([linear.transpose(-1, -2), zero], -1)
        system = torch.cat([upper, lower], -2)
        system = system + ridge * torch.eye(n + 3, device=points.device, dtype=points.dtype)
        wanted = torch.cat([targets, torch.zeros_like(zero[..., :2])], -2)
        solution = torch.linalg.inv(system) @ wanted
        return cls(points, solution[..., :n, :], solution[..., n:, :])

    def __call__(self, places: Tensor) -> Tensor:
        """Places (m, 2), or (..., m, 2) one set a spline, to (..., m, 2)."""
        bent = radial(squared_distances(places, self.points)) @ self.weights
        moved: Tensor = places @ self.affine[..., :2, :] + self.affine[..., 2:, :] + bent
        return moved


def gaussians(points: Tensor, grid: Tensor, variance: float) -> Tensor:
    """(N, K, h, w): a heat map for each of the keypoints (N, K, 2)."""
    apart = (grid - points[:, :, None, None]).square().sum(-1)
    return torch.exp(-0.5 * apart / variance)


def resized_grid(grid: Tensor, height: int, width: int) -> Tensor:
    """A backward map (N, h, w, 2) for pictures of another size."""
    if grid.shape[1:3] == (height, width):
        return grid
    planes = functional.interpolate(
        grid.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=True
    )
    return planes.permute(0, 2, 3, 1)


def sampled(picture: Tensor, grid: Tensor) -> Tensor:
    """``picture`` (N, C, H, W) at a backward map (N, h, w, 2): bilinear, black outside."""
    with in_full(picture):
        return functional.grid_sample(
            picture.float(), grid.float(), mode="bilinear", padding_mode="zeros", align_corners=True
        )
