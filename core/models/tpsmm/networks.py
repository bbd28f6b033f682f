# SPDX-License-Identifier: GPL-3.0-or-later
"""The Thin-Plate Spline Motion Model in PyTorch (papers: TPSMM, section 3, figure 2), under the published names.

Pictures are (N, 3, H, W), sRGB, [0, 1]; H and W multiples of 128 (for another depth of the hourglass: of
4 * 2**depth). Coordinates as in ``tps``. Keypoints are (N, 5 K, 2), five for each of K splines.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.blocks import in_full
from keywarp.core.models.tpsmm.blocks import Block, DownBlock, Hourglass, Reduction, ResidualBlock, UpBlock
from keywarp.core.models.tpsmm.layout import AVD_WIDTHS, POINTS, REDUCTION, Form
from keywarp.core.models.tpsmm.resnet import ResNet18
from keywarp.core.models.tpsmm.tps import ThinPlateSpline, gaussians, identity_grid, resized_grid, sampled

HEAT_VARIANCE = 0.01


class KeypointDetector(nn.Module):
    """Section 3: a picture to K * 5 keypoints, (N, 5 K, 2) in (-1, 1)."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.fg_encoder = ResNet18(3, form.keypoints * 2, form.encoder_width)

    def forward(self, picture: Tensor) -> Tensor:
        return (torch.sigmoid(self.fg_encoder(picture).float()) * 2 - 1).view(picture.shape[0], -1, 2)


class BackgroundPredictor(nn.Module):
    """Equation 4: the affine motion of the background from the source to the driving picture, (N, 3, 3)."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.bg_encoder = ResNet18(6, 6, form.encoder_width)
        # An untrained predictor says that nothing moves, as its ancestor MRAA begins.
        nn.init.zeros_(self.bg_encoder.fc.weight)
        self.bg_encoder.fc.bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        upper = self.bg_encoder(torch.cat([source, driving], 1)).float().view(-1, 2, 3)
        last = torch.tensor([[[0.0, 0, 1]]], device=upper.device, dtype=upper.dtype)
        return torch.cat([upper, last.expand(len(upper), -1, -1)], 1)


@dataclass(frozen=True)
class DenseMotion:
    """What the dense motion network answers with."""

    deformation: Tensor
    """Equation 6: (N, H / 4, W / 4, 2), a backward map."""
    masks: list[Tensor]
    """(N, 1, h, w) in (0, 1), from the smallest to the picture's size: 1 where the warped picture can be kept."""
    contributions: Tensor
    """Equation 5: (N, K + 1, H / 4, W / 4), the background's first; they sum to 1."""


class DenseMotionNetwork(nn.Module):
    """Sections 3.1 and 3.2: K splines and a background transformation to one backward map and occlusion masks."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.down = Reduction()
        self.hourglass = Hourglass(form.motion_channels(), form.motion_width, form.motion_limit)
        outputs = form.motion_outputs
        self.maps = nn.Conv2d(outputs, form.splines + 1, 7, padding=3)
        if form.many_masks:
            ups = range(REDUCTION.bit_length() - 1)
            self.up = nn.ModuleList(UpBlock(outputs >> i, outputs >> (i + 1)) for i in ups)
        self.occlusion = nn.ModuleList(nn.Conv2d(c, 1, 7, padding=3) for c in form.mask_channels())

    def spline(self, source_points: Tensor, driving_points: Tensor) -> ThinPlateSpline:
        """Equation 1: the K splines from the driving to the source picture, through five keypoints each."""
        groups = (len(source_points), self.form.splines, POINTS, 2)
        return ThinPlateSpline.through(driving_points.view(groups), source_points.view(groups))

    def transformations(self, spline: ThinPlateSpline, grid: Tensor, background: Tensor | None) -> Tensor:
        """(N, K + 1, h, w, 2): where every transformation puts every place of ``grid``, (h, w, 2)."""
        count, (h, w) = len(spline.points), grid.shape[:2]
        places = grid.reshape(1, 1, h * w, 2)
        still = places.expand(count, -1, -1, -1)
        if background is not None:
            moved = torch.cat([still, torch.ones_like(still[..., :1])], -1) @ background[:, None].transpose(
                -1, -2
            )
            still = moved[..., :2] / moved[..., 2:]
        return torch.cat([still, spline(places)], 1).view(count, -1, h, w, 2)

    def forward(
        self,
        reduced: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        background: Tensor | None = None,
        dropout: float = 0.0,
    ) -> DenseMotion:
        """``reduced``: the source picture at a quarter of its side, from ``down``. ``dropout``: equation 7's P."""
        with in_full(reduced):
            spline = self.spline(source_points, driving_points)
        return self.combine(reduced, source_points, driving_points, spline, background, dropout)

    def combine(
        self,
        reduced: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        spline: ThinPlateSpline,
        background: Tensor | None = None,
        dropout: float = 0.0,
    ) -> DenseMotion:
        """The same with splines that are solved already."""
        count, _, h, w = reduced.shape
        grid = identity_grid(h, w, source_points)
        with in_full(reduced):
            moves = self.transformations(spline, grid, background)
        repeated = reduced[:, None].expand(-1, moves.shape[1], -1, -1, -1).reshape(-1, 3, h, w)
        warped = sampled(repeated, moves.reshape(-1, h, w, 2)).view(count, -1, h, w)
        heat = gaussians(driving_points, grid, HEAT_VARIANCE) - gaussians(source_points, grid, HEAT_VARIANCE)
        maps = self.hourglass(torch.cat([torch.zeros_like(heat[:, :1]), heat, warped], 1))
        contributions = mixed(self.maps(maps[-1]).float(), dropout)
        deformation = (contributions[..., None] * moves).sum(1)
        return DenseMotion(deformation, self._masks(maps), contributions)

    def _masks(self, maps: list[Tensor]) -> list[Tensor]:
        """Section 3.2: a mask a decoder layer; the last ones come from maps that are up-sampled for them."""
        sources = [maps[-1]]
        if self.form.many_masks:
            for block in self.up:
                sources.append(block(sources[-1]))
            below = len(self.occlusion) - len(sources)
            sources = [*maps[-1 - below : -1], *sources]
        return [torch.sigmoid(conv(x)) for conv, x in zip(self.occlusion, sources, strict=True)]


def mixed(logits: Tensor, dropout: float) -> Tensor:
    """Equation 5, and with ``dropout`` equations 7 and 8: softmax in which some splines take no part.

    The background, which comes first, always does; what is left weighs 1 / (1 - P).
    """
    if dropout <= 0:
        return torch.softmax(logits, 1)
    kept = torch.rand(logits.shape[:2], device=logits.device) >= dropout
    weight = kept.to(logits.dtype) / (1 - dropout)
    weight = torch.cat([torch.ones_like(weight[:, :1]), weight[:, 1:]], 1)[:, :, None, None]
    powers = weight * torch.exp(logits - logits.amax(1, keepdim=True))
    return powers / (powers.sum(1, keepdim=True) + 1e-6)


@dataclass(frozen=True)
class Inpainted:
    """What the inpainting network answers with."""

    prediction: Tensor
    """(N, 3, H, W)"""
    deformed: Tensor
    """The source picture warped by the deformation alone."""
    warped_maps: list[Tensor]
    """The encoder's maps, warped and masked, from the smallest to the largest: one side of equation 13. No gradient
    reaches the encoder through them."""


class InpaintingNetwork(nn.Module):
    """Section 3.2, figure 3: warps the encoder's maps of the source, masks them, fills in what is missing."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.many_masks = form.many_masks
        maps, steps = form.inpainting_channels(), form.inpainting_decoder()
        self.first = Block(3, maps[0], 7)
        pairs = zip(maps, maps[1:], strict=False)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairs)
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in steps)
        self.resblock = nn.ModuleList(ResidualBlock(a) for a, _ in steps for _ in range(2))
        self.final = nn.Conv2d(maps[0], 3, 7, padding=3)

    def encode(self, picture: Tensor) -> list[Tensor]:
        """The encoder's maps, from the largest to the smallest."""
        maps = [self.first(picture)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps

    def _mask(self, masks: list[Tensor], level: int, like: Tensor) -> Tensor:
        """The mask for the map ``level`` steps above the smallest."""
        if self.many_masks:
            return masks[level]
        return functional.interpolate(masks[0], size=like.shape[2:], mode="bilinear", align_corners=False)

    def forward(self, source: Tensor, maps: list[Tensor], motion: DenseMotion) -> Inpainted:
        """``maps``: what ``encode`` answers for ``source``."""
        warped, still = [], []
        for level, x in enumerate(reversed(maps)):
            grid = resized_grid(motion.deformation, x.shape[2], x.shape[3])
            mask = self._mask(motion.masks, level, x)
            warped.append(sampled(x, grid) * mask)
            if torch.is_grad_enabled():
                still.append(sampled(x.detach(), grid) * mask.detach())
        x = warped[0]
        for i, block in enumerate(self.up_blocks):
            x = block(self.resblock[2 * i + 1](self.resblock[2 * i](x)))
            if i + 1 < len(self.up_blocks):
                x = torch.cat([x, warped[i + 1]], 1)
        grid = resized_grid(motion.deformation, source.shape[2], source.shape[3])
        deformed = sampled(source, grid)
        mask = self._mask(motion.masks, len(maps) - 1, source)
        drawn = torch.sigmoid(self.final(x * (1 - mask) + warped[-1]))
        return Inpainted(drawn * (1 - mask) + deformed * mask, deformed, still)

    def masked_maps(self, picture: Tensor, masks: list[Tensor]) -> list[Tensor]:
        """The encoder's maps of the driving picture, masked, from the smallest to the largest: the other side of
        equation 13. Each layer learns from its own map alone; no gradient reaches the masks."""
        maps = [self.first(picture)]
        for block in self.down_blocks:
            maps.append(block(maps[-1].detach()))
        maps.reverse()
        return [x * self._mask(masks, level, x).detach() for level, x in enumerate(maps)]


class AvdNetwork(nn.Module):
    """Section 3.4: animation via disentanglement. The shape of one set of keypoints with the pose of another."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        numbers, code = form.keypoints * 2, form.bottleneck
        self.id_encoder = _dense((numbers, *AVD_WIDTHS, code))
        self.pose_encoder = _dense((numbers, *AVD_WIDTHS, code))
        self.decoder = _dense((2 * code, *AVD_WIDTHS[::-1], numbers))

    def forward(self, source_points: Tensor, driving_points: Tensor) -> Tensor:
        """(N, 5 K, 2): the source's keypoints as if it took the driving pose."""
        pose = self.pose_encoder(driving_points.flatten(1))
        shape = self.id_encoder(source_points.flatten(1))
        points: Tensor = self.decoder(torch.cat([pose, shape], 1))
        return points.view_as(source_points)


def _dense(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:-1], strict=False):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class Tpsmm(nn.Module):
    """All networks under the names that a checkpoint has for them."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.inpainting_network = InpaintingNetwork(form)
        self.kp_detector = KeypointDetector(form)
        self.dense_motion_network = DenseMotionNetwork(form)
        self.avd_network = AvdNetwork(form) if form.avd else None
        self.bg_predictor = BackgroundPredictor(form) if form.background else None

    def forward(
        self,
        source: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        background: Tensor | None = None,
        dropout: float = 0.0,
    ) -> tuple[Inpainted, DenseMotion]:
        """The source picture with the driving keypoints' pose."""
        dense = self.dense_motion_network
        motion = dense(dense.down(source), source_points, driving_points, background, dropout)
        return self.inpainting_network(source, self.inpainting_network.encode(source), motion), motion
