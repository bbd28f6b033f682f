# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture decomposed into residuals by scale, and the two resampling steps that everything else uses.

papers: Animating Through Warping, section 3.4 and figure 3: down-sampling averages neighbours, up-sampling is
bilinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.resample import Affine, then, warp
from keywarp.core.reswarp.sampling import Sampled

#: A part of an image in its pixels: (left, top, right, bottom), right and bottom exclusive.
Box = tuple[int, int, int, int]

BLOCK = 32
"""Side of the blocks of which it is known whether they hold any residual."""
UNSEEN = 0.1 / 255
"""A residual that changes the encoded (square root) value by less than a tenth of an 8-bit step is not warped."""
DRAFT_UNSEEN = 0.75 / 255
"""The same for drafts: less than a step."""


def intersection(a: Box, b: Box) -> Box:
    """What two boxes share; a box with right <= left or bottom <= top where they share nothing."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def is_empty(box: Box) -> bool:
    return box[2] <= box[0] or box[3] <= box[1]


def scales(enlargement: float) -> list[int]:
    """Sizes of the pyramid's levels, as what the full size is divided by: the last is the smallest at which the
    model's image is still enlarged by half, so that what is drawn there keeps its edges.

    The paper halves again and again. Here the two finest residuals are one: warped together at full size, they
    lose less to interpolation than the smaller one would at half the size, and cost one warp instead of two
    (up to 1 dB better on drawings than warping each at its own).
    """
    count = max(int(np.floor(np.log2(enlargement / 1.5) + 1e-9)), 0)
    return [1, 2][: count + 1] if count < 2 else [1, *(1 << k for k in range(2, count + 1))]


def reduced(image: FloatImage, by: int) -> FloatImage:
    """The size divided by ``by``, which divides both sides, averaging neighbours."""
    h, w = image.shape[:2]
    out: FloatImage = cv2.resize(image, (w // by, h // by), interpolation=cv2.INTER_AREA)
    return out


def enlarged_part(image: FloatImage, origin: tuple[int, int], part: Box, by: int) -> FloatImage:
    """``part`` of the image up-sampled by 2 once or several times (``by`` 2, 4, ...), bilinear, pixel centres at
    half-integers, borders clamped.

    ``image`` is a piece of the smaller level that begins at its pixel ``origin`` (x, y) and reaches a pixel
    (two for 4) beyond what ``part`` covers, or to the level's border. Twice by 2 is smoother than once by 4, and
    so closer to the picture.
    """
    if by > 2:
        h, w = image.shape[:2]
        middle = intersection(
            (part[0] // 2 - 1, part[1] // 2 - 1, -(-part[2] // 2) + 1, -(-part[3] // 2) + 1),
            (2 * origin[0], 2 * origin[1], 2 * (origin[0] + w), 2 * (origin[1] + h)),
        )
        image, origin = enlarged_part(image, origin, middle, by // 2), middle[:2]
    left, top, right, bottom = part
    x0, y0 = max(left // 2 - 1, origin[0]), max(top // 2 - 1, origin[1])
    x1, y1 = -(-right // 2) + 1, -(-bottom // 2) + 1
    piece = image[y0 - origin[1] : y1 - origin[1], x0 - origin[0] : x1 - origin[0]]
    h, w = piece.shape[:2]
    large: FloatImage = cv2.resize(piece, (2 * w, 2 * h), interpolation=cv2.INTER_LINEAR)
    return large[top - 2 * y0 : bottom - 2 * y0, left - 2 * x0 : right - 2 * x0]


@dataclass(frozen=True)
class Level:
    """One scale of the pyramid, inside the box of the frame that can move."""

    padded: FloatImage
    """(h + 3, w + 3, 4): ``residual`` with a pixel of zeros before and two behind it, along both axes."""
    busy: npt.NDArray[np.int32]
    """(rows + 1, columns + 1): integral image over blocks, counting those that hold any residual."""
    scale: int
    """The full size divided by this level's."""
    to_low: Affine
    """Continuous pixels of this level to those of the model's low-resolution image."""

    @property
    def residual(self) -> FloatImage:
        """(h, w, 4): what this scale adds to the up-sampled next smaller one."""
        return self.padded[1:-2, 1:-2]

    @cached_property
    def sampled(self) -> Sampled:
        """The residual, to be warped by a cubic kernel; beyond its border it is 0."""
        return Sampled.of(self.residual, clamped=False)

    @cached_property
    def _low_places(self) -> tuple[FloatImage, FloatImage]:
        h, w = self.residual.shape[:2]
        x, y = np.arange(-1, w + 1) + 0.5, np.arange(-1, h + 1)[:, None] + 0.5
        (a, b, c), (d, e, f) = self.to_low
        return (a * x + b * y + (c - 0.5)).astype(np.float32), (d * x + e * y + (f - 0.5)).astype(np.float32)

    def low_places(self, part: Box) -> tuple[FloatImage, FloatImage]:
        """(h, w) each, x and y: where a part's pixels lie in the low-resolution image; pixel 0's centre is 0.

        The part may reach one pixel beyond the level.
        """
        left, top, right, bottom = (side + 1 for side in part)
        x, y = self._low_places
        return x[top:bottom, left:right], y[top:bottom, left:right]

    @cached_property
    def _own_places(self) -> tuple[FloatImage, FloatImage]:
        h, w = self.residual.shape[:2]
        x, y = ((np.arange(-1, n + 1) + 0.5) * self.scale - 0.5 for n in (w, h))
        return x.astype(np.float32), y.astype(np.float32)

    def own_places(self, part: Box) -> tuple[FloatImage, FloatImage]:
        """(w,) and (h,): where a part's columns and rows lie in full size; pixel 0's centre is 0.

        The part may reach one pixel beyond the level.
        """
        left, top, right, bottom = (side + 1 for side in part)
        x, y = self._own_places
        return x[left:right], y[top:bottom]

    @property
    def box(self) -> Box:
        h, w = self.residual.shape[:2]
        return 0, 0, w, h

    def holding(
        self, left: npt.ArrayLike, top: npt.ArrayLike, right: npt.ArrayLike, bottom: npt.ArrayLike
    ) -> npt.NDArray[np.bool_]:
        """Whether any residual stands in these parts, which may reach beyond the border (it is clamped)."""
        rows, columns = self.busy.shape[0] - 1, self.busy.shape[1] - 1
        x0, x1 = (_block(np.asarray(x), columns) for x in (left, right))
        y0, y1 = (_block(np.asarray(y), rows) for y in (top, bottom))
        count = self.busy
        total = count[y1 + 1, x1 + 1] - count[y0, x1 + 1] - count[y1 + 1, x0] + count[y0, x0]
        return np.asarray(total > 0)


def _block(place: npt.NDArray[Any], count: int) -> npt.NDArray[np.intp]:
    return np.clip(np.floor(place / BLOCK), 0, count - 1).astype(np.intp)


def decompose(
    image: FloatImage, rest: FloatImage, to_low: Affine, sizes: list[int], unseen: float = UNSEEN
) -> list[Level]:
    """The pyramid of ``image``, (H, W, 4), from its full size down to the level whose base is the model's
    low-resolution image ``rest``, (h, w, 4).

    ``sizes`` are those of ``scales``, the last of which divides H and W; [1] is the vanilla form with one residual.
    Residuals below ``unseen`` are left out where a whole block has no other.
    """
    levels: list[Level] = []
    for size, smaller_size in zip(sizes, [*sizes[1:], 0], strict=True):
        h, w = image.shape[:2]
        level_to_low = then(np.array([[size, 0, 0], [0, size, 0]], np.float64), to_low)
        smaller = image
        if smaller_size:
            smaller = reduced(image, smaller_size // size)
            base = enlarged_part(smaller, (0, 0), (0, 0, w, h), smaller_size // size)
        else:
            base = warp(rest, level_to_low, w, h, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        padded = np.zeros((h + 3, w + 3, 4), np.float32)
        np.subtract(image, base, out=padded[1:-2, 1:-2])
        levels.append(Level(padded, _busy_blocks(image, base, unseen), size, level_to_low))
        image = smaller
    return levels


def _busy_blocks(image: FloatImage, base: FloatImage, unseen: float) -> npt.NDArray[np.int32]:
    """Integral image over the blocks whose base, alone, would look different from the image."""
    h, w = image.shape[:2]
    rows, columns = -(-h // BLOCK), -(-w // BLOCK)
    blocks = np.zeros((rows, columns), np.uint8)
    for row in range(rows):
        part = slice(row * BLOCK, min((row + 1) * BLOCK, h))
        seen = [np.sqrt(np.maximum(x[part], 0)) for x in (image, base)]
        change = np.abs(seen[0] - seen[1]).max((0, 2))
        blocks[row] = np.maximum.reduceat(change, np.arange(0, w, BLOCK)) > unseen
    count: npt.NDArray[np.int32] = cv2.integral(blocks)
    return count
