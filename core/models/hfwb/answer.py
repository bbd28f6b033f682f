# SPDX-License-Identifier: GPL-3.0-or-later
"""What of HFWB's answer is new content, for ``Motion``."""

from __future__ import annotations

from torch import Tensor

from keywarp.core.models.blocks import warp
from keywarp.core.newness import AGREE, DISAGREE


def painted(picture: Tensor, face: Tensor, flow: Tensor) -> Tensor:
    """(N, 1, H, W) in [0, 1]: where the face stage has drawn something else than the picture, moved by the flow.

    The mask M of eq. 1 tells which pixels the network wrote; that alone is not new content. What counts is how far
    they differ, by the steps of ``core.newness`` (images are in [-1, 1], hence twice). What the head stage uncovers
    is found there too, from the answer's image.
    """
    difference = (face - picture).abs().amax(1, keepdim=True)
    new = ((difference - 2 * AGREE) / (2 * (DISAGREE - AGREE))).clamp(0, 1)
    return warp(new, flow)
