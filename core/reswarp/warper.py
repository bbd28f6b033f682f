# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp: a posed low-resolution image and the picture's warped residuals make the full-size frame.

papers: Animating Through Warping, section 3.4 and figures 2 and 3. Beyond the paper: any size, any similarity
between the model's square and the frame, RGBA, the gate of ``gate``, and work by tiles, so that a part of the
frame costs its share.

Convention: frames are premultiplied, linear light; level k of the pyramid is the frame halved k times; the flow
is backward, in the square's units, pixel centres at half-integers, the border clamped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine, inverse, square_to_pixels, then, warp
from keywarp.core.reswarp.gate import carry, tapered
from keywarp.core.reswarp.pyramid import DRAFT_UNSEEN, UNSEEN, Box, Enlarger, Level, decompose, doubled_part, intersection, is_empty
from keywarp.core.runtime.session import in_parallel

TILE_HEIGHT, TILE_WIDTH = 32, 1920
"""A tile's images stay in a core's cache between one operation and the next."""
RING = 2
"""Pixels by which a coordinate map reaches beyond its box, so that up-sampling it meets no border."""
NOTHING_KEPT = 1e-3
"""Shares of detail too small to be seen."""
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
        scale = float(np.hypot(*self._low_to_frame[:, 0]))
        count = max(int(np.floor(np.log2(scale) + 1e-9)), 0) if multiscale else 0
        self._box = intersection(bounds(self._low_to_frame, rest.shape[0]), canvas or (0, 0, width, height))
        self._levels = [] if is_empty(self._box) else self._decompose(count, draft)

    def _decompose(self, count: int, draft: bool) -> list[Level]:
        left, top, right, bottom = self._box
        # Every level halves evenly when the sides are multiples of 2 ** count.
        image = cv2.copyMakeBorder(
            self._source[top:bottom, left:right],
            0, (top - bottom) % (1 << count), 0, (left - right) % (1 << count),
            cv2.BORDER_REPLICATE,
        )  # fmt: skip
        to_low = then(np.array([[1, 0, left], [0, 1, top]], np.float64), inverse(self._low_to_frame))
        return decompose(image, self._rest, to_low, count, DRAFT_UNSEEN if draft else UNSEEN)

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
        _Climb(self._levels, motion, carry(motion, self._rest), self._square_to_frame).run(moving, local)
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

    def doubled(self, part: Box) -> tuple[FloatImage, FloatImage]:
        """A part of the next larger level's map. Up-sampling keeps it exact, since it is in level 0's unit."""
        return doubled_part(self.x, self.origin, part), doubled_part(self.y, self.origin, part)


class _Climb:
    """One motion on its way up the pyramid."""

    def __init__(
        self, levels: list[Level], motion: Motion, kept: FloatImage, square_to_frame: Affine
    ) -> None:
        self._levels, self._motion = levels, motion
        self._kept = kept
        self._kept_everywhere = bool(kept.min() > 1 - NOTHING_KEPT)
        self._enlarger = None if self._kept_everywhere else Enlarger.of(motion.image)
        self._linear = square_to_frame[:, :2].astype(np.float32)

    def run(self, out: Picture, window: Box) -> None:
        """Write the window (in pixels of level 0) to ``out``, which is level 0 without its padding."""
        boxes = [window]
        for level in self._levels[1:]:
            a, b, c, d = boxes[-1]
            boxes.append(intersection((a // 2 - 2, b // 2 - 2, (c + 1) // 2 + 2, (d + 1) // 2 + 2), level.box))
        image, origin, below = None, (0, 0), None
        for k in reversed(range(len(self._levels))):
            box = boxes[k]
            where = self._map(k, box, below)
            target = out[box[1] : box[3], box[0] : box[2]] if k == 0 else np.empty(
                (box[3] - box[1], box[2] - box[0], 4), np.float32
            )  # fmt: skip
            self._level(k, box, where, below, image, origin, target)
            image, origin, below = target, box[:2], where

    def _map(self, k: int, box: Box, below: _Map | None) -> _Map | None:
        """The level's map; ``None`` at level 0 above others, where each tile makes its own part."""
        wide = box[0] - RING, box[1] - RING, box[2] + RING, box[3] + RING
        if below is None:
            return _Map(box, *self._base_map(k, wide))
        return _Map(box, *below.doubled(wide)) if k else None

    def _base_map(self, k: int, wide: Box) -> tuple[FloatImage, FloatImage]:
        level, unit = self._levels[k], 1 << k
        width, height = wide[2] - wide[0], wide[3] - wide[1]
        flow = warp(self._motion.flow @ self._linear.T, _shifted(level.to_low, wide), width, height, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        own_x = (np.arange(wide[0], wide[2], dtype=np.float32) + 0.5) * unit - 0.5
        own_y = (np.arange(wide[1], wide[3], dtype=np.float32) + 0.5) * unit - 0.5
        return flow[..., 0] + own_x, flow[..., 1] + own_y[:, None]

    def _level(
        self,
        k: int,
        box: Box,
        where: _Map | None,
        below: _Map | None,
        image: FloatImage | None,
        origin: tuple[int, int],
        target: FloatImage,
    ) -> None:
        level = self._levels[k]

        def tile(part: Box) -> None:
            view = target[part[1] - box[1] : part[3] - box[1], part[0] - box[0] : part[2] - box[0]]
            if where is not None:
                x, y = where.part(part)
            else:
                assert below is not None
                x, y = below.doubled(part)
            if image is None:
                size = part[2] - part[0], part[3] - part[1]
                to_low = _shifted(level.to_low, part)
                ground = warp(self._motion.image, to_low, *size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
            else:
                ground = doubled_part(image, origin, part)
            self._compose(k, part, ground, x, y, view)
            if k == 0 and not self._kept_everywhere:
                self._redraw(part, view)

        in_parallel(tile, _tiles(box))

    def _compose(self, k: int, part: Box, ground: FloatImage, x: FloatImage, y: FloatImage, out: FloatImage) -> None:
        """``ground`` and the warped residual to ``out``."""
        level = self._levels[k]
        if k:
            x, y = _scaled(x, k), _scaled(y, k)
        if level.holds_residual(*_extremes(x, y)):
            # Nothing is known of the detail beyond the border, so none is added. The small levels are warped by a
            # cubic kernel: a linear one blurs what the levels above do not bring back.
            kernel = cv2.INTER_CUBIC if k else cv2.INTER_LINEAR
            moved = cv2.remap(level.residual, x, y, kernel, borderMode=cv2.BORDER_CONSTANT)
            cv2.add(ground, moved, dst=out)
        else:
            out[:] = ground

    def _redraw(self, part: Box, out: FloatImage) -> None:
        """Put the plainly enlarged image where a part of level 0 keeps no detail, as far as it keeps none."""
        level = self._levels[0]
        part, out = self._lossy(level, part, out)
        if is_empty(part):
            return
        size = part[2] - part[0], part[3] - part[1]
        kept = warp(self._kept, _shifted(level.to_low, part), *size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        plain = self._plain(level, part)
        np.subtract(out, plain, out=out)
        np.multiply(out, kept[..., None], out=out)
        np.add(out, plain, out=out)

    def _lossy(self, level: Level, part: Box, out: FloatImage) -> tuple[Box, FloatImage]:
        """The smallest box in ``part``, and its view of ``out``, outside of which all detail is kept."""
        corners = np.array([[x, y, 1] for x in (part[0], part[2]) for y in (part[1], part[3])], np.float64)
        low = corners @ level.to_low.T
        x0, y0 = np.maximum(np.floor(low.min(0)).astype(int) - 1, 0)
        x1, y1 = np.ceil(low.max(0)).astype(int) + 1
        ys, xs = np.nonzero(self._kept[y0:y1, x0:x1] < 1 - NOTHING_KEPT)
        if not len(xs):
            return (0, 0, 0, 0), out
        # A low-resolution pixel is seen up to a pixel and a half from its centre.
        around = np.array(
            [[x, y, 1] for x in (x0 + xs.min() - 1, x0 + xs.max() + 2) for y in (y0 + ys.min() - 1, y0 + ys.max() + 2)]
        )
        where = around @ inverse(level.to_low).T
        (a, b), (c, d) = np.floor(where.min(0)).astype(int), np.ceil(where.max(0)).astype(int)
        box = intersection(part, (int(a), int(b), int(c), int(d)))
        return box, out[box[1] - part[1] : box[3] - part[1], box[0] - part[0] : box[2] - part[0]]

    def _plain(self, level: Level, part: Box) -> FloatImage:
        assert self._enlarger is not None
        return self._enlarger.part(_shifted(level.to_low, part), part[2] - part[0], part[3] - part[1])


def _shifted(affine: Affine, part: Box) -> Affine:
    """``affine`` for coordinates that begin at the part's corner."""
    return then(np.array([[1, 0, part[0]], [0, 1, part[1]]], np.float64), affine)


def _extremes(x: FloatImage, y: FloatImage) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what a piece of a map reaches; a map is smooth, so every eighth row and column
    and a few pixels more contain it."""
    x, y = x[::8, ::8], y[::8, ::8]
    return x.min() - 8, y.min() - 8, x.max() + 8, y.max() + 8


def _scaled(x: FloatImage, k: int) -> FloatImage:
    """Coordinates of level 0 in pixels of level ``k``; both count from pixel centres."""
    return x * np.float32(1 / (1 << k)) + np.float32(0.5 / (1 << k) - 0.5)


def _tiles(box: Box) -> Iterator[Box]:
    left, top, right, bottom = box
    for y in range(top, bottom, TILE_HEIGHT):
        for x in range(left, right, TILE_WIDTH):
            yield x, y, min(x + TILE_WIDTH, right), min(y + TILE_HEIGHT, bottom)
