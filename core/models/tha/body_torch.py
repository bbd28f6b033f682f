# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks of Talking Head Anime's body rotator, of THA3 and of THA4, under the published tensor names.

papers: Talking Head Anime 4, section 3 and 3.1. Images are in network space: (N, 4, H, W), premultiplied, linear
light, [-1, 1]; flows are (N, 2, H, W), see ``face_torch.warped``; poses (N, 6). Answers as in ``face_torch``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from keywarp.core.models.tha.blocks_torch import BlockStyle, ResizeEncoderDecoder, ResizeUnet, spread
from keywarp.core.models.tha.face_torch import Answers, alpha_head, blended, color_head, flow_head, warped
from keywarp.core.models.tha.unet_torch import AttentionUnet

POSE = 6


class Rotator(nn.Module):
    """THA3's half-resolution rotator, published as ``two_algo_face_body_rotator``: 256x256 as published."""

    def __init__(self, style: BlockStyle, width: int) -> None:
        super().__init__()
        self.encoder_decoder = ResizeEncoderDecoder(style, 4 + POSE, width)
        self.direct_creator = color_head(width)
        self.grid_change_creator = flow_head(width)

    def forward(self, image: Tensor, pose: Tensor) -> Answers:
        feature = self.encoder_decoder(torch.cat([image, spread(pose, image)], 1))
        flow = self.grid_change_creator(feature)
        direct = self.direct_creator(feature)
        return {"direct": direct, "warped": warped(image, flow), "flow": flow}


class Editor(nn.Module):
    """THA3's editor: 512x512 as published. ``coarse`` and ``coarse_flow`` are the rotator's, scaled up."""

    def __init__(self, style: BlockStyle, width: int) -> None:
        super().__init__()
        self.body = ResizeUnet(style, 4 + 4 + 2 + POSE, width)
        self.color_change_creator = color_head(width)
        self.alpha_creator = alpha_head(width, 4)
        self.grid_change_creator = flow_head(width)

    def forward(self, image: Tensor, coarse: Tensor, coarse_flow: Tensor, pose: Tensor) -> Answers:
        feature = self.body(torch.cat([image, coarse, coarse_flow, spread(pose, image)], 1))
        flow = coarse_flow + self.grid_change_creator(feature)
        color = self.color_change_creator(feature)
        alpha = self.alpha_creator(feature)
        moved = warped(image, flow)
        return {
            "image": blended(alpha, color, moved),
            "alpha": alpha,
            "color_change": color,
            "warped": moved,
            "flow": flow,
        }


def _formed(image: Tensor, out: Tensor) -> Answers:
    """Image formation of THA4: the picture warped, a directly drawn one, and an alpha map between; the backbone's
    seven channels are the drawn image (4), the flow (2) and alpha (1)."""
    direct, flow, alpha = out[:, :4], out[:, 4:6], torch.sigmoid(out[:, 6:])
    moved = warped(image, flow)
    return {
        "image": blended(alpha, direct, moved),
        "alpha": alpha,
        "warped": moved,
        "flow": flow,
        "direct": direct,
    }


class BodyMorpher(nn.Module):
    """THA4's half-resolution rotator, published as ``body_morpher``: 256x256 as published."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.body = AttentionUnet(4, POSE, 7, widths)

    def forward(self, image: Tensor, pose: Tensor) -> Answers:
        return _formed(image, self.body(image, pose))


class Upscaler(nn.Module):
    """THA4's editor, published as ``upscaler``: 512x512. Its flow is the whole one, not a change of the coarse."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.body = AttentionUnet(4, POSE, 7, widths)
        self.coarse_image_conv = nn.Conv2d(4 + 4 + 2, widths[0], 3, padding=1)

    def forward(self, image: Tensor, coarse: Tensor, coarse_flow: Tensor, pose: Tensor) -> Answers:
        rotated = warped(image, coarse_flow)
        added = self.coarse_image_conv(torch.cat([coarse, rotated, coarse_flow], 1))
        return _formed(image, self.body(image, pose, added))
