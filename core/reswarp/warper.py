# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp: a posed low-resolution image and the picture's warped residuals make the full-size frame.

papers: Animating Through Warping, section 3.4 and figures 2 and 3. Beyond the paper: any size, any similarity
between the model's square and the frame, RGBA, the gate of ``gate``, and work by tiles, so that a part of the
frame costs its share.

Convention: frames are premultiplied, linear light; a level of the pyramid is the frame divided by its scale; the flow
is backward, in the square's units, pixel centres at half-integers, the border clamped.
"""

from __future__ import annotations

import numpy as np

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine, inverse, shifted, square_to_pixels, then
from keywarp.core.reswarp.climb import Climb
from keywarp.core.reswarp.finest import draw, takes
from keywarp.core.reswarp.gate import gated
from keywarp.core.reswarp.pyramid import (
    DRAFT_UNSEEN,
    UNSEEN,
    Box,
    Level,
    decompose,
    intersection,
    is_empty,
    scales,
)
from keywarp.core.reswarp.sampling import Sampled

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
        gate: bool = True,
        weight: FloatImage | None = None,
        move_mask: FloatImage | None = None,
        draft: bool = False,
    ) -> None:
        """``source``: (H, W, 4), the still picture laid into the frame. ``square_to_frame``: (2, 3), the
        model's square ([-1, 1]) to the frame's continuous pixels. ``rest``: (h, h, 4), the picture as
        the model sees it. ``multiscale`` and ``gate``: left out only to see what they do. ``canvas``: the part of
        the frame that the picture fills. ``weight``: see ``gate.gated``. ``move_mask``: (H, W) in [0, 1], 0
        where the still picture is to stand.
        ``draft``: leave out detail that is hardly seen, for speed."""
        self._source, self._rest, self._weight, self._gate = source, rest, weight, gate
        self._mask = None if move_mask is None else move_mask[..., None].astype(np.float32)
        self._rest_sampled = Sampled.of(rest, clamped=True)
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
        if out is not None and not takes(out):
            out[:] = self.frame(motion, None, window)
            return out
        if out is None:
            out = np.empty_like(self._source)
        window = window or (0, 0, width, height)
        inner = intersection(window, self._box)
        self._stand_still(out, window, inner)
        if is_empty(inner):
            return out
        held = gated(motion, self._rest_sampled, self._weight, self._square_to_frame[:, :2], self._gate)
        climb = Climb(self._levels, held)
        left, top, right, bottom = self._box
        self._draw(
            climb,
            out[top:bottom, left:right],
            (inner[0] - left, inner[1] - top, inner[2] - left, inner[3] - top),
        )
        if self._mask is not None:
            part = slice(inner[1], inner[3]), slice(inner[0], inner[2])
            still = self._source[part]
            out[part] = still + (out[part] - still) * self._mask[part]
        return out

    def _draw(self, climb: Climb, out: Picture, window: Box) -> None:
        """A window of ``out``, the part of the frame that can move."""
        if len(self._levels) == 1:
            climb.whole(window, out)
        else:
            draw(self._levels[0], climb.below(window), out, range(window[1], window[3]))

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
