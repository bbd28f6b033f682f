# SPDX-License-Identifier: GPL-3.0-or-later
"""HFWB's two stages in PyTorch (papers: HFWB, section IV).

Pictures are in network space, (N, 4, H, W) in [-1, 1] (``blocks.to_network``): the paper's RGB, with alpha. The face
stage is the mask-guided generator; the head stage is the iterative grid generator, and the hierarchical feature
warping and blending generator, which warps features instead of the picture.

Where the paper is silent, its ancestors decide: GANimation (Pumarola et al. 2018) for the encoders and for the mask
generator's two heads, the GRU (Cho et al. 2014) for the functions behind the convolutions of eqs. 2 to 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.blocks import tiled, warp
from keywarp.core.models.hfwb.settings import Settings, face_columns, head_columns

LEVELS = 3
"""Halvings: features are warped at a half, a quarter and an eighth of the side (section IV-C: 256, 128 and 64)."""


def widths(width: int) -> list[int]:
    """Channels at full size and after each halving."""
    return [width * min(2**level, 8) for level in range(LEVELS + 1)]


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, instance normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False),
        nn.InstanceNorm2d(outputs, affine=True),
        nn.ReLU(),
    )


class Up(nn.Sequential):
    """Twice the size, bilinearly, then a convolution: transposed ones draw chequers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), conv(inputs, outputs)
        )


class Residual(nn.Module):
    """Two convolutions with instance normalisation; what goes in is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            conv(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


def residuals(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))


class Encoder(nn.Module):
    """A picture, and what is tiled beside it, to features of every size."""

    def __init__(self, inputs: int, width: int, levels: int = LEVELS) -> None:
        super().__init__()
        w = widths(width)
        self.opening = conv(inputs, w[0], 7)
        self.down = nn.ModuleList(conv(w[i], w[i + 1], 4, 2) for i in range(levels))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features from full size down."""
        features = [self.opening(x)]
        for layer in self.down:
            features.append(layer(features[-1]))
        return features


class MaskGenerator(nn.Module):
    """G_mask (section IV-A-a): the face's pose to a content image C and a mask M of what stays (eq. 1)."""

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        w = widths(settings.width)
        self.encoder = Encoder(4 + poses, settings.width, 2)
        self.blocks = residuals(w[2], settings.mask_blocks)
        self.up = nn.Sequential(Up(w[2], w[1]), Up(w[1], w[0]))
        self.content = nn.Conv2d(w[0], 4, 7, padding=3)
        self.mask = nn.Conv2d(w[0], 1, 7, padding=3)
        with torch.no_grad():
            self.mask.bias.fill_(2.0)  # type: ignore[union-attr]

    def forward(self, picture: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """(the picture with the expression changed, M), (N, 4, H, W) and (N, 1, H, W)."""
        x = self.encoder(torch.cat([picture, tiled(pose, picture)], 1))[-1]
        x = self.up(self.blocks(x))
        mask = torch.sigmoid(self.mask(x))
        return mask * picture + (1 - mask) * torch.tanh(self.content(x)), mask


class GridGenerator(nn.Module):
    """G_grid (section IV-B): the head's pose to a backward flow, (N, 2, H, W), by steps of a k-th of the pose.

    Every step adds its small pose to the features, goes through the residual blocks, which all steps share, and by
    a mask and a content feature (the attention layer) takes over as much of the result as it wants.
    """

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        w = widths(settings.width)
        self.steps, self.reach = settings.steps, settings.reach
        self.quarter = settings.variant == "baseline_up"
        self.encoder = Encoder(4, settings.width)
        self.pose = nn.Linear(poses, w[3], bias=False)
        self.blocks = residuals(w[3], settings.grid_blocks)
        self.attention = nn.Conv2d(w[3], w[3], 3, padding=1)
        self.content = nn.Conv2d(w[3], w[3], 3, padding=1)
        ups = [(w[3], w[2]), (w[2], w[1]), (w[1], w[0])][: 1 if self.quarter else 3]
        self.up = nn.Sequential(*(Up(a, b) for a, b in ups))
        self.grid = nn.Conv2d(ups[-1][1], 2, 7, padding=3)
        nn.init.normal_(self.grid.weight, std=1e-3)
        nn.init.zeros_(self.grid.bias)  # type: ignore[arg-type]

    def forward(self, picture: Tensor, pose: Tensor) -> Tensor:
        features = self.encoder(picture)[-1]
        step = self.pose(pose / self.steps)[:, :, None, None]
        for _ in range(self.steps):
            inner = self.blocks(features + step)
            keep = torch.sigmoid(self.attention(inner))
            features = keep * features + (1 - keep) * self.content(inner)
        flow = torch.tanh(self.grid(self.up(features))) * self.reach
        if self.quarter:
            flow = functional.interpolate(flow, scale_factor=4.0, mode="bilinear", align_corners=False)
        return flow


class SelectiveFusion(nn.Module):
    """SFU (section IV-C, eqs. 2 to 5): a level's warped features and the fused ones of the level below.

    In eq. 5 f_l is read as f_u, the same features enlarged: the sizes would not agree otherwise.
    """

    def __init__(self, channels: int, below: int) -> None:
        super().__init__()
        self.up = Up(below, channels)
        self.reset = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.update = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, here: Tensor, below: Tensor) -> Tensor:
        """f_o, of the size of ``here`` (f_i); ``below`` (f_l) has half of it."""
        enlarged = self.up(below)
        both = torch.cat([here, enlarged], 1)
        reset, update = torch.sigmoid(self.reset(both)), torch.sigmoid(self.update(both))
        candidate = torch.tanh(self.candidate(torch.cat([enlarged * reset, here], 1)))
        fused: Tensor = update * candidate + (1 - update) * enlarged
        return fused


class BlendGenerator(nn.Module):
    """The hierarchical feature warping and blending generator (section IV-C)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        w = widths(settings.width)
        self.encoder = Encoder(4, settings.width)
        self.fusion = nn.ModuleList(SelectiveFusion(w[level], w[level + 1]) for level in (2, 1))
        self.blocks = residuals(w[3], settings.blend_blocks)
        self.up = nn.ModuleList((Up(w[3], w[2]), Up(2 * w[2], w[1]), Up(2 * w[1], w[0])))
        self.closing = nn.Conv2d(w[0], 4, 7, padding=3)

    def forward(self, picture: Tensor, flow: Tensor) -> Tensor:
        """The picture, (N, 4, H, W), with its features at three sizes moved by ``flow``, (N, 2, H, W)."""
        features = self.encoder(picture)[1:]
        warped = []
        for feature in features:
            flow = functional.avg_pool2d(flow, 2)
            warped.append(warp(feature, flow).to(feature.dtype))
        x = self.blocks(warped[2])
        fused = warped[2]
        for fusion, up, here in zip(self.fusion, self.up, (warped[1], warped[0]), strict=False):
            fused = fusion(here, fused)
            x = torch.cat([up(x), fused], 1)
        return torch.tanh(self.closing(self.up[2](x)))


class AutoEncoder(nn.Module):
    """*Baseline* of section V-D: picture and head pose in, the turned picture out, without a grid."""

    def __init__(self, settings: Settings, poses: int) -> None:
        super().__init__()
        w = widths(settings.width)
        self.encoder = Encoder(4 + poses, settings.width)
        self.blocks = residuals(w[3], settings.blend_blocks)
        self.up = nn.Sequential(Up(w[3], w[2]), Up(w[2], w[1]), Up(w[1], w[0]))
        self.closing = nn.Conv2d(w[0], 4, 7, padding=3)

    def forward(self, picture: Tensor, pose: Tensor) -> Tensor:
        x = self.encoder(torch.cat([picture, tiled(pose, picture)], 1))[-1]
        return torch.tanh(self.closing(self.up(self.blocks(x))))


class Hfwb(nn.Module):
    """Both stages; poses come in their space's own units, (N, C)."""

    def __init__(self, settings: Settings, space_name: str, rest: Tensor) -> None:
        """``rest``: (C,), the pose that shows the picture as it is."""
        super().__init__()
        self._face, self._head = face_columns(space_name), head_columns(space_name)
        self._variant = settings.variant
        self.mask = MaskGenerator(settings, len(self._face))
        if settings.variant == "baseline":
            self.blend: nn.Module | None = AutoEncoder(settings, len(self._head))
            self.grid = None
        else:
            self.grid = GridGenerator(settings, len(self._head))
            self.blend = BlendGenerator(settings) if settings.variant == "full" else None
        self.register_buffer("rest", rest, persistent=False)

    def face(self, picture: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """The face stage: (picture with the expression, mask of what stays)."""
        at: Tensor = self.rest[self._face]  # type: ignore[index]
        # Told as the change from rest, an unchanged face is the same question in every pose space.
        changed: tuple[Tensor, Tensor] = self.mask(picture, pose[:, self._face] - at)
        return changed

    def flow(self, picture: Tensor, pose: Tensor) -> Tensor:
        """The grid, as a backward flow (N, 2, H, W); 0 where the variant has none."""
        if self.grid is None:
            return torch.zeros_like(picture[:, :2])
        out: Tensor = self.grid(picture, pose[:, self._head] - self.rest[self._head])  # type: ignore[index]
        return out

    def turned(self, picture: Tensor, flow: Tensor, pose: Tensor) -> Tensor:
        """The head stage's picture."""
        if self._variant == "full":
            out: Tensor = self.blend(picture, flow)  # type: ignore[misc]
            return out
        if self._variant == "baseline":
            out = self.blend(picture, pose[:, self._head] - self.rest[self._head])  # type: ignore[misc,index]
            return out
        return warp(picture, flow)

    def forward(self, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """``image``, ``warped`` and ``face`` in network space, ``flow``, and ``mask``, what the face stage keeps."""
        face, mask = self.face(picture, pose)
        flow = self.flow(face, pose)
        return {
            "image": self.turned(face, flow, pose),
            "warped": warp(picture, flow),
            "face": face,
            "flow": flow.float(),
            "mask": mask,
        }


class Critic(nn.Module):
    """D of eq. 8: strided convolutions, leaky ReLU, no normalisation; how real each part looks, (N, 1, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = widths(width)
        layers: list[nn.Module] = []
        for a, b in ((4, w[0]), (w[0], w[1]), (w[1], w[2]), (w[2], w[3])):
            layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.01)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(w[3], 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.layers(image)
        return out

    def realism(self, image: Tensor) -> Tensor:
        """Averaged over the image: (N,)."""
        return self(image).mean((1, 2, 3))  # type: ignore[no-any-return]
