# SPDX-License-Identifier: GPL-3.0-or-later
"""Building blocks of TPSMM's convolutional networks; parameters have the published names.

The paper (section 3) names hourglasses and residual blocks only; these are those of its ancestors FOMM and MRAA, with
instance norm in place of batch norm, as the published checkpoints have them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tpsmm.layout import BLUR_SIDE, REDUCTION


class Block(nn.Module):
    """Convolution, instance norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, side: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, padding=side // 2)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))


class DownBlock(Block):
    """The same, then half the size."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(super().forward(x), 2)


class UpBlock(Block):
    """Twice the size (nearest), then the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class ResidualBlock(nn.Module):
    """Norm, ReLU and convolution, twice, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.InstanceNorm2d(channels, affine=True)
        self.norm2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        y = self.conv2(functional.relu(self.norm2(y)))
        out: Tensor = x + y
        return out


class Reduction(nn.Module):
    """A picture at a quarter of its side, blurred before so that it does not alias. The kernel is stored."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        x = torch.arange(BLUR_SIDE, dtype=torch.float32) - (BLUR_SIDE - 1) / 2
        line = torch.exp(-(x**2) / (2 * ((REDUCTION - 1) / 2) ** 2))
        kernel = line[:, None] * line
        self.register_buffer("weight", (kernel / kernel.sum()).expand(3, 1, -1, -1).clone())

    def forward(self, picture: Tensor) -> Tensor:
        blurred = functional.conv2d(picture, self.weight, padding=BLUR_SIDE // 2, groups=3)
        return blurred[:, :, ::REDUCTION, ::REDUCTION]


class _Encoder(nn.Module):
    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        pairs = zip(channels, channels[1:], strict=False)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairs)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [x]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps


class _Decoder(nn.Module):
    def __init__(self, channels: list[int], width: int, limit: int) -> None:
        super().__init__()
        blocks, carried = [], channels[-1]
        for level in range(len(channels) - 2, -1, -1):
            out = min(limit, width << level)
            blocks.append(UpBlock(carried, out))
            carried = out + channels[level]
        self.up_blocks = nn.ModuleList(blocks)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        answers, x = [], maps[-1]
        for block, skipped in zip(self.up_blocks, maps[-2::-1], strict=True):
            x = torch.cat([block(x), skipped], 1)
            answers.append(x)
        return answers


class Hourglass(nn.Module):
    """A U-Net; answers with the decoder's map of every size, the smallest first."""

    def __init__(self, channels: list[int], width: int, limit: int) -> None:
        super().__init__()
        self.encoder = _Encoder(channels)
        self.decoder = _Decoder(channels, width, limit)

    def forward(self, x: Tensor) -> list[Tensor]:
        answers: list[Tensor] = self.decoder(self.encoder(x))
        return answers
