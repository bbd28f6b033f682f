# SPDX-License-Identifier: GPL-3.0-or-later
"""The U-Net with attention of THA4's improved body rotator, under the published tensor names.

papers: Talking Head Anime 4, section 3.1, which names diffusion models [20, 29] as its origin and leaves the
details to its supplement; residual blocks, conditioning by scale and shift, and attention are theirs (Dhariwal and
Nichol, "Diffusion Models Beat GANs on Image Synthesis", section 3). A time is part of the network and always 0
here. Features are (N, C, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDED = 256
"""Channels of the embedded time and pose."""
GROUPS = 32
"""Of a normalisation; narrower layers than the published have as many as divide their channels."""
HEADS = 8


def _normalised(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


class TimeFeatures(nn.Module):
    """Cosines and sines of a time, (N, 1) to (N, channels), at frequencies from 1 down to 1/10000."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, time: Tensor) -> Tensor:
        half = self.channels // 2
        steps = torch.arange(half, device=time.device, dtype=time.dtype) / half
        angles = time * torch.pow(10000.0, -steps)
        return torch.cat([torch.cos(angles), torch.sin(angles)], 1)


class ConditionedBlock(nn.Module):
    """Residual block that may change the size; the time (0) and the pose (1) scale and shift its middle."""

    def __init__(self, inputs: int, outputs: int, resize: Literal["half", "same", "double"] = "same") -> None:
        super().__init__()
        self.resize = resize
        self.norm0 = _normalised(inputs)
        self.conv0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.cond0_layers = nn.Sequential(nn.SiLU(), nn.Linear(EMBEDDED, 2 * outputs))
        self.norm1 = _normalised(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.cond1_layers = nn.Sequential(nn.SiLU(), nn.Linear(EMBEDDED, 2 * outputs))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, time: Tensor, pose: Tensor) -> Tensor:
        h = self._resized(functional.silu(self.norm0(x)))
        h = self.norm1(self.conv0(h))
        h = _scaled(h, self.cond0_layers(time))
        h = _scaled(h, self.cond1_layers(pose))
        h = self.conv1(functional.silu(h))
        x = self._resized(x)
        out: Tensor = h + (x if self.skip is None else self.skip(x))
        return out

    def _resized(self, x: Tensor) -> Tensor:
        if self.resize == "half":
            return functional.avg_pool2d(x, 2)
        if self.resize == "double":
            return functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return x


def _scaled(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    scale, shift = scale_and_shift[:, :, None, None].chunk(2, 1)
    return x * (1 + scale) + shift


class Attention(nn.Module):
    """x + what every place gathers from all places, in ``HEADS`` independent ways."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _normalised(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = (int(side) for side in x.shape)
        parts = self.qkv(self.norm(x)).reshape(n, 3, HEADS, channels // HEADS, height * width)
        query, key, value = (part.transpose(2, 3) for part in parts.unbind(1))
        weights = torch.softmax(query @ key.transpose(2, 3) * (channels // HEADS) ** -0.5, -1)
        gathered = (weights @ value).transpose(2, 3).reshape(n, channels, height, width)
        out: Tensor = x + self.conv(gathered)
        return out


class MiddleAttention(nn.Module):
    """Attention among blocks that take the time and the pose."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.module = Attention(channels)

    def forward(self, x: Tensor, time: Tensor, pose: Tensor) -> Tensor:
        out: Tensor = self.module(x)
        return out


class DownBlock(nn.Module):
    """One size on the way down; the last one attends, the others halve."""

    def __init__(self, inputs: int, outputs: int, last: bool) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList([ConditionedBlock(inputs, outputs)])
        self.attention_blocks = nn.ModuleList([Attention(outputs)] if last else [])
        self.downsample = None if last else ConditionedBlock(outputs, outputs, "half")

    def forward(self, x: Tensor, time: Tensor, pose: Tensor) -> list[Tensor]:
        """What the way up will take, the block's answer last."""
        for residual in self.res_blocks:
            x = residual(x, time, pose)
        for attention in self.attention_blocks:
            x = attention(x)
        return [x] if self.downsample is None else [x, self.downsample(x, time, pose)]


class UpBlock(nn.Module):
    """One size on the way up; the first one attends, all but the last double."""

    def __init__(self, inputs: int, passed: tuple[int, int], outputs: int, first: bool, last: bool) -> None:
        super().__init__()
        self.resnet_blocks = nn.ModuleList(
            [ConditionedBlock(inputs + passed[0], outputs), ConditionedBlock(outputs + passed[1], outputs)]
        )
        self.attention_blocks = nn.ModuleList(Attention(outputs) for _ in range(2 if first else 0))
        self.upsample = None if last else ConditionedBlock(outputs, outputs, "double")

    def forward(self, x: Tensor, passed: list[Tensor], time: Tensor, pose: Tensor) -> Tensor:
        """Takes the last two of ``passed`` away."""
        for i, residual in enumerate(self.resnet_blocks):
            x = residual(torch.cat([x, passed.pop()], 1), time, pose)
            if len(self.attention_blocks):
                x = self.attention_blocks[i](x)
        return x if self.upsample is None else self.upsample(x, time, pose)


class AttentionUnet(nn.Module):
    """``widths``: channels at each size, from the input's size down, each half of the one before; attention at the
    smallest."""

    def __init__(self, inputs: int, pose: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        start, smallest = widths[0], widths[-1]
        self.time_embed = nn.Sequential(
            TimeFeatures(start), nn.Linear(start, EMBEDDED), nn.SiLU(), nn.Linear(EMBEDDED, EMBEDDED)
        )
        self.cond_embed = nn.Sequential(nn.Linear(pose, EMBEDDED), nn.SiLU(), nn.Linear(EMBEDDED, EMBEDDED))
        self.first_conv = nn.Conv2d(inputs, start, 3, padding=1)
        below = (start, *widths[:-1])
        self.down_blocks = nn.ModuleList(
            DownBlock(a, b, i == len(widths) - 1) for i, (a, b) in enumerate(zip(below, widths, strict=True))
        )
        self.middle_blocks = nn.ModuleList(
            MiddleAttention(smallest) if i % 2 else ConditionedBlock(smallest, smallest) for i in range(7)
        )
        ups, channels = [], smallest
        for i in reversed(range(len(widths))):
            passed = widths[i], below[i]
            ups.append(UpBlock(channels, passed, widths[i], i == len(widths) - 1, i == 0))
            channels = widths[i]
        self.up_blocks = nn.ModuleList(ups)
        self.last = nn.Sequential(_normalised(start), nn.SiLU(), nn.Conv2d(start, outputs, 3, padding=1))

    def forward(self, image: Tensor, pose: Tensor, added: Tensor | None = None) -> Tensor:
        """``image`` (N, inputs, H, W) and ``pose`` (N, pose) to (N, outputs, H, W); ``added`` joins the first
        convolution's answer."""
        time = self.time_embed(torch.zeros_like(pose[:, :1]))
        cond = self.cond_embed(pose)
        x = self.first_conv(image)
        if added is not None:
            x = x + added
        passed = [x]
        for down in self.down_blocks:
            passed += down(x, time, cond)
            x = passed[-1]
        for middle in self.middle_blocks:
            x = middle(x, time, cond)
        for up in self.up_blocks:
            x = up(x, passed, time, cond)
        out: Tensor = self.last(x)
        return out
