# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp: a posed low-resolution image and the picture's warped residuals make the full-size frame.

papers: Animating Through Warping, section 3.4 and figures 2 and 3. Beyond the paper: any size, any similarity
between the model's square and the frame, RGBA, the gate of ``gate``, and work by tiles, so that a part of the
frame costs its share.

Convention: frames are premultiplied, linear light; a level of the pyramid is the frame divided by its scale; the flow
is backward, in the square's units, pixel centres at half-integers, the border clamped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine, inverse, shifted, square_to_pixels, then, warp
from keywarp.core.reswarp.gate import carry, tapered, warp_by_flow
from keywarp.core.reswarp.pyramid import (
    DRAFT_UNSEEN,
    UNSEEN,
    Box,
    Enlarger,
    Level,
    decompose,
    enlarged_part,
    intersection,
    is_empty,
    scales,
)
from keywarp.core.runtime.scratch import Scratch
from keywarp.core.runtime.session import in_parallel

BAND = 64
"""Rows that are made together: their images stay in the cache between one operation and the next."""
RING = 3
"""Pixels by which a coordinate map reaches beyond its box, so that up-sampling it meets no border."""
REDRAWN_HEIGHT, REDRAWN_WIDTH = 128, 256
"""Tiles of the frame in which some detail is not kept."""
NOTHING_LOST = 1e-3
"""A share of detail too small to be missed."""
LOW_MARGIN = 8
"""Low-resolution pixels around a window that its gate and its up-sampling look at."""


class ResWarp:
    """The picture at one output size, decomposed once, for any number of motions."""

    def __init__(
        self,
        source: Picture,
        square_to_frame: Affine,
        rest: FloatImage,
        *,
        canvas: Box | None = None,
        multiscale: bool = True,
        weight: FloatImage | None = None,
        move_mask: FloatImage | None = None,
        draft: bool = False,
    ) -> None:
        """``source``: (H, W, 4), the still picture laid into the frame. ``square_to_frame``: (2, 3), the
        model's square ([-1, 1]) to the frame's continuous pixels. ``rest``: (h, h, 4), the picture as
        the model sees it. ``canvas``: the part of the frame that the picture fills. ``weight``: see
        ``gate.tapered``. ``move_mask``: (H, W) in [0, 1], 0 where the still picture is to stand.
        ``draft``: leave out detail that is hardly seen, for speed."""
        self._source, self._rest, self._weight = source, rest, weight
        self._mask = None if move_mask is None else move_mask[..., None].astype(np.float32)
        height, width = source.shape[:2]
        self._low_to_frame = then(inverse(square_to_pixels(rest.shape[0])), square_to_frame)
        self._square_to_frame = square_to_frame
        sizes = scales(float(np.hypot(*self._low_to_frame[:, 0]))) if multiscale else [1]
        self._box = intersection(bounds(self._low_to_frame, rest.shape[0]), canvas or (0, 0, width, height))
        self._levels = (
            [] if is_empty(self._box) else self._decompose(sizes, DRAFT_UNSEEN if draft else UNSEEN)
        )

    def _decompose(self, sizes: list[int], unseen: float) -> list[Level]:
        left, top, right, bottom = self._box
        # Every level divides evenly when the sides are multiples of the last one's scale.
        image = cv2.copyMakeBorder(
            self._source[top:bottom, left:right],
            0, (top - bottom) % sizes[-1], 0, (left - right) % sizes[-1],
            cv2.BORDER_REPLICATE,
        )  # fmt: skip
        to_low = shifted(inverse(self._low_to_frame), left, top)
        return decompose(image, self._rest, to_low, sizes, unseen)

    def low_window(self, window: Box) -> Box:
        """The part of the low-resolution image that a window of the frame is made from."""
        left, top, right, bottom = intersection(window, self._box)
        corners = np.array([[x, y, 1] for x in (left, right) for y in (top, bottom)], np.float64)
        low = corners @ inverse(self._low_to_frame).T
        a, b = np.floor(low.min(0)).astype(int) - LOW_MARGIN
        c, d = np.ceil(low.max(0)).astype(int) + LOW_MARGIN
        side = self._rest.shape[0]
        return intersection((int(a), int(b), int(c), int(d)), (0, 0, side, side))

    def frame(self, motion: Motion, out: Picture | None = None, window: Box | None = None) -> Picture:
        """The frame, (H, W, 4), that shows ``motion``; with a ``window`` only that part of it is made.

        ``out`` is written to where it is given. What lies outside of ``window`` is undefined.
        """
        height, width = self._source.shape[:2]
        if out is None:
            out = np.empty_like(self._source)
        window = window or (0, 0, width, height)
        inner = intersection(window, self._box)
        self._stand_still(out, window, inner)
        if is_empty(inner):
            return out
        motion = tapered(motion, self._rest, self._weight)
        offset = self._box[:2]
        local = (inner[0] - offset[0], inner[1] - offset[1], inner[2] - offset[0], inner[3] - offset[1])
        moving = out[self._box[1] : self._box[3], self._box[0] : self._box[2]]
        moved = warp_by_flow(self._rest, motion.flow)
        climb = _Climb(self._levels, motion, carry(motion, moved), moved[..., 3], self._square_to_frame)
        climb.run(moving, local)
        if self._mask is not None:
            part = slice(inner[1], inner[3]), slice(inner[0], inner[2])
            still = self._source[part]
            out[part] = still + (out[part] - still) * self._mask[part]
        return out

    def _stand_still(self, out: Picture, window: Box, inner: Box) -> None:
        """The still picture in the window, outside of ``inner``."""
        left, top, right, bottom = window
        if is_empty(inner):
            inner = (left, top, left, top)
        for a, b, c, d in (
            (left, top, right, inner[1]),
            (left, inner[1], inner[0], inner[3]),
            (inner[2], inner[1], right, inner[3]),
            (left, inner[3], right, bottom),
        ):
            out[b:d, a:c] = self._source[b:d, a:c]


def bounds(low_to_frame: Affine, side: int) -> Box:
    """The upright box of frame pixels that the model's square touches."""
    corners = np.array([[x, y, 1] for x in (0, side) for y in (0, side)], np.float64) @ low_to_frame.T
    left, top = np.floor(corners.min(0) + 1e-6).astype(int)
    right, bottom = np.ceil(corners.max(0) - 1e-6).astype(int)
    return int(left), int(top), int(right), int(bottom)


@dataclass(frozen=True)
class _Drawn:
    """A level's part of the image, finished."""

    scale: int
    box: Box
    image: FloatImage
    where: _Map | None


@dataclass(frozen=True)
class _Map:
    """Where the content of a level's pixels comes from: level 0's pixels, pixel 0's centre at 0.

    Covers ``box`` of its level and RING pixels around it.
    """

    box: Box
    x: FloatImage
    y: FloatImage

    @property
    def origin(self) -> tuple[int, int]:
        return self.box[0] - RING, self.box[1] - RING

    def part(self, part: Box) -> tuple[FloatImage, FloatImage]:
        ox, oy = self.origin
        rows, columns = slice(part[1] - oy, part[3] - oy), slice(part[0] - ox, part[2] - ox)
        return self.x[rows, columns], self.y[rows, columns]

    def enlarged(self, part: Box, by: int) -> tuple[FloatImage, FloatImage]:
        """A part of a larger level's map. Up-sampling keeps it exact, since it is in level 0's unit."""
        x, y = (
            enlarged_part(axis, self.origin, part, by, _scratch, name)
            for axis, name in ((self.x, "x"), (self.y, "y"))
        )
        return x, y


_scratch = Scratch()


class _Climb:
    """One motion on its way up the pyramid."""

    def __init__(
        self,
        levels: list[Level],
        motion: Motion,
        kept: FloatImage,
        moved_alpha: FloatImage,
        square_to_frame: Affine,
    ) -> None:
        self._levels, self._motion, self._kept = levels, motion, kept
        self._linear = square_to_frame[:, :2].astype(np.float32)
        # The residual reaches a low-resolution pixel beyond what is seen.
        visible = np.maximum(motion.image[..., 3], moved_alpha) > 0
        self._shown = cv2.dilate(visible.astype(np.uint8), np.ones((5, 5), np.uint8))
        self._from_low = {level.scale: inverse(level.to_low) for level in levels}

    def run(self, out: Picture, window: Box) -> None:
        """Write the window (in pixels of level 0) to ``out``, which is level 0 without its padding."""
        boxes = [window]
        for larger, level in pairwise(self._levels):
            by = level.scale // larger.scale
            a, b, c, d = boxes[-1]
            boxes.append(
                intersection((a // by - 3, b // by - 3, -(-c // by) + 3, -(-d // by) + 3), level.box)
            )
        below: _Drawn | None = None
        for level, box in zip(reversed(self._levels), reversed(boxes), strict=True):
            shape = box[3] - box[1], box[2] - box[0], 4
            target = (
                out[box[1] : box[3], box[0] : box[2]] if level.scale == 1 else np.empty(shape, np.float32)
            )
            below = self._draw(level, box, below, target)
        self._redraw(out, window)

    def _draw(self, level: Level, box: Box, below: _Drawn | None, target: FloatImage) -> _Drawn:
        """A level's part of the image, from the next smaller one (``None``: from the model's image)."""
        # Level 0 above another needs its map only tile by tile.
        tile_map = below is not None and level.scale == 1
        where = _Map(box, *self._coordinates(level, _widened(box), below)) if not tile_map else None

        def band(part: Box) -> None:
            x, y = where.part(part) if where is not None else self._coordinates(level, part, below)
            view = target[part[1] - box[1] : part[3] - box[1], part[0] - box[0] : part[2] - box[0]]
            self._compose(level, self._ground(level, part, below), x, y, view)

        def row(part: Box) -> None:
            shown = self._shown_part(level, part)
            for a, c in ((part[0], shown[0]), (shown[2], part[2])):
                target[part[1] - box[1] : part[3] - box[1], a - box[0] : c - box[0]] = 0
            if not is_empty(shown):
                band(shown)

        in_parallel(row, _bands(box))
        return _Drawn(level.scale, box, target, where)

    def _shown_part(self, level: Level, part: Box) -> Box:
        """The columns of a band of a level in which anything is seen."""
        left, top, right, bottom = part
        corners = (
            np.array([[x, y, 1] for x in (left, right) for y in (top, bottom)], np.float64) @ level.to_low.T
        )
        h, w = self._shown.shape
        y0, y1 = int(np.clip(corners[:, 1].min() - 1, 0, h - 1)), int(np.clip(corners[:, 1].max() + 2, 1, h))
        columns = np.flatnonzero(self._shown[y0:y1].any(0))
        if not len(columns):
            return left, top, left, bottom
        around = (
            np.array([[x, y, 1] for x in (columns[0] - 1, columns[-1] + 2) for y in (y0, y1)])
            @ self._from_low[level.scale].T
        )
        a = left if columns[0] == 0 else max(int(around[:, 0].min()), left)
        c = right if columns[-1] == w - 1 else min(int(around[:, 0].max()) + 1, right)
        return min(a, c), top, c, bottom

    def _coordinates(self, level: Level, part: Box, below: _Drawn | None) -> tuple[FloatImage, FloatImage]:
        """Where the content of a part of a level comes from, in level 0's pixels."""
        if below is not None and below.where is not None:
            return below.where.enlarged(part, below.scale // level.scale)
        width, height, unit = part[2] - part[0], part[3] - part[1], level.scale
        to_low = shifted(level.to_low, *part[:2])
        flow = warp(
            self._motion.flow @ self._linear.T, to_low, width, height, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
        )
        own_x = (np.arange(part[0], part[2], dtype=np.float32) + 0.5) * unit - 0.5
        own_y = (np.arange(part[1], part[3], dtype=np.float32) + 0.5) * unit - 0.5
        return flow[..., 0] + own_x, flow[..., 1] + own_y[:, None]

    def _ground(self, level: Level, part: Box, below: _Drawn | None) -> FloatImage:
        """What the residual is added to: the smaller level, or the model's image, up-sampled."""
        if below is not None:
            by = below.scale // level.scale
            return enlarged_part(below.image, below.box[:2], part, by, _scratch, "ground")
        size = part[2] - part[0], part[3] - part[1]
        to_low = shifted(level.to_low, *part[:2])
        return warp(self._motion.image, to_low, *size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)

    def _compose(
        self, level: Level, ground: FloatImage, x: FloatImage, y: FloatImage, out: FloatImage
    ) -> None:
        """``ground`` and the warped residual to ``out``."""
        if level.scale > 1:
            x, y = _scaled(x, level.scale), _scaled(y, level.scale)
        if level.holds_residual(*_extremes(x, y)):
            # Nothing is known of the detail beyond the border, so none is added. The small levels are warped by a
            # cubic kernel: a linear one blurs what the levels above do not bring back.
            kernel = cv2.INTER_LINEAR if level.scale == 1 else cv2.INTER_CUBIC
            memory = _scratch.array("moved", *ground.shape)
            moved = cv2.remap(level.residual, x, y, kernel, dst=memory, borderMode=cv2.BORDER_CONSTANT)
            cv2.add(ground, moved, dst=out)
        else:
            out[:] = ground

    def _redraw(self, out: Picture, window: Box) -> None:
        """Put the plainly enlarged image where the picture's detail is not kept, as far as it is not."""
        lossy = (self._kept < 1 - NOTHING_LOST).astype(np.uint8) & self._shown
        if not lossy.any():
            return
        level = self._levels[0]
        # Only the part of the small images that is looked at.
        rows, columns = np.flatnonzero(lossy.any(1)), np.flatnonzero(lossy.any(0))
        top, left = max(rows[0] - 3, 0), max(columns[0] - 3, 0)
        part = slice(top, rows[-1] + 4), slice(left, columns[-1] + 4)
        enlarger = Enlarger.of(np.ascontiguousarray(self._motion.image[part]))
        lost = np.repeat(1 - self._kept[part][..., None], 4, -1)

        def blend(box: Box) -> None:
            size = box[2] - box[0], box[3] - box[1]
            matrix = shifted(level.to_low, *box[:2])
            matrix[:, 2] -= left, top
            change = enlarger.part(matrix, *size)
            view = out[box[1] : box[3], box[0] : box[2]]
            cv2.subtract(change, view, dst=change)
            cv2.multiply(
                change, warp(lost, matrix, *size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE), dst=change
            )
            cv2.add(view, change, dst=view)

        in_parallel(blend, _tiles_with(lossy, level.to_low, window))


def _widened(box: Box) -> Box:
    return box[0] - RING, box[1] - RING, box[2] + RING, box[3] + RING


def _tiles_with(marks: npt.NDArray[np.uint8], to_low: Affine, window: Box) -> list[Box]:
    """The tiles of level 0, in ``window``, in which anything is seen of what is marked, (h, w)."""
    left, top, right, bottom = window
    xs, ys = list(range(left, right, REDRAWN_WIDTH)), list(range(top, bottom, REDRAWN_HEIGHT))
    x, y = np.meshgrid(xs, ys)
    corners = np.stack([
        np.stack([x + dx, y + dy, np.ones_like(x)], -1) @ to_low.T
        for dx in (0, REDRAWN_WIDTH) for dy in (0, REDRAWN_HEIGHT)
    ])  # fmt: skip
    # A low-resolution pixel is seen up to a pixel and a half from its centre.
    low = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, None)
    high = np.floor(corners.max(0)).astype(int) + 2
    count = cv2.integral(marks)
    x0, x1 = (np.minimum(v[..., 0], marks.shape[1]) for v in (low, high))
    y0, y1 = (np.minimum(v[..., 1], marks.shape[0]) for v in (low, high))
    seen = count[y1, x1] - count[y0, x1] - count[y1, x0] + count[y0, x0] > 0
    from_low = inverse(to_low)
    tiles = []
    for row, column in np.argwhere(seen).tolist():
        part = marks[y0[row, column] : y1[row, column], x0[row, column] : x1[row, column]]
        marked = _bounds_of(part, x0[row, column], y0[row, column], from_low)
        tile = xs[column], ys[row], xs[column] + REDRAWN_WIDTH, ys[row] + REDRAWN_HEIGHT
        tiles.append(intersection(intersection(tile, window), marked))
    return [tile for tile in tiles if not is_empty(tile)]


def _bounds_of(marks: npt.NDArray[np.uint8], left: int, top: int, from_low: Affine) -> Box:
    """The box of level 0 in which the marked pixels of a low-resolution image are seen."""
    columns, rows = np.flatnonzero(marks.any(0)), np.flatnonzero(marks.any(1))
    corners = np.array(
        [
            (left + x, top + y, 1)
            for x in (columns[0] - 1, columns[-1] + 2)
            for y in (rows[0] - 1, rows[-1] + 2)
        ]
    )
    where = corners @ from_low.T
    (x0, y0), (x1, y1) = np.floor(where.min(0)).astype(int), np.ceil(where.max(0)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _extremes(x: FloatImage, y: FloatImage) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what a piece of a map reaches; a map is smooth, so every eighth row and column
    and a few pixels more contain it."""
    x, y = x[::8, ::8], y[::8, ::8]
    return x.min() - 8, y.min() - 8, x.max() + 8, y.max() + 8


def _scaled(x: FloatImage, scale: int) -> FloatImage:
    """Coordinates of level 0 in pixels of a smaller level; both count from pixel centres."""
    return x * np.float32(1 / scale) + np.float32(0.5 / scale - 0.5)


def _bands(box: Box) -> Iterator[Box]:
    for y in range(box[1], box[3], BAND):
        yield box[0], y, box[2], min(y + BAND, box[3])
