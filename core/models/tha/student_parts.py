# SPDX-License-Identifier: GPL-3.0-or-later
"""The student's networks at some of their pixels: what a step of training on a CPU can afford.

Both are functions of a pixel's place and the pose (papers: Talking Head Anime 4, section 4), so any part of the
square can be asked for alone. What opens a substep is computed on the field below and then up-sampled, which is
the same, since a 1x1 convolution commutes with bilinear up-sampling; the pose's part of a layer is one vector for
all pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher


def _matrix(layer: nn.Conv2d) -> Tensor:
    """A 1x1 convolution's weights, (outputs, inputs)."""
    return layer.weight.flatten(1)


def _hidden(sine: nn.Module, x: Tensor) -> Tensor:
    linear: nn.Conv2d = sine.linear  # type: ignore[assignment]
    return torch.sin(layout.OMEGA * functional.linear(x, _matrix(linear), linear.bias))


def centres(pixels: Tensor, side: int) -> Tensor:
    """Pixels of a field, counted from 0, to their centres in [-1, 1]; those outside are taken as the border's."""
    return (2 * pixels.clamp(0, side - 1) + 1) / side - 1


def face_at(face: FaceMorpher, pose: Tensor, pixels: Tensor) -> Tensor:
    """(N, P, 4): the face morpher at ``pixels``, (N, P), numbered by rows from 0; ``pose`` (N, 39)."""
    side = layout.FACE_SIDE
    place = torch.stack([centres(pixels % side, side), centres(pixels // side, side)], -1)
    first, *others = face.siren.sine_layers.children()
    linear: nn.Conv2d = first.linear  # type: ignore[assignment]
    by_place, by_pose = torch.split(_matrix(linear), [2, layout.FACE_CHANNELS], 1)
    common = functional.linear(pose, by_pose, linear.bias)[:, None]
    x = torch.sin(layout.OMEGA * (functional.linear(place, by_place) + common))
    for sine in others:
        x = _hidden(sine, x)
    last = face.siren.last_linear
    return functional.linear(x, _matrix(last), last.bias)


def body_at(body: BodyRotator, pose: Tensor, corners: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The last layer's answer on tiles, (N, C, T * side, side) with the tiles of an example below each other, and
    the places of its pixels, (N, 2, T * side, side).

    ``pose`` (N, 45); ``corners`` (N, T, 2): (left, top) of each tile in pixels of the square. Corners and ``side``
    are multiples of ``TILE_STEP``.
    """
    x: Tensor | None = None
    for level, field in zip(body.siren_layers, body.sides, strict=True):
        by = layout.SIDE // field
        ring = 0 if by == 1 else 1  # up-sampling takes a pixel around the tile
        along = torch.arange(-ring, side // by + ring, device=pose.device)
        place = [centres(corners[..., axis, None] // by + along, field) for axis in (0, 1)]
        x = _substep(level, x, place, pose)
    assert x is not None
    last = body.last_linear
    out = functional.linear(x, _matrix(last), last.bias)
    n, tiles = corners.shape[:2]
    where = torch.stack(
        [place[0][:, :, None].expand(-1, -1, side, -1), place[1][..., None].expand(-1, -1, -1, side)], 2
    )
    return (
        out.permute(0, 4, 1, 2, 3).reshape(n, -1, tiles * side, side),
        where.permute(0, 2, 1, 3, 4).reshape(n, 2, tiles * side, side),
    )


def _substep(level: nn.Module, below: Tensor | None, place: list[Tensor], pose: Tensor) -> Tensor:
    """Three layers at ``place`` (x, y), (N, T, s) each, on features of the field below, (N, T, r, r, C): (N, T,
    s, s, C)."""
    opening, *others = level.children()
    linear: nn.Conv2d = opening.linear  # type: ignore[assignment]
    matrix = _matrix(linear)
    carried = matrix.shape[1] - 2 - layout.POSE_CHANNELS
    by_feature, by_place, by_pose = torch.split(matrix, [carried, 2, layout.POSE_CHANNELS], 1)
    across, down = by_place[:, 0], by_place[:, 1]
    z = place[0][:, :, None, :, None] * across + place[1][..., None, None] * down
    z = z + functional.linear(pose, by_pose, linear.bias)[:, None, None, None]
    if below is not None:
        z = z + _raised(functional.linear(below, by_feature), place[0].shape[-1])
    x = torch.sin(layout.OMEGA * z)
    for sine in others:
        x = _hidden(sine, x)
    return x


def _raised(x: Tensor, side: int) -> Tensor:
    """(N, T, r, r, C) on a tile's part of the field below to (N, T, side, side, C): bilinear, align_corners False."""
    if x.shape[-2] == side:
        return x
    matrix = _raising(side, x.shape[-2], x.device)
    rows = torch.einsum("ai,ntijc->ntajc", matrix, x)
    return torch.einsum("bj,ntajc->ntabc", matrix, rows)


def _raising(side: int, below: int, device: torch.device) -> Tensor:
    """(side, below): up-sampling by 2 along an axis; both begin a pixel before the tile, but the finest field."""
    matrix = torch.zeros(side, below, device=device)
    first = -1 if below == side // 2 + 1 else 0
    for row in range(side):
        pixel = row + first
        near = (pixel // 2) + 1
        far = near - 1 if pixel % 2 == 0 else near + 1
        matrix[row, near] += 0.75
        matrix[row, far] += 0.25
    return matrix
