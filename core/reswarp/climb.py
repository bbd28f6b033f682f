# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's low-resolution image up the small levels of the pyramid.

All of them together have fewer than a tenth of the frame's pixels. At the largest of them the gate is applied: the
plainly enlarged image stands where the picture's detail is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.reswarp.finest import TILE, Below, Plan
from keywarp.core.reswarp.gate import Gated
from keywarp.core.reswarp.pyramid import Box, Level, enlarged_part, intersection
from keywarp.core.runtime.session import in_parallel

BAND = 32
"""Rows that are made together: what is made stays in the cache between one operation and the next."""
SMALLEST_TILE = 4
"""Of a level; where full size comes next, its tiles are those of full size."""
REACH = 3
"""Pixels around what is asked of a level that the next one's up-sampling may look at."""


class Climb:
    """One motion on its way up."""

    def __init__(self, levels: list[Level], gated: Gated) -> None:
        """``levels`` from full size down."""
        self._levels, self._gated = levels, gated
        # The residual reaches a low-resolution pixel beyond what is seen.
        self._shown = cv2.dilate(gated.shown, np.ones((5, 5), np.uint8))

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
        below.clamp()
        return below

    def whole(self, window: Box, out: FloatImage) -> None:
        """A window of the only level there is, written to ``out``, the whole level."""
        drawn = self._drawn(self._levels[0], window, None)
        out[window[1] : window[3], window[0] : window[2]] = drawn.inner

    def _drawn(self, level: Level, box: Box, smaller: Below | None) -> Below:
        """A box of a level, and the map of a pixel more on every side; gated where full size comes next."""
        tile = max(TILE // level.scale, SMALLEST_TILE)
        drawn = Below.empty(level.scale, box, _marked(self._shown, level, box, tile))
        gated = level is self._levels[min(1, len(self._levels) - 1)]

        def band(work: tuple[tuple[int, int], list[Box]]) -> None:
            rows, runs = work
            drawn.clear(*rows)
            for part in runs:
                self._place(level, part, smaller, drawn)
                self._add_detail(level, part, drawn)
                if gated:
                    self._redraw(level, part, drawn)

        in_parallel(band, _bands(drawn.seen, box, tile))
        return drawn

    def _place(self, level: Level, part: Box, smaller: Below | None, drawn: Below) -> None:
        """Where the content of a part of a level comes from, how much of its detail is kept, and what lies below,
        up-sampled."""
        here, places = drawn.part(part), level.low_places(part)
        maps = [plane[here] for plane in (drawn.x, drawn.y, drawn.kept)]
        ground = self._gated.image if smaller is None else None
        self._gated.map.map_into(maps, level.own_places(part), *places, ground, drawn.image[here])
        if smaller is not None:
            part = intersection(part, drawn.box)
            drawn.image[drawn.part(part)] = enlarged_part(
                smaller.inner, smaller.box[:2], part, smaller.scale // level.scale
            )

    def _add_detail(self, level: Level, part: Box, drawn: Below) -> None:
        """The warped residual."""
        here = drawn.part(part)
        out, x, y = (plane[here] for plane in (drawn.image, drawn.x, drawn.y))
        # Nothing is known of the detail beyond the border, so none is added. The small levels are warped by a cubic
        # kernel: a linear one blurs what the levels above do not bring back.
        if level.scale > 1:
            # Coordinates of full size in pixels of this level; both count from pixel centres.
            level.sampled.add_to(out, x, y, 1 / level.scale, 0.5 / level.scale - 0.5)
        else:
            out += cv2.remap(level.residual, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    def _redraw(self, level: Level, part: Box, drawn: Below) -> None:
        """Put the plainly enlarged image where the picture's detail is not kept, as far as it is not."""
        here = drawn.part(part)
        self._gated.image.blend_into(drawn.image[here], *level.low_places(part), drawn.kept[here])


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


def _bands(seen: Plan, box: Box, side: int) -> Iterator[tuple[tuple[int, int], list[Box]]]:
    """The bands of a box, and of a pixel around it, each with the parts of it that are to be made: the tiles, of this
    side, that are ``seen`` and those around them, which are looked at where full size is interpolated."""
    left, top, right, bottom = box
    around = cv2.dilate(seen, np.ones((3, 3), np.uint8))
    marked = np.logical_or.reduceat(around, np.arange(0, len(seen), BAND // side))
    edges = np.diff(marked.astype(np.int8), axis=1, prepend=0, append=0)
    rows = list(pairwise([top - 1, *range(top + BAND, bottom, BAND), bottom + 1]))
    xs = [left - 1, *range(left + side, right, side), right + 1]
    runs: list[list[Box]] = [[] for _ in rows]
    for (band, a), b in zip(np.argwhere(edges > 0).tolist(), np.argwhere(edges < 0)[:, 1].tolist()):
        runs[band].append((xs[a], rows[band][0], xs[b], rows[band][1]))
    return zip(rows, runs)
