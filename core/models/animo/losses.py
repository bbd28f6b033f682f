# SPDX-License-Identifier: GPL-3.0-or-later
"""What AniMo learns by (papers: AnimeCeleb, section 3.2): reconstruction and style, after PIRenderer.

PIRenderer is Ren et al. 2021; its section 3.3 has the losses. Pictures are (N, 3, H, W), sRGB, [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from keywarp.core.models.animo.networks import AniMo, backward_map, sampled
from keywarp.core.models.blocks import in_full

#: (image, wanted) to a scalar: the sum over the layers of a feature network, or its stand-in.
Perceptual = Callable[[Tensor, Tensor], Tensor]
#: A picture to maps, each (N, C, h, w), whose Gram matrices stand for its style.
Features = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class LossWeights:
    """The weights of the authors' configuration."""

    warp: float = 2.5
    """Of the perceptual difference of the picture that is only warped."""
    final: float = 4.0
    """Of that of the edited one."""
    style: float = 1000.0
    """Of the style's difference of the edited one: 250 times ``final``."""
    pixel: float = 0.0
    """Of the plain mean absolute differences, which stand-ins for VGG-19 need beside them: they see no constant."""
    alpha: float = 0.0
    """Of the mean absolute difference of the alpha that the flow moves along; the papers' pictures are opaque."""


SCALES = 4


def pyramid_loss(image: Tensor, wanted: Tensor, perceptual: Perceptual) -> Tensor:
    """The perceptual difference on four scales."""
    total = image.new_zeros(())
    for level in range(SCALES):
        if level:
            image, wanted = (functional.avg_pool2d(x, 2) for x in (image, wanted))
        total = total + perceptual(image, wanted)
    return total


def gram(features: Tensor) -> Tensor:
    """(N, C, C): how the channels of maps go together, whatever is where (Johnson et al. 2016)."""
    count, channels, h, w = features.shape
    with in_full(features):
        flat = features.float().reshape(count, channels, h * w)
        return flat @ flat.transpose(1, 2) / (channels * h * w)


def style_loss(image: Tensor, wanted: Tensor, features: Features) -> Tensor:
    """The mean absolute difference of the Gram matrices of each map."""
    pairs = zip(features(image), features(wanted), strict=True)
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in pairs]).sum()


def edge_features(picture: Tensor) -> list[Tensor]:
    """A stand-in for VGG-19's maps: colours, their gradients and their Laplacian, on four scales."""
    found = []
    for level in range(SCALES):
        if level:
            picture = functional.avg_pool2d(picture, 2)
        across = functional.pad(picture.diff(dim=3), (0, 1, 0, 0))
        down = functional.pad(picture.diff(dim=2), (0, 0, 0, 1))
        second = picture - functional.avg_pool2d(picture, 3, 1, 1)
        found.append(torch.cat([picture, across, down, second], 1))
    return found


def domain_losses(
    networks: AniMo,
    domain: str,
    source: Tensor,
    driving: Tensor,
    pose: Tensor,
    perceptual: Perceptual,
    features: Features = edge_features,
    weights: LossWeights = LossWeights(),
    editing: bool = True,
    alphas: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of one domain: a source picture and the pose (N, 70) of a driving one of the same person.

    ``editing``: false in the first half of the training, in which the warping networks learn alone. Joint training
    sums the terms of both domains; each learns from pairs of its own, and the motion network from all. ``alphas``: of
    the source and of the driving picture, (N, 1, H, W).
    """
    answer = networks(source, pose, domain)
    terms = {f"warp_{domain}": weights.warp * pyramid_loss(answer.warped, driving, perceptual)}
    if weights.pixel:
        terms[f"warp_pixel_{domain}"] = weights.pixel * (answer.warped - driving).abs().mean()
    if weights.alpha and alphas is not None:
        moved = sampled(alphas[0], backward_map(answer.flow))
        terms[f"alpha_{domain}"] = weights.alpha * (moved - alphas[1]).abs().mean()
    if editing:
        terms[f"final_{domain}"] = weights.final * pyramid_loss(answer.output, driving, perceptual)
        terms[f"style_{domain}"] = weights.style * style_loss(answer.output, driving, features)
        if weights.pixel:
            terms[f"pixel_{domain}"] = weights.pixel * (answer.output - driving).abs().mean()
    return terms
