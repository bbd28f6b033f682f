# SPDX-License-Identifier: GPL-3.0-or-later
"""The colour under transparent pixels of straight-alpha files.

A program that filters straight alpha (scales, rotates) mixes the colour of a transparent pixel into
its neighbours; black there shows as a dark fringe. So transparent pixels near the character carry
its colour: those that touch it the mean of what they touch, the others that of their block or of
the blocks around. Blocks of one colour compress to next to nothing.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
#: Rows and columns of blocks.
Blocks = tuple[Indices, ...]

BLOCK = 8

#: A hidden colour depends on no pixel further away than this. A part of a frame that is rendered
#: with so many pixels more on every side, then cropped, equals the crop of the whole exactly.
REACH = 2 * BLOCK


class HiddenColour:
    """Fills in the colour of a frame's transparent pixels; made before its alpha is known.

    ``pixels`` is (H, W, 4), uint8 or uint16, straight alpha, contiguous, changed in place. ``origin``
    is the (x, y) place of its first pixel in the whole frame, to whose coordinates the blocks are
    aligned. ``alpha`` is the (H, W) plane to write, 0..255: 0 exactly where a pixel is transparent.
    """

    def __init__(self, pixels: Pixels, origin: tuple[int, int] = (0, 0)) -> None:
        self.pixels = pixels
        #: One unsigned number per pixel, all four channels: what is moved about.
        self._words: npt.NDArray[Any] = pixels.view(f"u{4 * pixels.itemsize}").ravel()
        height, width = pixels.shape[:2]
        self._top, self._left = BLOCK + origin[1] % BLOCK, BLOCK + origin[0] % BLOCK
        rows, columns = (self._top + height) // BLOCK + 2, (self._left + width) // BLOCK + 2
        # Whole blocks and a border of them; what lies outside the frame weighs nothing.
        self._plane: Bytes = np.zeros((rows * BLOCK, columns * BLOCK), np.uint8)
        self.alpha: Bytes = self._plane[self._top : self._top + height, self._left : self._left + width]

    def fill(self) -> None:
        """Colour the transparent pixels within reach of visible ones; visible pixels stay as they are."""
        occupied, whole = self._blocks()
        if not occupied.any() or whole.all():
            return
        mixed = occupied & ~whole
        beside = _grow(occupied) & ~occupied
        sources = np.nonzero(mixed | (occupied & _grow(beside)))
        colours = np.zeros((*mixed.shape, 4), np.float32)
        colours[sources] = self._means(sources)
        around = cv2.boxFilter(colours, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)[beside]
        colours[beside] = around / around[:, 3:]
        self._paint(np.nonzero(mixed | beside), colours)

    def _blocks(self) -> tuple[Mask, Mask]:
        """Per block: whether any pixel is visible, and whether all are."""
        rows = self._plane.reshape(-1, BLOCK, self._plane.shape[1])
        highest, lowest = rows[:, 0].copy(), rows[:, 0].copy()
        for i in range(1, BLOCK):
            np.maximum(highest, rows[:, i], out=highest)
            np.minimum(lowest, rows[:, i], out=lowest)
        # Eight pixels of a row are one 64-bit word.
        return highest.view(np.uint64) != 0, ~((lowest == 0).view(np.uint64) != 0)

    def _members(self, blocks: Blocks) -> tuple[Indices, Indices, Mask]:
        """(n, 8, 8) each: the blocks' pixels as flat indices into the plane, and into the frame.

        Outside the frame the latter are those of the nearest pixel; the mask says which are inside.
        """
        height, width = self.pixels.shape[:2]
        step = np.arange(BLOCK)
        y = (blocks[0][:, None] * BLOCK + step)[:, :, None]
        x = (blocks[1][:, None] * BLOCK + step)[:, None, :]
        plane = y * self._plane.shape[1] + x
        y, x = y - self._top, x - self._left
        inside = (y >= 0) & (y < height) & ((x >= 0) & (x < width))
        return plane, np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1), inside

    def _means(self, blocks: Blocks) -> npt.NDArray[np.float32]:
        """(n, 4): the blocks' mean colours, weighted by alpha, and a 1."""
        plane, frame, _ = self._members(blocks)
        weight = self._plane.take(plane).astype(np.float32)
        total = weight.sum(axis=(1, 2))
        sums = [np.einsum("nyx,nyx->n", weight, self._channel(c, frame)) for c in range(3)]
        return np.asarray(np.stack([*sums, total], axis=-1) / total[:, None])

    def _channel(self, channel: int, frame: Indices) -> npt.NDArray[np.float32]:
        """One channel of these pixels of the frame."""
        return self.pixels.ravel().take(4 * frame + channel).astype(np.float32)

    def _paint(self, blocks: Blocks, colours: npt.NDArray[np.float32]) -> None:
        plane, frame, inside = self._members(blocks)
        hidden = (self._plane.take(plane) == 0) & inside
        block = np.repeat(np.arange(len(plane)), hidden.sum(axis=(1, 2)))
        plane, frame = plane[hidden], frame[hidden]
        words = np.rint(colours[blocks]).astype(self.pixels.dtype)
        words[:, 3] = 0
        values = words.view(self._words.dtype)[:, 0][block]
        self._blend_touched(plane, frame, values)
        self._words[frame] = values

    def _blend_touched(self, plane: Indices, frame: Indices, values: npt.NDArray[Any]) -> None:
        """Put the mean of the visible pixels among the eight around into ``values``, where any are."""
        width = self._plane.shape[1]
        offsets = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
        near = cv2.dilate(self._plane, np.ones((3, 3), np.uint8)).take(plane)
        touching = np.flatnonzero(near)
        plane, frame = plane[touching], frame[touching]
        total = np.zeros((4, len(touching)), np.float32)
        for dy, dx in offsets:
            weight = self._plane.take(plane + (dy * width + dx)).astype(np.float32)
            at = frame + (dy * self.pixels.shape[1] + dx)
            # Beyond the frame's ends any pixel will do: it weighs nothing.
            np.clip(at, 0, len(self._words) - 1, out=at)
            for c in range(3):
                total[c] += weight * self._channel(c, at)
            total[3] += weight
        mean = np.rint(total / total[3]).T.astype(self.pixels.dtype, order="C")
        mean[:, 3] = 0
        values[touching] = mean.view(self._words.dtype)[:, 0]


def _grow(mask: Mask) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
