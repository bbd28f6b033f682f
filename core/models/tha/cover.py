# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in its square a student ever shows anything, so that the rest need not be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keywarp.core.models.base import Window
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

CELL = 32
"""Side of the cells that are computed or left out, in pixels of the square."""
MARGIN = 6
"""Pixels by which the cover is larger than what the probing poses showed."""
VISIBLE = 4 / 255
"""Opacity or premultiplied colour below which 8 bits show nothing."""
RANDOM_PROBES = 6


@dataclass(frozen=True)
class Cover:
    """Cells of the square in which something may be visible in some pose."""

    cells: npt.NDArray[np.bool_]
    """(16, 16)"""

    @classmethod
    def everything(cls) -> Cover:
        count = layout.SIDE // CELL
        return cls(np.ones((count, count), np.bool_))

    def fine_tiles(self, window: Window | None = None) -> list[tuple[int, int]]:
        """(left, top) of the covered cells that ``window`` touches."""
        left, top, right, bottom = window or (0, 0, layout.SIDE, layout.SIDE)
        rows, columns = np.nonzero(self.cells)
        return [
            (x, y)
            for x, y in zip((columns * CELL).tolist(), (rows * CELL).tolist(), strict=True)
            if x < right and x + CELL > left and y < bottom and y + CELL > top
        ]


def probing_poses() -> Iterator[Poses]:
    """Extremes of the pose space: rest, each moving channel alone, and random corners (the same every time)."""
    tha45 = space("tha45")
    low, high = tha45.minimum, tha45.maximum
    yield tha45.rest()
    for channel in range(layout.FACE_CHANNELS, layout.POSE_CHANNELS):
        for extreme in {low[channel], high[channel]} - {tha45.rest()[channel]}:
            pose = tha45.rest()
            pose[channel] = extreme
            yield pose
    random = np.random.Generator(np.random.PCG64(45))
    for _ in range(RANDOM_PROBES):
        pose = np.where(random.random(len(tha45)) < 0.5, low, high)
        # Expressions at all extremes at once are no face; half of the probes keep the rest expression.
        if random.random() < 0.5:
            pose[: layout.FACE_CHANNELS] = 0
        yield pose


def find_cover(model: str, square: FloatImage, answer: Callable[[Poses], FloatImage]) -> Cover:
    """The cover of the model with the content hash ``model`` for its picture ``square``; found once, then kept.

    ``answer`` maps a pose to the whole image, (512, 512, 4) in [0, 1].
    """
    key = content_hash(
        [model.encode(), np.ascontiguousarray(square).tobytes(), repr((CELL, MARGIN)).encode()]
    )

    def probe(folder: Path) -> None:
        seen = square.max(-1)
        for pose in probing_poses():
            seen = np.maximum(seen, answer(pose).max(-1))
        visible = cv2.dilate((seen > VISIBLE).astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8))
        count = layout.SIDE // CELL
        cells = visible.reshape(count, CELL, count, CELL).any((1, 3))
        np.save(folder / "cells.npy", cells)

    folder = cached_folder(f"cover-{key}", probe)
    return Cover(np.load(folder / "cells.npy", allow_pickle=False))
