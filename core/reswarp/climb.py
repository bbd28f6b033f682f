# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's low-resolution image up the small levels of the pyramid.

All of them together have fewer than a tenth of the frame's pixels. At the largest of them the gate is applied: the
plainly enlarged image stands where the picture's detail is not kept.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.resample import Affine
from keywarp.core.reswarp.finest import TILE, Below, Plan
from keywarp.core.reswarp.gate import Gated
from keywarp.core.reswarp.pyramid import Box, Level, enlarged_part, intersection
from keywarp.core.reswarp.sampling import Enlarged, Sampled
from keywarp.core.runtime.session import in_parallel

BAND = 64
"""Rows that are made together: their images stay in the cache between one operation and the next."""
REDRAWN = 32
"""Side of the tiles that are drawn anew where detail is lost."""
REACH = 3
"""Pixels around what is asked of a level that the next one's up-sampling may look at."""
NOTHING_LOST = 1e-3
"""A share of detail too small to be missed."""


class Climb:
    """One motion on its way up."""

    def __init__(self, levels: list[Level], gated: Gated, square_to_frame: Affine) -> None:
        """``levels`` from full size down; their ``square_to_frame``: see ``ResWarp``."""
        self._levels, self._gated = levels, gated
        # Flow in pixels of the frame, and the share that is kept: four channels are warped faster than three.
        flow = cv2.split(cv2.transform(gated.flow, square_to_frame[:, :2].astype(np.float32)))
        self._map = Sampled.of(cv2.merge([*flow, gated.kept, gated.kept]), clamped=True)
        self._image = Sampled.of(gated.image, clamped=True)
        # The residual reaches a low-resolution pixel beyond what is seen.
        self._shown = cv2.dilate(gated.shown, np.ones((5, 5), np.uint8))
        self._lossy = (gated.kept < 1 - NOTHING_LOST).astype(np.uint8) & self._shown

    def below(self, window: Box) -> Below:
        """The level below full size, as far as a window of full size (in its pixels) is made from it."""
        small = self._levels[1:]
        boxes, asked = [], window
        for larger, level in pairwise(self._levels):
            by = level.scale // larger.scale
            a, b, c, d = asked
            asked = intersection(
                (a // by - REACH, b // by - REACH, -(-c // by) + REACH, -(-d // by) + REACH), level.box
            )
            boxes.append(asked)
        below: Below | None = None
        for level, box in zip(reversed(small), reversed(boxes), strict=True):
            below = self._drawn(level, box, below)
        assert below is not None
        self._redraw(small[0], below)
        below.clamp()
        return below

    def whole(self, window: Box, out: FloatImage) -> None:
        """A window of the only level there is, written to ``out``, the whole level."""
        level = self._levels[0]
        drawn = self._drawn(level, window, None)
        self._redraw(level, drawn)
        out[window[1] : window[3], window[0] : window[2]] = drawn.inner

    def seen(self, below: Below) -> Plan:
        """For each tile of full size above ``below`` whether anything is seen there."""
        left, top, right, bottom = (side * below.scale for side in below.box)
        return _marked(self._shown, self._levels[0], (left, top, right, bottom), TILE)

    def _drawn(self, level: Level, box: Box, smaller: Below | None) -> Below:
        """A box of a level: its image, not yet gated, and its map."""
        drawn = Below.empty(level.scale, box)
        left, top, right, bottom = box
        in_parallel(
            lambda part: self._place(level, part, drawn),
            [(left - 1, y, right + 1, min(y + BAND, bottom + 1)) for y in range(top - 1, bottom + 1, BAND)],
        )
        in_parallel(
            lambda part: self._compose(level, part, smaller, drawn), _runs(self._shown, level, box, BAND)
        )
        return drawn

    def _place(self, level: Level, part: Box, drawn: Below) -> None:
        """Where the content of a part of a level comes from, and how much of its detail is kept; no image yet."""
        width, height, unit = part[2] - part[0], part[3] - part[1], level.scale
        rows = slice(part[1] - drawn.box[1] + 1, part[3] - drawn.box[1] + 1)
        there = np.empty((height, width, 4), np.float32)
        self._map.linear_into(there, *level.low_places(part))
        own_x = (np.arange(part[0], part[2], dtype=np.float32) + 0.5) * unit - 0.5
        own_y = (np.arange(part[1], part[3], dtype=np.float32) + 0.5) * unit - 0.5
        np.add(there[..., 0], own_x, out=drawn.x[rows, :width])
        np.add(there[..., 1], own_y[:, None], out=drawn.y[rows, :width])
        drawn.kept[rows, :width] = there[..., 2]
        drawn.image[rows] = 0

    def _compose(self, level: Level, part: Box, smaller: Below | None, drawn: Below) -> None:
        """What lies below, up-sampled, and the warped residual."""
        here = drawn.part(part)
        out, x, y = (plane[here] for plane in (drawn.image, drawn.x, drawn.y))
        if smaller is None:
            self._image.linear_into(out, *level.low_places(part))
        else:
            out[:] = enlarged_part(smaller.inner, smaller.box[:2], part, smaller.scale // level.scale)
        # Coordinates of full size in pixels of this level; both count from pixel centres.
        factor, shift = 1 / level.scale, 0.5 / level.scale - 0.5
        ends = ((end * factor + shift) for end in (x.min(), y.min(), x.max(), y.max()))
        left, top, right, bottom = ends
        if level.holding(left - 2, top - 2, right + 2, bottom + 2):
            # Nothing is known of the detail beyond the border, so none is added. The small levels are warped by a
            # cubic kernel: a linear one blurs what the levels above do not bring back.
            if level.scale > 1:
                level.sampled.add_to(out, x, y, factor, shift)
            else:
                out += cv2.remap(level.residual, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    def _redraw(self, level: Level, drawn: Below) -> None:
        """Put the plainly enlarged image where the picture's detail is not kept, as far as it is not."""
        rows, columns = np.flatnonzero(self._lossy.any(1)), np.flatnonzero(self._lossy.any(0))
        if not len(rows):
            return
        # Only the part of the low-resolution image that is looked at.
        top, left = max(rows[0] - 3, 0), max(columns[0] - 3, 0)
        enlarged = Enlarged.of(self._gated.image[top : rows[-1] + 4, left : columns[-1] + 4], (left, top))

        def blend(part: Box) -> None:
            here = drawn.part(part)
            enlarged.blend_into(drawn.image[here], *level.low_places(part), drawn.kept[here])

        in_parallel(blend, _runs(self._lossy, level, drawn.box, REDRAWN))


def _marked(marks: npt.NDArray[np.uint8], level: Level, box: Box, side: int) -> Plan:
    """For each tile of a box of a level whether anything is seen of what is marked in a low-resolution image."""
    low, high = [], []
    starts = np.arange(box[0], box[2], side)[None], np.arange(box[1], box[3], side)[:, None]
    for (a, b, c), size in zip(level.to_low, marks.shape[::-1], strict=True):
        # A tile's smallest and largest place; a low-resolution pixel is seen up to a pixel and a half from its
        # centre, those at the border beyond it.
        ends = [
            np.sort([factor * start, factor * (start + side)], 0) for factor, start in zip((a, b), starts)
        ]
        low.append(np.clip(np.floor(ends[0][0] + ends[1][0] + c).astype(int) - 1, 0, size - 1))
        high.append(np.clip(np.floor(ends[0][1] + ends[1][1] + c).astype(int) + 2, 1, size))
    count = cv2.integral(marks)
    total = count[high[1], high[0]] - count[low[1], high[0]] - count[high[1], low[0]] + count[low[1], low[0]]
    return np.asarray(total > 0, np.uint8)


def _runs(marks: npt.NDArray[np.uint8], level: Level, box: Box, side: int) -> list[Box]:
    """The tiles of a box in which anything marked is seen, those side by side as one."""
    marked = np.pad(_marked(marks, level, box, side), ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(marked, axis=1)
    left, top = box[:2]
    return [
        intersection((left + a * side, top + row * side, left + b * side, top + (row + 1) * side), box)
        for (row, a), b in zip(
            np.argwhere(edges > 0).tolist(), np.argwhere(edges < 0)[:, 1].tolist(), strict=True
        )
    ]
