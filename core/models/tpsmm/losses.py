# SPDX-License-Identifier: GPL-3.0-or-later
"""What TPSMM learns by (papers: TPSMM, section 3.3, equations 9 to 14; section 3.4 for the avd network).

Pictures are (N, 3, H, W), sRGB, [0, 1]; keypoints and transformations as in ``tps``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from keywarp.core.models.blocks import in_full
from keywarp.core.models.tpsmm.networks import AvdNetwork, DenseMotion, Inpainted, Tpsmm
from keywarp.core.models.tpsmm.tps import ThinPlateSpline, identity_grid, resized_grid, sampled

#: (image, wanted), both [-1, 1], to a scalar: the sum over the layers of a feature network, or its stand-in.
Perceptual = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LossWeights:
    """Equation 14 sums its terms; the weights are those of the authors' configurations."""

    perceptual: float = 10.0
    equivariance: float = 10.0
    background: float = 10.0
    warp: float = 10.0
    pixel: float = 0.0
    """Of the plain mean absolute difference, which stand-ins for VGG-19 need beside them: they see no constant."""
    alpha: float = 0.0
    """Of the mean absolute difference of the alpha that the flow moves along; the papers' pictures are opaque."""


@dataclass(frozen=True)
class RandomTransform:
    """Deviations of the random transformation of equation 10, as the authors' configurations have them."""

    affine: float = 0.05
    spline: float = 0.005
    points: int = 5


SCALES = 4
"""Resolutions at which equation 9 compares: 1, 1/2, 1/4, 1/8."""


def reconstruction(prediction: Tensor, driving: Tensor, perceptual: Perceptual) -> Tensor:
    """Equation 9."""
    total = prediction.new_zeros(())
    for level in range(SCALES):
        if level:
            prediction, driving = (functional.avg_pool2d(x, 2) for x in (prediction, driving))
        total = total + perceptual(prediction * 2 - 1, driving * 2 - 1)
    return total


def random_spline(count: int, like: Tensor, settings: RandomTransform) -> ThinPlateSpline:
    """``count`` random, nearly identical transformations: an affine part, and bending at a grid of points."""
    side = settings.points
    points = identity_grid(side, side, like).reshape(1, -1, 2).expand(count, -1, -1)
    weights = torch.randn(count, side * side, 2, device=like.device, dtype=like.dtype) * settings.spline
    affine = torch.randn(count, 3, 2, device=like.device, dtype=like.dtype) * settings.affine
    identity = torch.eye(3, 2, device=like.device, dtype=like.dtype)
    return ThinPlateSpline(points, weights, identity + affine)


def transformed(picture: Tensor, spline: ThinPlateSpline) -> Tensor:
    """The picture with each pixel taken from where the transformation puts it; mirrored beyond the border."""
    count, _, h, w = picture.shape
    grid = spline(identity_grid(h, w, picture).reshape(1, h * w, 2)).view(count, h, w, 2)
    return functional.grid_sample(picture, grid, padding_mode="reflection", align_corners=True)


def equivariance(
    detect: Callable[[Tensor], Tensor], driving: Tensor, points: Tensor, settings: RandomTransform
) -> Tensor:
    """Equation 10: keypoints of the transformed picture, transformed, are those of the picture."""
    with in_full(driving):
        spline = random_spline(len(driving), driving, settings)
        changed = transformed(driving, spline)
    found = detect(changed)
    with in_full(driving):
        return (points - spline(found)).abs().mean()


def background_consistency(there: Tensor, back: Tensor) -> Tensor:
    """Equation 12: the affine background motions (N, 3, 3) of both directions undo each other."""
    identity = torch.eye(3, device=there.device, dtype=there.dtype)
    with in_full(there):
        return (there @ back - identity).abs().mean()


def warp_consistency(networks: Tpsmm, driving: Tensor, inpainted: Inpainted, motion: DenseMotion) -> Tensor:
    """Equation 13: the source's warped encoder maps are the driving picture's."""
    wanted = networks.inpainting_network.masked_maps(driving, motion.masks)
    pairs = zip(inpainted.warped_maps, wanted, strict=True)
    return torch.stack([(a - b).abs().mean() for a, b in pairs]).sum()


def generator_losses(
    networks: Tpsmm,
    source: Tensor,
    driving: Tensor,
    perceptual: Perceptual,
    weights: LossWeights = LossWeights(),
    transform: RandomTransform = RandomTransform(),
    dropout: float = 0.0,
    with_background: bool = True,
    alphas: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of equation 14 for pairs of pictures of one video; terms of weight 0 are left out.

    ``dropout``: equation 8's probability; ``with_background``: false as long as the background is taken to be still;
    ``alphas``: of the source and of the driving picture, (N, 1, H, W).
    """
    source_points, points = networks.kp_detector(source), networks.kp_detector(driving)
    predictor = networks.bg_predictor if with_background else None
    there = None if predictor is None else predictor(source, driving)
    inpainted, motion = networks(source, source_points, points, there, dropout)
    terms: dict[str, Tensor] = {}
    if weights.perceptual:
        terms["perceptual"] = weights.perceptual * reconstruction(inpainted.prediction, driving, perceptual)
    if weights.pixel:
        terms["pixel"] = weights.pixel * (inpainted.prediction - driving).abs().mean()
    if weights.alpha and alphas is not None:
        grid = resized_grid(motion.deformation, source.shape[2], source.shape[3])
        terms["alpha"] = weights.alpha * (sampled(alphas[0], grid) - alphas[1]).abs().mean()
    if weights.equivariance:
        apart = equivariance(networks.kp_detector, driving, points, transform)
        terms["equivariance"] = weights.equivariance * apart
    if weights.warp:
        terms["warp"] = weights.warp * warp_consistency(networks, driving, inpainted, motion)
    if weights.background and predictor is not None and there is not None:
        back = predictor(driving, source)
        terms["background"] = weights.background * background_consistency(there, back)
    return terms


RANDOM_SCALE = 0.25
"""Section 3.4: by how much keypoints are stretched at most to stand for another body."""


def avd_loss(avd: AvdNetwork, source_points: Tensor, points: Tensor, scale: float = RANDOM_SCALE) -> Tensor:
    """Section 3.4: keypoints of one frame's shape and of another's pose, which were stretched at random, become the
    other's before it was stretched."""
    factor = 1 + scale * (2 * torch.rand(len(points), 1, 2, device=points.device) - 1)
    found = avd(source_points.detach(), (points * factor).detach())
    apart: Tensor = (found - points.detach()).abs().mean()
    return apart
