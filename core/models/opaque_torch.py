# SPDX-License-Identifier: GPL-3.0-or-later
"""``core.models.opaque`` in PyTorch, for training: what networks without transparency are shown, and its way back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from keywarp.core.models.blocks import to_linear, to_network
from keywarp.core.models.opaque import BACKDROP_LINEAR
from keywarp.core.newness import newness


def over_backdrop(picture: Tensor) -> Tensor:
    """(N, 3, H, W) sRGB in [0, 1] of premultiplied linear pictures (N, 4, H, W)."""
    clear = (1 - picture[:, 3:]) * BACKDROP_LINEAR
    solid = torch.cat([picture[:, :3] + clear, torch.ones_like(clear)], 1)
    return to_network(solid)[:, :3] * 0.5 + 0.5


def off_backdrop(shown: Tensor, alpha: Tensor) -> Tensor:
    """The premultiplied linear pictures (N, 4, H, W) of answers (N, 3, H, W), sRGB in [0, 1], and their alpha
    (N, 1, H, W)."""
    alpha = alpha.clamp(0, 1)
    linear = to_linear(torch.cat([shown * 2 - 1, torch.ones_like(alpha)], 1))[:, :3]
    colour = torch.minimum((linear - (1 - alpha) * BACKDROP_LINEAR).clamp(min=0), alpha)
    return torch.cat([colour, alpha], 1)


def new_content(images: Tensor, expected: Tensor) -> Tensor:
    """(N, 1, H, W): ``core.newness`` of each of the images (N, 4, H, W); no gradients."""
    planes = (x.detach().float().cpu().permute(0, 2, 3, 1).numpy() for x in (images, expected))
    found = [newness(image, other) for image, other in zip(*planes, strict=True)]
    return torch.from_numpy(np.stack(found))[:, None].to(images.device)
