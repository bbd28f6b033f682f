# SPDX-License-Identifier: GPL-3.0-or-later
"""ATW's generator and discriminators in PyTorch (papers: ATW, section 3.2).

Pictures are in network space, (N, 4, H, W) in [-1, 1] (``blocks.to_network``): the paper's RGB, with alpha.

Where the paper is silent, its ancestors decide: sizes of kernels (7, 4, 3) and the encoder's shape are those of
StarGAN and GANimation (Choi et al. 2018; Pumarola et al. 2018). Two things are ours. The driving signal is added
behind the first convolution, which is what its tiled copies would add with a mirrored border; ReLU then comes before
the normalisation, which would otherwise take a constant plane away again. And the refinement is what is added to the
warped picture, so that no change at all, the optimum of the refine loss, is what it begins with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.atw.settings import (
    COMMON,
    EPSILON,
    MOTION_BLOCKS,
    REFINE_BLOCKS,
    Settings,
    pose_scale,
)
from keywarp.core.models.blocks import identity_grid, modulated, warp
from keywarp.keyframes.spaces import space


def _norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, eps=EPSILON, affine=True)


class Opening(nn.Module):
    """The first layer: a 7x7 convolution of picture (and places) and driving signal."""

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        self._placed = settings.placed
        channels = 6 if settings.placed else 4
        self.picture = nn.Conv2d(channels, settings.width, 7, padding=3, padding_mode="reflect")
        self.pose = nn.Linear(poses, settings.width, bias=False)

    def forward(self, picture: Tensor, pose: Tensor) -> Tensor:
        if self._placed:
            height, width = picture.shape[2:]
            places = identity_grid(height, width, picture).to(picture.dtype)
            picture = torch.cat([picture, places.expand(len(picture), -1, -1, -1)], 1)
        out: Tensor = self.picture(picture) + self.pose(pose)[:, :, None, None]
        return out


class MotionBlock(nn.Module):
    """Convolution, instance norm, ReLU, convolution, instance norm; what goes in is added."""

    def __init__(self, channels: int, poses: int) -> None:
        """``poses``: channels of the driving signal that modulates what is normalised; 0: none does."""
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = _norm(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = _norm(channels)
        self.pose = nn.Linear(poses, 2 * channels) if poses else None
        if self.pose is not None:
            nn.init.normal_(self.pose.weight, std=0.1)
            nn.init.zeros_(self.pose.bias)

    def forward(self, x: Tensor, pose: Tensor) -> Tensor:
        inner = self.first_norm(self.first(x))
        if self.pose is not None:
            inner = modulated(inner, self.pose(pose))
        out: Tensor = x + self.second_norm(self.second(functional.relu(inner)))
        return out


class MotionNetwork(nn.Module):
    """From picture and driving signal to the backward flow (N, 2, H, W), at most ``reach`` on each axis."""

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        w = settings.width
        self.reach, self._scale = settings.reach, settings.motion_scale
        self.opening = Opening(settings, poses)
        self.opening_norm = _norm(w)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False) for a, b in ((w, 2 * w), (2 * w, 4 * w))
        )
        self.down_norms = nn.ModuleList(_norm(b) for b in (2 * w, 4 * w))
        inside = poses if settings.modulated else 0
        self.blocks = nn.ModuleList(MotionBlock(4 * w, inside) for _ in range(MOTION_BLOCKS))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=False)
            for a, b in ((4 * w, 2 * w), (2 * w, w))
        )
        self.up_norms = nn.ModuleList(_norm(b) for b in (2 * w, w))
        self.closing = nn.Conv2d(w, 2, 7, padding=3, padding_mode="reflect")
        nn.init.normal_(self.closing.weight, std=1e-3)
        nn.init.zeros_(self.closing.bias)  # type: ignore[arg-type]

        self.common = nn.Linear(poses, 2 * COMMON**2, bias=False) if settings.common else None
        if self.common is not None:
            nn.init.zeros_(self.common.weight)

    def forward(self, picture: Tensor, pose: Tensor) -> Tensor:
        if self._scale > 1:
            picture = functional.avg_pool2d(picture, self._scale)
        x = self.opening_norm(functional.relu(self.opening(picture, pose)))
        for layer, norm in zip(self.down, self.down_norms, strict=True):
            x = functional.relu(norm(layer(x)))
        for block in self.blocks:
            x = block(x, pose)
        for layer, norm in zip(self.up, self.up_norms, strict=True):
            x = functional.relu(norm(layer(x)))
        x = self.closing(x)
        if self.common is not None:
            field = self.common(pose).view(-1, 2, COMMON, COMMON)
            x = x + functional.interpolate(field, size=x.shape[2:], mode="bilinear")
        flow = torch.tanh(x) * self.reach
        if self._scale == 1:
            return flow
        return functional.interpolate(flow, scale_factor=float(self._scale), mode="bilinear")


class RefineBlock(nn.Module):
    """Convolution, ELU, convolution; what goes in is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = functional.elu(x + self.second(functional.elu(self.first(x))))
        return out


class RefinementNetwork(nn.Module):
    """From the warped picture and the driving signal to the change of its pixels, (N, 4, H, W), and the logit of
    what is newly painted, (N, 1, H, W)."""

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        w = settings.width
        self.opening = Opening(settings, poses)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in ((w, 2 * w), (2 * w, 4 * w))
        )
        self.blocks = nn.ModuleList(RefineBlock(4 * w) for _ in range(REFINE_BLOCKS))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in ((4 * w, 2 * w), (2 * w, w))
        )
        self.closing = nn.Conv2d(w, 5, 7, padding=3, padding_mode="reflect")
        nn.init.normal_(self.closing.weight, std=1e-3)
        nn.init.zeros_(self.closing.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.closing.bias[4] = -3.0  # type: ignore[index]

    def forward(self, warped: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.elu(self.opening(warped, pose))
        for layer in self.down:
            x = functional.elu(layer(x))
        for block in self.blocks:
            x = block(x)
        for layer in self.up:
            x = functional.elu(layer(x))
        change, painted = self.closing(x).split([4, 1], 1)
        return change, painted


class Generator(nn.Module):
    """G: both networks; poses come in their space's own units."""

    def __init__(self, settings: Settings, space_name: str) -> None:
        super().__init__()
        poses = len(space(space_name))
        self.categories = settings.categories
        self.motion = MotionNetwork(settings, poses)
        self.refinement = RefinementNetwork(settings, poses)
        self.scale: Tensor
        self.register_buffer("scale", torch.from_numpy(pose_scale(space_name)), persistent=False)

    def forward(self, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """``image`` (O^r) and ``warped`` (O^w) in network space, ``flow``, ``painted`` as a logit, ``change``."""
        pose = pose * self.scale
        return self.refined(picture, self.motion(picture, pose), pose)

    def refined(self, picture: Tensor, flow: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """The second stage alone; ``pose`` in units of its reach."""
        warped = warp(picture, flow)
        change, painted = self.refinement(warped, pose)
        return {
            "image": warped + change,
            "warped": warped,
            "flow": flow.float(),
            "painted": painted,
            "change": change,
        }

    def interpolated(self, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """The answer for weights of categories: their motion fields are blended (section 4.1), then refined."""
        pose = pose * self.scale
        flow = torch.zeros_like(picture[:, :2])
        for number in range(pose.shape[1]):
            pure = functional.one_hot(torch.full((len(pose),), number), pose.shape[1]).to(pose)
            flow = flow + self.motion(picture, pure) * pose[:, number, None, None, None]
        return self.refined(picture, flow, pose)


class Discriminator(nn.Module):
    """D^r with its two heads, or D^w with the driving head alone: strided 4x4 convolutions down to 4x4 pixels,
    leaky ReLU, no normalisation (WGAN-GP)."""

    def __init__(self, settings: Settings, side: int, outputs: int, adversarial: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, width = 4, settings.critic_width
        while side > 7:
            layers += [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.01)]
            inputs, width, side = width, min(2 * width, 8 * settings.critic_width), side // 2
        self.trunk = nn.Sequential(*layers)
        self.driving = nn.Conv2d(inputs, outputs, side)
        self.adversarial = nn.Conv2d(inputs, 1, 3, padding=1) if adversarial else None

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(how real each part looks, (N, 1, h, w), empty without that head; the driving signal's logits, (N, C))."""
        x = self.trunk(image)
        real = x[:, :0] if self.adversarial is None else self.adversarial(x)
        return real, self.driving(x).flatten(1)

    def realism(self, image: Tensor) -> Tensor:
        """The adversarial logits alone, averaged: (N,)."""
        return self(image)[0].mean((1, 2, 3))  # type: ignore[no-any-return]
