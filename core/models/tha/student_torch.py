# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student in PyTorch, layer by layer as published: for training, and to measure the fast forms against.

papers: Talking Head Anime 4, section 4.1 and figures 2 to 4. Images here are in network space: (N, 4, H, W),
premultiplied, linear light, [-1, 1]. Module names are those of the published checkpoints.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tha import student_layout as layout


class Sine(nn.Module):
    """sin(OMEGA (W x + b)) at every pixel (SIREN, the paper's reference [79])."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(layout.OMEGA * self.linear(x))


def place_grid(side: int, like: Tensor) -> Tensor:
    """(N, 2, side, side): x and y of every pixel's centre in [-1, 1]."""
    identity = torch.eye(2, 3, device=like.device, dtype=like.dtype)[None]
    grid = functional.affine_grid(identity, [1, 1, side, side], align_corners=False)
    return grid.permute(0, 3, 1, 2).expand(like.shape[0], -1, -1, -1)


def place_and_pose(pose: Tensor, side: int) -> Tensor:
    """(N, 2 + C, side, side): every pixel's place, and the pose, (N, C), repeated at every pixel."""
    spread = pose[:, :, None, None].expand(-1, -1, side, side)
    return torch.cat([place_grid(side, pose), spread], 1)


class Siren(nn.Module):
    """Sine layers of one width, then a linear one."""

    def __init__(self, inputs: int, width: int, sines: int, outputs: int) -> None:
        super().__init__()
        layers = [Sine(inputs if i == 0 else width, width) for i in range(sines)]
        self.sine_layers = nn.Sequential(*layers)
        self.last_linear = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last_linear(self.sine_layers(x))
        return out


class FaceMorpher(nn.Module):
    """Figure 3: nine fully connected layers draw the 128x128 pixels of the face."""

    def __init__(self) -> None:
        super().__init__()
        self.siren = Siren(2 + layout.FACE_CHANNELS, layout.FACE_WIDTH, layout.FACE_SINES, 4)

    def forward(self, pose: Tensor) -> Tensor:
        """(N, 39) to (N, 4, 128, 128)."""
        out: Tensor = self.siren(place_and_pose(pose, layout.FACE_SIDE))
        return out


class BodyRotator(nn.Module):
    """Figure 4: three substeps on 128, 256 and 512 pixels, then the teacher's image formation."""

    def __init__(self, variant: layout.Variant = layout.VARIANTS[layout.PUBLISHED]) -> None:
        super().__init__()
        extra = 2 + layout.POSE_CHANNELS
        widths = [width for _, width in layout.LEVELS]
        self.variant = variant
        self.sides = [side if variant.several_resolutions else layout.SIDE for side, _ in layout.LEVELS]
        levels = []
        for i, width in enumerate(widths):
            opening = extra if i == 0 else width + extra
            narrowed = widths[min(i + 1, len(widths) - 1)]
            levels.append(nn.Sequential(Sine(opening, width), Sine(width, width), Sine(width, narrowed)))
        self.siren_layers = nn.ModuleList(levels)
        self.last_linear = nn.Conv2d(widths[-1], 7 if variant.warps else 4, 1)

    def forward(self, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """The picture with its face morphed, (N, 4, 512, 512), and the pose, (N, 45), to the ``image``, the
        backward ``flow`` (N, 2, 512, 512), the ``warped`` picture, the ``drawn`` one and the ``alpha`` between."""
        x = pose
        for level, side in zip(self.siren_layers, self.sides, strict=True):
            local = place_and_pose(pose, side)
            if x is not pose:
                wider = functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
                local = torch.cat([wider, local], 1)
            x = level(local)
        return self.formed(self.last_linear(x), place_grid(layout.SIDE, pose), picture)

    def formed(self, out: Tensor, places: Tensor, picture: Tensor) -> dict[str, Tensor]:
        """Image formation at ``places``, (N, 2, h, w), from what the last layer answers there."""
        if not self.variant.warps:
            return {"image": out, "drawn": out}
        flow, alpha, drawn = out[:, :2], out[:, 2:3], out[:, 3:]
        warped = sampled(picture, places + flow)
        image = (1 - alpha) * warped + alpha * drawn
        return {"image": image, "flow": flow, "warped": warped, "drawn": drawn, "alpha": alpha}


def sampled(picture: Tensor, places: Tensor) -> Tensor:
    """``picture`` at ``places``, (N, 2, h, w) in [-1, 1]: bilinear, align_corners False, the border clamped."""
    grid = places.permute(0, 2, 3, 1)
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


_QUIET = 0.1
"""Of what SIREN's last layer would begin with, where it answers a flow: else the flow begins as a noise of 15 pixels,
which takes longer to unlearn than the motion to learn."""


def initialise(network: FaceMorpher | BodyRotator) -> None:
    """As SIREN begins (the paper's reference [79], section 3.2 and its supplement): weights of the network's
    first layer uniform within 1 / inputs, of all others within sqrt(6 / inputs) / OMEGA. Biases as PyTorch begins
    them. The paper does not say how layers begin that take places and poses beside features: here as those in
    between; nor how a flow begins: here near 0."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for number, layer in enumerate(convolutions):
            inputs = layer.in_channels
            reach = 1 / inputs if number == 0 else math.sqrt(6 / inputs) / layout.OMEGA
            layer.weight.uniform_(-reach, reach)
        if isinstance(network, BodyRotator) and network.variant.warps:
            network.last_linear.weight.mul_(_QUIET)


def pose_picture(face: FaceMorpher, body: BodyRotator, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
    """Figure 2: the morphed face takes its place in the picture, (N, 4, 512, 512); the body rotator poses it."""
    answer: dict[str, Tensor] = body(with_face(picture, face(pose[:, : layout.FACE_CHANNELS])), pose)
    return answer


def with_face(picture: Tensor, face: Tensor) -> Tensor:
    """The picture, (1 or N, 4, 512, 512), with a face, (N, 4, 128, 128), in its place."""
    morphed = picture.repeat(len(face) // len(picture), 1, 1, 1)
    top, left, side = layout.FACE_TOP, layout.FACE_LEFT, layout.FACE_SIDE
    morphed[:, :, top : top + side, left : left + side] = face
    return morphed
