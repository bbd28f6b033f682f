# SPDX-License-Identifier: GPL-3.0-or-later
"""The three networks of Talking Head Anime's face morpher, under the published tensor names.

papers: Talking Head Anime 4, section 3, and the THA3 write-up [40]. Images are in network space: (N, 4, H, W),
premultiplied, linear light, [-1, 1]. Each network answers with all that its image is made of, by name, in the order
in which the published networks return it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tha.blocks_torch import BlockStyle, PosedEncoderDecoder, decoded, encoded

Answers = dict[str, Tensor]


def color_head(features: int) -> nn.Sequential:
    """A directly drawn image, [-1, 1]."""
    return nn.Sequential(nn.Conv2d(features, 4, 3, padding=1), nn.Tanh())


def alpha_head(features: int, channels: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(features, channels, 3, padding=1), nn.Sigmoid())


def flow_head(features: int) -> nn.Conv2d:
    """A backward flow, in units in which the image is 2 wide (align_corners False)."""
    return nn.Conv2d(features, 2, 3, padding=1, bias=False)


@cache
def _places(side: int) -> Tensor:
    """(1, 2, side, side): every pixel's centre; a constant, so that an exported graph needs no AffineGrid."""
    axis = (2 * np.arange(side) + 1) / side - 1
    return torch.from_numpy(np.stack(np.meshgrid(axis, axis))[None].astype(np.float32))


def warped(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` sampled at every pixel's own place plus ``flow``: bilinear, border clamped, align_corners False."""
    grid = (_places(int(image.shape[3])).to(image) + flow).permute(0, 2, 3, 1)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def blended(alpha: Tensor, over: Tensor, under: Tensor) -> Tensor:
    return over * alpha + under * (1 - alpha)


def recolored(alpha: Tensor, over: Tensor, under: Tensor) -> Tensor:
    """As ``blended``, but the opacity stays that of ``under``."""
    return torch.cat([blended(alpha, over[:, :3], under[:, :3]), under[:, 3:]], 1)


class EyebrowDecomposer(nn.Module):
    """Splits the part of the picture around the brows into them and what is behind; (N, 4, 128, 128)."""

    def __init__(self, style: BlockStyle, width: int) -> None:
        super().__init__()
        self.body = PosedEncoderDecoder(style, 4, 0, width)
        self.background_layer_alpha = alpha_head(width)
        self.background_layer_color_change = color_head(width)
        self.eyebrow_layer_alpha = alpha_head(width)
        self.eyebrow_layer_color_change = color_head(width)

    def forward(self, image: Tensor) -> Answers:
        feature = self.body(image)
        background_alpha = self.background_layer_alpha(feature)
        background_color = self.background_layer_color_change(feature)
        alpha = self.eyebrow_layer_alpha(feature)
        color = self.eyebrow_layer_color_change(feature)
        return {
            # Here alpha is how much of the picture stays; elsewhere it is how much is drawn anew.
            "eyebrow_layer": blended(alpha, image, color),
            "eyebrow_layer_alpha": alpha,
            "eyebrow_layer_color_change": color,
            "background_layer": blended(background_alpha, background_color, image),
            "background_layer_alpha": background_alpha,
            "background_layer_color_change": background_color,
        }


class EyebrowMorphingCombiner(nn.Module):
    """Poses the brows, 12 channels, and puts them before what is behind."""

    def __init__(self, style: BlockStyle, width: int) -> None:
        super().__init__()
        self.body = PosedEncoderDecoder(style, 8, 12, width)
        self.morphed_eyebrow_layer_grid_change = flow_head(width)
        self.morphed_eyebrow_layer_alpha = alpha_head(width)
        self.morphed_eyebrow_layer_color_change = color_head(width)
        self.combine_alpha = alpha_head(width)

    def encoded(self, background: Tensor, eyebrows: Tensor) -> Tensor:
        """What does not depend on the pose."""
        return encoded(self.body, torch.cat([background, eyebrows], 1))

    def forward(self, background: Tensor, eyebrows: Tensor, pose: Tensor) -> Answers:
        return self.posed(background, eyebrows, self.encoded(background, eyebrows), pose)

    def posed(self, background: Tensor, eyebrows: Tensor, code: Tensor, pose: Tensor) -> Answers:
        """The answer, from the two layers and what ``encoded`` made of them."""
        feature = decoded(self.body, code, pose)
        flow = self.morphed_eyebrow_layer_grid_change(feature)
        alpha = self.morphed_eyebrow_layer_alpha(feature)
        color = self.morphed_eyebrow_layer_color_change(feature)
        moved = warped(eyebrows, flow)
        morphed = blended(alpha, color, moved)
        combine = self.combine_alpha(feature)
        return {
            "combined": recolored(combine, morphed, background),
            "combine_alpha": combine,
            # The whole system uses this one: the brows' own opacity.
            "image": recolored((morphed[:, 3:] + 1) / 2, morphed, background),
            "morphed_layer": morphed,
            "morphed_layer_alpha": alpha,
            "morphed_layer_color_change": color,
            "warped_layer": moved,
            "flow": flow,
        }


class FaceMorpher(nn.Module):
    """Poses irises and mouth, then the eyelids, 27 channels; (N, 4, 192, 192).

    The separable form keeps its backbone under ``body``, the plain one at the top.
    """

    def __init__(self, style: BlockStyle, width: int) -> None:
        super().__init__()
        backbone = PosedEncoderDecoder(style, 4, 27, width)
        if style.separable:
            self.body = backbone
        else:
            self.downsample_blocks = backbone.downsample_blocks
            self.bottleneck_blocks = backbone.bottleneck_blocks
            self.upsample_blocks = backbone.upsample_blocks
        self.iris_mouth_grid_change = flow_head(width)
        self.iris_mouth_color_change = color_head(width)
        self.iris_mouth_alpha = alpha_head(width)
        self.eye_color_change = color_head(width)
        self.eye_alpha = alpha_head(width)
        self._separable = style.separable

    def encoded(self, image: Tensor) -> Tensor:
        """What does not depend on the pose."""
        return encoded(self.body if self._separable else self, image)

    def forward(self, image: Tensor, pose: Tensor) -> Answers:
        return self.posed(image, self.encoded(image), pose)

    def posed(self, image: Tensor, code: Tensor, pose: Tensor) -> Answers:
        """The answer, from the image and what ``encoded`` made of it."""
        feature = decoded(self.body if self._separable else self, code, pose)
        flow = self.iris_mouth_grid_change(feature)
        moved = warped(image, flow)
        color = self.iris_mouth_color_change(feature)
        alpha = self.iris_mouth_alpha(feature)
        without_lids = blended(alpha, color, moved)
        lids_color = self.eye_color_change(feature)
        lids_alpha = self.eye_alpha(feature)
        return {
            "image": blended(lids_alpha, lids_color, without_lids),
            "eye_alpha": lids_alpha,
            "eye_color_change": lids_color,
            "iris_mouth": without_lids,
            "iris_mouth_alpha": alpha,
            "iris_mouth_color_change": color,
            "iris_mouth_warped": moved,
            "flow": flow,
        }
