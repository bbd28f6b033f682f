# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student in PyTorch, layer by layer as published: for training, and to measure the fast forms against.

papers: Talking Head Anime 4, section 4.1 and figures 2 to 4. Images here are in network space: (N, 4, H, W),
premultiplied, linear light, [-1, 1]. Module names are those of the published checkpoints.
"""

from __future__ import annotations

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

    def __init__(self) -> None:
        super().__init__()
        extra = 2 + layout.POSE_CHANNELS
        widths = [width for _, width in layout.LEVELS]
        levels = []
        for i, width in enumerate(widths):
            opening = extra if i == 0 else width + extra
            narrowed = widths[min(i + 1, len(widths) - 1)]
            levels.append(nn.Sequential(Sine(opening, width), Sine(width, width), Sine(width, narrowed)))
        self.siren_layers = nn.ModuleList(levels)
        self.last_linear = nn.Conv2d(widths[-1], 7, 1)

    def forward(self, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
        """The picture with its face morphed, (N, 4, 512, 512), and the pose, (N, 45), to the ``image``, the
        backward ``flow`` (N, 2, 512, 512), the ``warped`` picture, the ``drawn`` one and the ``alpha`` between."""
        x = pose
        for level, (side, _) in zip(self.siren_layers, layout.LEVELS, strict=True):
            local = place_and_pose(pose, side)
            if x is not pose:
                wider = functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
                local = torch.cat([wider, local], 1)
            x = level(local)
        out = self.last_linear(x)
        flow, alpha, drawn = out[:, :2], out[:, 2:3], out[:, 3:]
        grid = (place_grid(layout.SIDE, pose) + flow).permute(0, 2, 3, 1)
        warped = functional.grid_sample(
            picture, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        image = (1 - alpha) * warped + alpha * drawn
        return {"image": image, "flow": flow, "warped": warped, "drawn": drawn, "alpha": alpha}


def pose_picture(face: FaceMorpher, body: BodyRotator, picture: Tensor, pose: Tensor) -> dict[str, Tensor]:
    """Figure 2: the morphed face takes its place in the picture, (N, 4, 512, 512); the body rotator poses it."""
    morphed = picture.clone()
    top, left, side = layout.FACE_TOP, layout.FACE_LEFT, layout.FACE_SIDE
    morphed[:, :, top : top + side, left : left + side] = face(pose[:, : layout.FACE_CHANNELS])
    answer: dict[str, Tensor] = body(morphed, pose)
    return answer
