# SPDX-License-Identifier: GPL-3.0-or-later
"""What the networks of several families are built from, in PyTorch.

Conventions as in ``Motion``: backward flow in the units of a square that is 2 wide, pixel centres, border clamped.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def in_full(like: Tensor) -> torch.autocast:
    """A context in which geometry is computed as it comes in, where networks around it run in mixed precision."""
    return torch.autocast(like.device.type, enabled=False)


def identity_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 2, height, width): x and y of every pixel's centre in [-1, 1]."""
    y = (2 * torch.arange(height, device=like.device, dtype=torch.float32) + 1) / height - 1
    x = (2 * torch.arange(width, device=like.device, dtype=torch.float32) + 1) / width - 1
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)])[None]


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """``image``, (N, C, H, W), sampled bilinearly where ``flow``, (N, 2, H, W), says; in float32 at least, since
    places of shorter numbers are off by pixels."""
    with in_full(image):
        grid = identity_grid(flow.shape[2], flow.shape[3], flow) + flow.float()
        return functional.grid_sample(
            image.float(),
            grid.permute(0, 2, 3, 1),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )


def to_network(picture: Tensor) -> Tensor:
    """(N, 4, H, W) premultiplied linear light, [0, 1], to [-1, 1]: each colour encoded as sRGB, so that steps are
    even for the eye; it stays premultiplied, so that it can be warped and blended."""
    colour = picture[:, :3].clamp(0, 1)
    power = 1.055 * colour.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    encoded = torch.where(colour <= 0.0031308, colour * 12.92, power)
    return torch.cat([encoded, picture[:, 3:].clamp(0, 1)], 1) * 2 - 1


def to_linear(image: Tensor) -> Tensor:
    """The inverse of ``to_network``; what lies beyond the range is held to it, and colour to alpha."""
    unit = (image * 0.5 + 0.5).clamp(0, 1)
    colour, alpha = unit[:, :3], unit[:, 3:]
    power = ((colour + 0.055) / 1.055) ** 2.4
    linear = torch.where(colour <= 0.04045, colour / 12.92, power)
    return torch.cat([torch.minimum(linear, alpha), alpha], 1)


def tiled(vector: Tensor, like: Tensor) -> Tensor:
    """(N, C) repeated at every pixel of ``like``: (N, C, H, W)."""
    return vector[:, :, None, None].expand(-1, -1, like.shape[2], like.shape[3])


def modulated(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    """``x``, (N, C, H, W), scaled by 1 + the first half of (N, 2 C) and shifted by the second."""
    scale, shift = scale_and_shift[:, :, None, None].chunk(2, 1)
    return x * (1 + scale) + shift
