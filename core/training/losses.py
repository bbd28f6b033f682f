# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses that several families share. Images are (N, C, H, W) in network space, [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.checkpoint import read_checkpoint
from keywarp.keyframes.errors import KeywarpError

#: (image, wanted, weight or None) to a scalar.
Perceptual = Callable[[Tensor, Tensor, Optional[Tensor]], Tensor]

VGG19 = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
"""The convolutions of VGG-19 up to relu5_1, with its poolings (Simonyan and Zisserman, 2014, table 1, column E)."""
VGG_TAPS = (1, 6, 11, 20, 29)
"""relu1_1, 2_1, 3_1, 4_1 and 5_1 by the numbering of torchvision's ``features``."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def weighted_l1(image: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """The mean absolute difference where ``weight``, (N, 1, H, W), says; 0 where it is 0 everywhere."""
    difference = (image - wanted).abs().mean(1, keepdim=True)
    return (difference * weight).sum() / weight.sum().clamp(min=1e-6)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """(|gradient| - 1)^2 between real and generated images (Gulrajani et al. 2017, WGAN-GP; papers: ATW, eq. 1)."""
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.float(), fake.float()
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (real + (fake - real) * share).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(between).float().sum(), between, create_graph=True)
        penalty: Tensor = ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
        return penalty


def detail_difference(image: Tensor, wanted: Tensor, weight: Tensor | None = None) -> Tensor:
    """A stand-in for a perceptual loss where there is no VGG-19: absolute differences of the gradients, and of the
    bands of a Laplacian pyramid, on up to four scales (Burt and Adelson 1983 for the pyramid)."""
    total = image.new_zeros(())
    difference = image - wanted
    weight = torch.ones_like(difference[:, :1]) if weight is None else weight
    weight = weight / weight.mean().clamp(min=1e-6)
    for level in range(4):
        across, down = difference.diff(dim=3).abs(), difference.diff(dim=2).abs()
        total = total + (across * weight[..., 1:]).mean() + (down * weight[:, :, 1:]).mean()
        if min(difference.shape[2:]) < 16:
            break
        smaller = functional.avg_pool2d(difference, 2)
        band = difference - functional.interpolate(
            smaller, scale_factor=2, mode="bilinear", align_corners=False
        )
        total = total + (band.abs() * weight).mean() * 2.0 ** (1 - level)
        difference, weight = smaller, functional.avg_pool2d(weight, 2)
    return total


class Vgg19(nn.Module):
    """Differences of VGG-19's features (Johnson et al. 2016), of colours over grey."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in VGG19:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(inputs, int(width), 3, padding=1), nn.ReLU()]
                inputs = int(width)
        self.features = nn.Sequential(*layers)
        self.features.load_state_dict(
            {name.removeprefix("features."): torch.from_numpy(x) for name, x in state.items()}
        )
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None])

    def forward(self, image: Tensor, wanted: Tensor, weight: Tensor | None = None) -> Tensor:
        pairs = zip(self.maps(image), self.maps(wanted), strict=True)
        return torch.stack([(a - b).abs().mean() for a, b in pairs]).sum()

    def maps(self, image: Tensor) -> list[Tensor]:
        """What the layers of ``VGG_TAPS`` answer."""
        self.to(image.device)
        x, found = self._seen(image), []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in VGG_TAPS:
                found.append(x)
        return found

    def _seen(self, image: Tensor) -> Tensor:
        unit = image * 0.5 + 0.5
        colour = unit[:, :3] + 0.5 * (1 - unit[:, 3:]) if image.shape[1] == 4 else unit
        return (colour - self.mean) / self.deviation  # type: ignore[operator]


def vgg19_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that are needed, in torchvision's layout."""
    found: dict[str, tuple[int, ...]] = {}
    number, inputs = 0, 3
    for width in VGG19:
        if width == "M":
            number += 1
            continue
        found[f"features.{number}.weight"] = (int(width), inputs, 3, 3)
        found[f"features.{number}.bias"] = (int(width),)
        number, inputs = number + 2, int(width)
    return found


def perceptual_loss(vgg: Path | None) -> Perceptual:
    """VGG-19 from a user's file in torchvision's layout, else ``detail_difference``.

    Raises ``KeywarpError`` where the file holds something else.
    """
    if vgg is None:
        return detail_difference
    state = read_checkpoint(vgg)
    needed = {}
    for name, shape in vgg19_shapes().items():
        value = state.get(name)
        if not isinstance(value, np.ndarray) or value.shape != shape:
            found = "missing" if value is None else f"of shape {getattr(value, 'shape', None)}"
            raise KeywarpError(
                f"{vgg} is no VGG-19 as torchvision stores it: {name} is {found} instead of {shape}"
            )
        needed[name] = value
    return Vgg19(needed)
