# SPDX-License-Identifier: GPL-3.0-or-later
"""The convolutional blocks of Talking Head Anime 3, plain and separable, under the published tensor names.

papers: Talking Head Anime 4, section 3, and the THA3 write-up that it cites as [40]; where both are silent the
blocks are those of their ancestor, the image translation network of Johnson et al.: convolution without a bias,
instance normalisation, rectifier. A separable convolution is a depthwise one followed by a pointwise one.
Features are (N, C, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class BlockStyle:
    """What the convolutional networks of a form have in common."""

    separable: bool
    slope: float
    """Slope of the rectifier below zero; 0: an ordinary one."""

    def convolution(self, inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
        padding = (size - stride + 1) // 2
        if not self.separable:
            return [nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)]
        depthwise = nn.Conv2d(inputs, inputs, size, stride, padding, groups=inputs, bias=False)
        return [depthwise, nn.Conv2d(inputs, outputs, 1, bias=False)]

    def transposed(self, inputs: int, outputs: int) -> list[nn.Module]:
        """Up-sampling by 2."""
        if not self.separable:
            return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        depthwise = nn.ConvTranspose2d(inputs, inputs, 4, 2, 1, groups=inputs, bias=False)
        return [depthwise, nn.Conv2d(inputs, outputs, 1, bias=False)]

    def closed(self, layers: list[nn.Module], channels: int) -> nn.Sequential:
        """``layers``, normalised and rectified."""
        return nn.Sequential(*layers, nn.InstanceNorm2d(channels, affine=True), self.rectifier())

    def rectifier(self) -> nn.Module:
        return nn.LeakyReLU(self.slope) if self.slope else nn.ReLU()


class Residual(nn.Module):
    """x + two normalised convolutions of x."""

    def __init__(self, style: BlockStyle, channels: int) -> None:
        super().__init__()
        first, second = (style.convolution(channels, channels, 3) for _ in range(2))
        self.resnet_path = nn.Sequential(
            _one(first),
            nn.InstanceNorm2d(channels, affine=True),
            style.rectifier(),
            _one(second),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.resnet_path(x)
        return out


def _one(layers: list[nn.Module]) -> nn.Module:
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _descent(style: BlockStyle, inputs: int, start: int, steps: int, first: int) -> tuple[nn.ModuleList, int]:
    """A convolution of ``first`` pixels, then ``steps`` halvings, each to twice the channels; and these at last."""
    blocks = [style.closed(style.convolution(inputs, start, first), start)]
    channels = start
    for _ in range(steps):
        wider = 2 * channels
        block = style.closed(style.convolution(channels, wider, 4, stride=2), wider)
        if not style.separable:
            block[-1] = nn.ReLU()  # as published: halving blocks of the plain form know no leak
        blocks.append(block)
        channels = wider
    return nn.ModuleList(blocks), channels


class PosedEncoderDecoder(nn.Module):
    """Encoder and decoder of the face's three networks; the pose joins at the bottleneck, repeated at every
    place."""

    def __init__(self, style: BlockStyle, inputs: int, pose: int, start: int) -> None:
        super().__init__()
        self.downsample_blocks, channels = _descent(style, inputs, start, 3, 3)
        joined = style.closed(style.convolution(channels + pose, channels, 3), channels)
        self.bottleneck_blocks = nn.ModuleList([joined, *(Residual(style, channels) for _ in range(5))])
        ups = []
        for step in (2, 1, 0):
            narrower = start << step
            ups.append(style.closed(style.transposed(channels, narrower), narrower))
            channels = narrower
        self.upsample_blocks = nn.ModuleList(ups)

    def forward(self, image: Tensor, pose: Tensor | None = None) -> Tensor:
        return decoded(self, encoded(self, image), pose)


def encoded(backbone: nn.Module, image: Tensor) -> Tensor:
    """The way down of a backbone with the blocks of a ``PosedEncoderDecoder``: what does not depend on the pose."""
    x = image
    for block in _blocks(backbone, "downsample"):
        x = block(x)
    return x


def decoded(backbone: nn.Module, code: Tensor, pose: Tensor | None) -> Tensor:
    """The rest of its way: the feature of the input's size, from ``encoded`` and the pose, (N, P)."""
    x = code if pose is None else torch.cat([code, spread(pose, code)], 1)
    for block in (*_blocks(backbone, "bottleneck"), *_blocks(backbone, "upsample")):
        x = block(x)
    return x


def _blocks(backbone: nn.Module, way: str) -> nn.ModuleList:
    blocks = getattr(backbone, f"{way}_blocks")
    assert isinstance(blocks, nn.ModuleList)
    return blocks


class _Doubled(nn.Module):
    """Every pixel becomes four."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class ResizeEncoderDecoder(nn.Module):
    """Backbone of THA3's half-resolution rotator: up-sampling by repetition, then a convolution."""

    def __init__(self, style: BlockStyle, inputs: int, start: int) -> None:
        super().__init__()
        self.downsample_blocks, channels = _descent(style, inputs, start, 3, 7)
        self.bottleneck_blocks = nn.ModuleList(Residual(style, channels) for _ in range(6))
        ups = []
        for step in (2, 1, 0):
            narrower = start << step
            ups.append(
                nn.Sequential(_Doubled(), style.closed(style.convolution(channels, narrower, 3), narrower))
            )
            channels = narrower
        self.upsample_blocks = nn.ModuleList(ups)

    def forward(self, x: Tensor) -> Tensor:
        for block in (*self.downsample_blocks, *self.bottleneck_blocks, *self.upsample_blocks):
            x = block(x)
        return x


class ResizeUnet(nn.Module):
    """Backbone of THA3's editor: a U-Net, whose way up takes what the way down had at each size."""

    def __init__(self, style: BlockStyle, inputs: int, start: int) -> None:
        super().__init__()
        self.downsample_blocks, channels = _descent(style, inputs, start, 3, 3)
        self.bottleneck_blocks = nn.ModuleList(Residual(style, channels) for _ in range(6))
        ups = []
        for step in (2, 1, 0):
            narrower = start << step
            ups.append(style.closed(style.convolution(channels + narrower, narrower, 3), narrower))
            channels = narrower
        self.upsample_blocks = nn.ModuleList(ups)

    def forward(self, x: Tensor) -> Tensor:
        passed = []
        for block in self.downsample_blocks:
            x = block(x)
            passed.append(x)
        passed.pop()
        for block in self.bottleneck_blocks:
            x = block(x)
        for block in self.upsample_blocks:
            wider = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([wider, passed.pop()], 1))
        return x


def spread(pose: Tensor, like: Tensor) -> Tensor:
    """(N, P) repeated at every place of ``like``, (N, P, H, W)."""
    # A product with a constant: exported, its shape is as fixed as the constant's.
    everywhere = torch.ones(
        1, 1, int(like.shape[2]), int(like.shape[3]), dtype=like.dtype, device=like.device
    )
    return pose[:, :, None, None] * everywhere
