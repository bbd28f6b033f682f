# SPDX-License-Identifier: GPL-3.0-or-later
"""From a picture to its layered depth image: a U-Net (O. Ronneberger et al., 2015) of residual blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.ldi.settings import GROUPS, JOINTS, LEVELS, OUTPUTS, Settings


class Block(nn.Module):
    """x + F(x), normalised before each convolution (K. He et al., 2016; Y. Wu and K. He, 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            inner = conv(functional.relu(norm(inner)))
        return x + inner


class RigNet(nn.Module):
    """A picture at rest, (N, 4, n, n) in network space, to what its pixels are."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = [settings.width * level for level in LEVELS]
        counts = [1, *[settings.blocks] * (len(widths) - 1)]
        self.stem = nn.Conv2d(4 * 6, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.seeing = nn.ModuleList(
            nn.Sequential(*(Block(w) for _ in range(count))) for w, count in zip(widths, counts, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(a + b, a, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.saying = nn.ModuleList(
            nn.Sequential(*(Block(w) for _ in range(count)))
            for w, count in zip(widths[:-1], counts[:-1], strict=True)
        )
        self.fine = nn.Conv2d(widths[0] + 6, settings.head, 3, padding=1)
        self.fields = nn.Conv2d(settings.head, OUTPUTS, 1)
        self.joints = nn.Linear(widths[-1], JOINTS)
        nn.init.zeros_(self.joints.weight)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """``fields``: (N, OUTPUTS, n, n), shapes' offsets as they are, what lies in [0, 1] before its sigmoid;
        ``joints``: (N, JOINTS)."""
        picture = torch.cat((picture, _places(picture)), 1)
        x = self.stem(functional.pixel_unshuffle(picture, 2))
        seen: list[Tensor] = []
        for level, blocks in enumerate(self.seeing):
            x = blocks(x if level == 0 else self.down[level - 1](functional.relu(x)))
            seen.append(x)
        joints = self.joints(functional.relu(x).mean((2, 3)))
        for level in reversed(range(len(self.up))):
            larger = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = self.saying[level](self.up[level](torch.cat((seen[level], larger), 1)))
        larger = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        fine = functional.relu(self.fine(torch.cat((larger, picture), 1)))
        return {"fields": self.fields(fine), "joints": joints}


def _places(picture: Tensor) -> Tensor:
    """(N, 2, n, n): where each pixel is, x and y in the square's units."""
    count, _, height, width = picture.shape
    x = ((2 * torch.arange(width, device=picture.device) + 1) / width - 1).to(picture.dtype)
    y = ((2 * torch.arange(height, device=picture.device) + 1) / height - 1).to(picture.dtype)
    planes = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1])
    return planes.expand(count, -1, -1, -1)
