# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the head is in a picture, guessed from its silhouette, and the framing that follows from it.

All coordinates are continuous picture pixels: origin at the top left corner, y down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from keywarp.core.color import linear_to_srgb
from keywarp.core.framing import Framing
from keywarp.core.picture import Picture

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HeadBox:
    """The head from crown to chin, without hair that stands or hangs far out; picture pixels."""

    x: float
    y: float
    w: float
    h: float
    confidence: float = 1.0
    """1: given by a person; from 0.7: a neck was seen; below 0.5: little more than a supposition."""

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def side(self) -> float:
        """Side of the smallest square that holds the head."""
        return max(self.w, self.h)


@dataclass(frozen=True)
class HeadTarget:
    """Where a model expects the head: a square box in the model's square, [-1, 1] on both axes."""

    cx: float
    cy: float
    side: float


#: Rows 64 to 192 and columns 192 to 320 of 512, as the guides of Talking Head Anime ask for.
THA_HEAD = HeadTarget(0.0, -0.5, 0.5)
THA_SIDE = 512

#: The silhouette is measured at this many pixels on its longer side.
_WORK_SIDE = 384
#: A disc of this share of the head's height fits into any head, and into no neck, ear, bun or tress.
_DISC = 0.3
#: Width of hair and head over the head's height, as illustrations have it (they scatter by a tenth).
_ASPECT = 0.95
#: A full figure is at most this many heads high.
_MOST_HEADS = 11
#: Colours that differ by less from a plain background belong to it (encoded, [0, 1]).
_BACKGROUND_TOLERANCE = 0.08


def silhouette(picture: Picture) -> Mask | None:
    """(H, W): where the figure is: by alpha, or against a background of one colour.

    ``None`` where the picture is opaque and its border has many colours: no silhouette can be told.
    """
    alpha = picture[..., 3]
    if np.mean(alpha < 0.5) > 0.01:
        return np.asarray(alpha >= 0.5)
    top = picture[0, :, :3], picture[: picture.shape[0] // 3, 0, :3], picture[: picture.shape[0] // 3, -1, :3]
    border = linear_to_srgb(np.concatenate(top))
    plain = np.median(border, 0)
    if np.mean(np.abs(border - plain).max(-1) < _BACKGROUND_TOLERANCE) < 0.9:
        return None
    unlike = np.abs(linear_to_srgb(picture[..., :3]) - plain).max(-1) >= _BACKGROUND_TOLERANCE
    return _without_background(unlike)


def _without_background(unlike: Mask) -> Mask:
    """What the plain background does not reach from the upper edge: white clothes on white stay whole."""
    like = np.pad((~unlike).astype(np.uint8), ((1, 0), (1, 1)), constant_values=1)
    _, labels = cv2.connectedComponents(like, connectivity=4)
    return np.asarray(labels[1:, 1:-1] != labels[0, 0])


def guess_head(picture: Picture) -> HeadBox | None:
    """The head of the largest figure in a picture; ``None`` where the picture is wholly transparent.

    From the silhouette alone: the head is the topmost part that is about as wide as it is high after
    everything thin (ears, tresses, the neck) has been taken off. Where no silhouette can be told,
    the place at which a model's head lies in the largest square at the top, with little confidence.
    """
    mask = silhouette(picture)
    if mask is None:
        return _supposed(0, 0, picture.shape[1], picture.shape[0])
    figure = _largest_figure(mask)
    if figure is None:
        return None
    (left, top), small, scale = figure
    found = _head_in(small)
    if found is None:
        return _supposed(left, top, small.shape[1] / scale, small.shape[0] / scale)
    crown, chin, middle, confidence = found
    side = (chin - crown) / scale
    return HeadBox(left + middle / scale - side / 2, top + crown / scale, side, side, confidence)


def _supposed(left: float, top: float, width: float, height: float) -> HeadBox:
    square = min(width, height)
    side = square * THA_HEAD.side / 2
    x = left + width / 2 - side / 2
    return HeadBox(x, top + square * (THA_HEAD.cy + 1) / 2 - side / 2, side, side, 0.1)


def _largest_figure(mask: Mask) -> tuple[tuple[int, int], Mask, float] | None:
    """Top left corner, mask and scale of the largest connected part, at working size."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h = (int(v) for v in stats[largest, :4])
    part = (labels[y : y + h, x : x + w] == largest).astype(np.uint8) * 255
    scale = _WORK_SIDE / max(w, h)
    size = max(round(w * scale), 1), max(round(h * scale), 1)
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return (x, y), np.asarray(small >= 128), scale


@dataclass(frozen=True)
class _Blob:
    """What is left under a candidate's crown when everything thinner than its disc is gone."""

    height: float
    """The candidate: from crown to chin."""
    crown: int
    widths: npt.NDArray[np.float64]
    """Of each row's run under the crown, from the crown downwards."""
    middles: npt.NDArray[np.float64]

    @property
    def width(self) -> float:
        """Of the head: the widest row above the jaw."""
        return float(self.widths[: int(0.6 * self.height) + 1].max())

    @property
    def neck(self) -> int | None:
        """Row, counted from the crown, at which the head has ended or is narrowest above the shoulders."""
        first = int(0.6 * self.height)
        rows = self.widths[first : int(1.4 * self.height)]
        narrow = np.flatnonzero(rows < 0.6 * self.width)
        if len(narrow):
            widening = np.flatnonzero(np.diff(rows[narrow[0] :]) > 0)
            return first + int(narrow[0] + (widening[0] if len(widening) else len(rows[narrow[0] :])))
        return len(self.widths) if len(self.widths) < 1.4 * self.height else None


def _head_in(mask: Mask) -> tuple[float, float, float, float] | None:
    """Crown, chin, middle and confidence, in pixels of the mask."""
    candidates = list(_candidates(mask))
    if not candidates:
        return None
    best = candidates[0]
    for larger in candidates[1:]:
        # A bun or a hat's tip is a small head on the crown of the true one, which has a neck.
        above = larger.crown - best.crown < 0.7 * best.height
        if above and larger.height > 1.6 * best.height and larger.neck is not None:
            best = larger
    height, confidence = _chin(best)
    middle = float(np.mean(best.middles[: int(0.6 * best.height) + 1]))
    return best.crown, best.crown + height, middle, confidence


def _candidates(mask: Mask) -> Iterator[_Blob]:
    """Blobs that are as wide as a head of their height is, from small to large."""
    depth = np.asarray(cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    height = max(mask.shape[0] / _MOST_HEADS, 8.0)
    before: _Blob | None = None
    while height < 1.2 * mask.shape[0]:
        blob = _blob(depth, height)
        if blob is None:
            return
        if before is not None and before.width > _ASPECT * before.height and blob.width <= _ASPECT * height:
            yield _at_width(depth, before, blob)
        before = blob
        height *= 1.08


def _at_width(depth: npt.NDArray[np.float32], wide: _Blob, narrow: _Blob) -> _Blob:
    """The blob between two scales at which the width passes that of a head."""
    a = wide.width / wide.height - _ASPECT
    b = _ASPECT - narrow.width / narrow.height
    return _blob(depth, wide.height + (narrow.height - wide.height) * a / (a + b)) or narrow


def _blob(depth: npt.NDArray[np.float32], height: float) -> _Blob | None:
    """The mask opened by the candidate's disc (the points within the disc of what lies deeper than it)."""
    radius = _DISC * height
    shallow = (depth <= radius).astype(np.uint8)
    opened = (cv2.distanceTransform(shallow, cv2.DIST_L2, 5) <= radius)[1:-1, 1:-1]
    rows = np.flatnonzero(opened.any(1))
    if shallow.all() or not len(rows):
        return None
    crown = int(rows[0])
    middle = float(np.flatnonzero(opened[crown]).mean())
    widths, middles = [], []
    for row in opened[crown : crown + int(1.5 * height) + 1]:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.view(np.int8), [0]])))
        if not len(edges):
            break
        starts, ends = edges[::2], edges[1::2]
        nearest = int(np.argmin(np.maximum(starts - middle, middle - ends)))
        widths.append(float(ends[nearest] - starts[nearest]))
        middle = float(ends[nearest] + starts[nearest]) / 2
        middles.append(middle)
    return _Blob(height, crown, np.array(widths), np.array(middles))


def _chin(blob: _Blob) -> tuple[float, float]:
    """Height from crown to chin, and the confidence in the head."""
    neck = blob.neck
    if neck is None:
        # Hair down to the shoulders: nothing but the head's width tells its height.
        return 1.07 * blob.height, 0.5
    # The disc's own roundness ends the blob near the chin; hair at the jaw lets it end lower.
    height = float(np.clip(neck, 0.85 * blob.height, 1.2 * blob.height))
    return height, 0.9 if height == neck else 0.7


def framing_for_head(head: HeadBox, target: HeadTarget = THA_HEAD) -> Framing:
    """The upright framing in which the head's box lands on the box that a model expects."""
    scale = target.side / head.side
    cx, cy = head.centre
    return Framing(scale, 0.0, target.cx - cx * scale, target.cy - cy * scale)


def framing_for(
    picture: Picture, head: HeadBox | None = None, target: HeadTarget | None = THA_HEAD
) -> Framing:
    """The framing of a picture, by a given or a guessed head; without a target the square around the whole picture.

    A square picture whose guessed head is about where the model expects it was drawn for such models:
    it becomes the square as it is, which costs no resampling.
    """
    height, width = picture.shape[:2]
    if target is None:
        side = max(width, height)
        return Framing.of_square((width - side) / 2, (height - side) / 2, side)
    if head is not None:
        return framing_for_head(head, target)
    guess = guess_head(picture)
    if guess is None:
        return Framing.of_square((width - min(width, height)) / 2, 0.0, min(width, height))
    if width == height:
        whole = Framing.of_square(0.0, 0.0, width)
        if fits(guess, whole, target):
            return whole
    return framing_for_head(guess, target)


def fits(head: HeadBox, framing: Framing, target: HeadTarget = THA_HEAD) -> bool:
    """Whether the head lies close enough to where the model expects it.

    The guides leave room for hair and hats: a quarter of the box's side in place, a third in size.
    """
    x, y = framing.matrix() @ (*head.centre, 1.0)
    ratio = head.side * framing.scale / target.side
    near = max(abs(x - target.cx), abs(y - target.cy)) <= 0.25 * target.side
    return bool(near and 0.75 <= ratio <= 4 / 3 and abs(framing.rotation_deg) <= 10)
