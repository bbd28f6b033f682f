# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in its square a student ever shows anything, so that the rest need not be computed.

A student draws its background too, and leaves faint traces in it; they are no part of the character.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keywarp.core.models.base import Window
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.progress import report
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

COARSE_PIXELS = 256
"""Pixels of the coarse field that are computed together, wherever they are."""
MIDDLE_TILE, FINE_TILE = 32, 32
"""Sides of the tiles of the other fields, in their own pixels: features of one tile stay in a core's cache."""
MARGIN = 6
"""Pixels by which the cover is larger than what the probing poses showed."""
VISIBLE = 4 / 255
"""Opacity below which a student's traces in its background are noise."""
APART = 0.25
"""Opacity from which something apart from the character's rest picture is no noise."""
RANDOM_PROBES = 8

Tile = tuple[int, int]
#: Rows and columns of some pixels.
Pixels = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cover:
    """The pixels of the square in which something may be visible in some pose."""

    seen: Mask
    """(512, 512)"""

    @classmethod
    def everything(cls) -> Cover:
        return cls(np.ones((layout.SIDE, layout.SIDE), np.bool_))

    def plan(self, window: Window | None = None) -> Plan:
        """The tiles that answer for the covered pixels in ``window``."""
        fine = tiles_over(self.seen, FINE_TILE, 2)
        if window is not None:
            left, top, right, bottom = window
            fine = [
                (x, y)
                for x, y in fine
                if x < right and x + FINE_TILE > left and y < bottom and y + FINE_TILE > top
            ]
        middle = tiles_over(_below(fine, FINE_TILE, layout.LEVELS[1][0]), MIDDLE_TILE, 2)
        coarse = _chunks(_below(middle, MIDDLE_TILE, layout.LEVELS[0][0]), COARSE_PIXELS)
        return Plan(coarse, middle, fine, _rim(fine))


@dataclass(frozen=True)
class Plan:
    """What is computed of each field, in its own pixels.

    Tiles are given by (left, top). They do not overlap; the last of a row may reach beyond the right border.
    """

    coarse: list[Pixels]
    middle: list[Tile]
    fine: list[Tile]
    rim: FloatImage
    """(512, 512, 1): 1 on the pixels just outside of the fine tiles, else 0. The flow ends there."""


def _rim(fine: list[Tile]) -> FloatImage:
    inside = np.zeros((layout.SIDE, layout.SIDE), np.uint8)
    for left, top in fine:
        inside[top : top + FINE_TILE, left : left + FINE_TILE] = 1
    around = cv2.dilate(inside, np.ones((5, 5), np.uint8)) - inside
    rim: FloatImage = around.astype(np.float32)[..., None]
    return rim


def tiles_over(mask: Mask, side: int, step: int) -> list[Tile]:
    """Square tiles that hold every marked pixel, row by row, each as far right as it can begin, at multiples of
    ``step``."""
    tiles = []
    for top in range(0, mask.shape[0], side):
        columns = np.flatnonzero(mask[top : top + side].any(0))
        reached = 0
        for column in columns.tolist():
            if column >= reached:
                left = max(column // step * step, reached)
                tiles.append((left, top))
                reached = left + side
    return tiles


def _chunks(mask: Mask, count: int) -> list[Pixels]:
    """The marked pixels, ``count`` at a time; the last chunk is filled up with its last pixel."""
    rows, columns = np.nonzero(mask)
    short = -len(rows) % count
    padded = (np.pad(axis, (0, short), mode="edge") for axis in (rows, columns) if len(axis))
    axes = [np.split(axis, len(axis) // count) for axis in padded]
    return list(zip(*axes, strict=True))


def _below(tiles: list[Tile], side: int, lower_side: int) -> Mask:
    """(lower_side, lower_side): what the tiles and their ring of neighbours are up-sampled from."""
    mask = np.zeros((lower_side, lower_side), np.bool_)
    for left, top in tiles:
        x, y = left // 2, top // 2
        mask[max(y - 1, 0) : y + side // 2 + 1, max(x - 1, 0) : x + side // 2 + 1] = True
    return mask


def probing_poses() -> Poses:
    """(N, 45), the extremes of the pose space: each channel that moves the body alone, every corner of these channels
    with the chest full of breath, which is its largest, and corners of the whole space, at random (the same every
    time)."""
    tha45 = space("tha45")
    rest, low, high = tha45.rest(), tha45.minimum, tha45.maximum
    moving = range(layout.FACE_CHANNELS, layout.POSE_CHANNELS)
    poses = [rest]
    for channel in moving:
        for extreme in {low[channel], high[channel]} - {rest[channel]}:
            poses.append(rest.copy())
            poses[-1][channel] = extreme
    for corner in product(*((low[channel], high[channel]) for channel in moving[:-1])):
        poses.append(high.copy())
        poses[-1][:-1] = [*rest[: layout.FACE_CHANNELS], *corner]
    random = np.random.Generator(np.random.PCG64(45))
    poses += [np.where(random.random(len(tha45)) < 0.5, low, high) for _ in range(RANDOM_PROBES)]
    return np.stack(poses)


def find_cover(model: str, square: FloatImage, answer: Callable[[Poses, Cover], FloatImage]) -> Cover:
    """The cover of the model with the content hash ``model`` for its picture ``square``; found once, then kept.

    ``answer`` maps a pose to the image, (512, 512, 4) in [0, 1], of which only what a cover holds need be right.
    """
    poses = probing_poses()
    parts = [model.encode(), np.ascontiguousarray(square).tobytes(), poses.tobytes()]
    key = content_hash([*parts, repr((MARGIN, VISIBLE, APART)).encode()])

    def probe(folder: Path) -> None:
        seen = square[..., 3].copy()
        for done, pose in enumerate(poses):
            report("finding what of the picture moves", done / len(poses))
            # What has been seen clearly need not be looked at again.
            unsure = seen <= APART
            seen[unsure] = np.maximum(seen, answer(pose, Cover(unsure))[..., 3])[unsure]
        np.save(folder / "seen.npy", covered(square[..., 3], seen))

    folder = cached_folder(f"cover-{key}", probe)
    return Cover(np.load(folder / "seen.npy", allow_pickle=False))


def covered(rest: FloatImage, seen: FloatImage) -> Mask:
    """The cover of a character with the opacity ``rest`` that was ``seen`` with up to that opacity, both (h, w)."""
    visible = cv2.dilate((seen > VISIBLE).astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8))
    count, labels = cv2.connectedComponents(visible)
    real = np.zeros(count, np.bool_)
    real[np.unique(labels[(rest > VISIBLE) | (seen > APART)])] = True
    real[0] = False
    character: Mask = real[labels]
    return character
