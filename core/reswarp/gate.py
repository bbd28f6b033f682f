# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the rest picture's detail belongs in a posed image, decided at the model's resolution.

ResWarp fails where a result shows what the source does not have (papers: ATW, appendix A.3 and A.4): warped
residuals then draw ghosts of the old content. The gate holds them back there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import Levels, as_newness, difference
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map
from keywarp.core.reswarp.sampling import Compared, Sampled
from keywarp.core.runtime.kernels import FLOATS, INDEX, Compiled, Kernel, built_once
from keywarp.core.runtime.session import in_parallel

BAND = 128
"""Rows that are made together."""
HALO = 8
"""Pixels around them that the filters look at; the widest, 5 after 3 after 3, reach 4 away."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SPREAD = np.ones((5, 5), np.uint8)
_WINDOW = (9, 9)


@dataclass(frozen=True)
class Gated:
    """A motion, and how much of the picture's detail goes with it; everything (h, w, ...)."""

    image: Sampled
    """(h, w, 4), premultiplied, linear light."""
    map: Sampled
    """(h, w, 4): flow in pixels of the frame, x and y; then, twice (four channels are sampled faster than three), the
    share of detail that is kept, 0 (new content) to 1. All of it is 0 well away from what is seen."""
    shown: npt.NDArray[np.uint8]
    """(h, w): 1 where anything is seen, in the image or in the rest picture moved."""

    @property
    def kept(self) -> FloatImage:
        return self.map.inner[..., 2]


def gated(
    motion: Motion,
    rest: Sampled,
    weight: FloatImage | None,
    to_frame: npt.NDArray[np.float64],
    gate: bool = True,
) -> Gated:
    """The motion of a picture whose low resolution is ``rest``; it is this thread's until the next one.

    ``weight``, (h, w) in [0, 1], takes the image back to the rest picture as it goes to 0: the motion itself shrinks,
    the image does not fade, and nothing is seen twice. Where it is 0 the result is the rest picture with no flow, so
    that it meets the still picture around it without a seam. ``to_frame``: (2, 2), flow in the square's units to
    flow in the frame's pixels. Without ``gate`` all of the detail is kept.
    """
    h, w = motion.flow.shape[:2]
    out = Gated(Sampled.empty("image", h, w), Sampled.empty("map", h, w), np.zeros((h, w), np.uint8))

    def band(first: int) -> None:
        rows, wide = (
            slice(first, min(first + BAND, h)),
            slice(max(first - HALO, 0), min(first + BAND + HALO, h)),
        )
        columns = _seen_columns(motion, rest, wide)
        for each in (out.image, out.map):
            each.inner[rows, : columns.start] = each.inner[rows, columns.stop :] = 0
        if columns.start < columns.stop:
            found, flow, kept = _compared(motion, rest, weight, (wide, columns))
            inner = slice(rows.start - wide.start, rows.stop - wide.start)
            out.shown[rows, columns] = found.opacity[inner] > 0
            into = out.image.inner[rows, columns], out.map.inner[rows, columns]
            _restore(found, flow, kept, to_frame, inner, into)

    in_parallel(band, range(0, h, BAND))
    if not gate:
        out.map.inner[..., 2:] = 1
    out.image.clamp()
    out.map.clamp()
    return out


def _seen_columns(motion: Motion, rest: Sampled, rows: slice) -> slice:
    """The columns of some rows of the square in which anything may be seen, and what the filters look at beside."""
    w = motion.flow.shape[1]
    reach = int(cv2.norm(motion.flow[rows], cv2.NORM_INF) * (w / 2)) + 2
    left, right = rest.seen_columns(rows.start - reach, rows.stop + reach)
    drawn = np.flatnonzero(cv2.reduce(motion.image[rows], 0, cv2.REDUCE_MAX)[0, :, 3])
    ends = [(drawn[0], drawn[-1] + 1)] if len(drawn) else []
    if left < right:
        ends.append((left - reach, right + reach))
    if not ends:
        return slice(0, 0)
    return slice(max(min(a for a, _ in ends) - HALO, 0), min(max(b for _, b in ends) + HALO, w))


def _compared(
    motion: Motion, rest: Sampled, weight: FloatImage | None, part: tuple[slice, slice]
) -> tuple[Compared, FloatImage, FloatImage]:
    """A part of the square: what is found there, its flow, and the share of detail that is kept, which is not exact
    near the part's ends."""
    h, w = motion.flow.shape[:2]
    image, flow, painted = motion.image[part], motion.flow[part], motion.painted[(*part, 0)]
    if weight is None:
        share = np.broadcast_to(np.ones(image.shape[1], np.float32), image.shape[:2])
    else:
        share = np.asarray(weight[part], np.float32)
        flow, painted = flow * share[..., None], painted * share
    x, y = cv2.split(cv2.scaleAdd(flow, w / 2, identity_map(h, w)[part]))
    found = rest.compared(image, x, y, share)
    return found, flow, carry(found.levels, found.expected, painted)


def carry(levels: Levels, expected: Levels, painted: FloatImage) -> FloatImage:
    """(h, w): how much of the picture's detail is carried along, 0 (new content) to 1.

    From ``painted``, (h, w), and from where an image's ``levels`` show something else than those ``expected``, which
    are the low-resolution rest picture's, warped by the motion's flow (see ``core.newness``).
    """
    # Within a patch of new content some pixels equal the old ones by chance.
    differs = as_newness(cv2.dilate(difference(levels, expected), _SPREAD))
    new = np.maximum(differs, cv2.dilate(np.clip(painted, 0, 1), _NEIGHBOURS))
    kept: FloatImage = 1 - new
    return kept


def _restore(
    found: Compared,
    flow: FloatImage,
    kept: FloatImage,
    to_frame: npt.NDArray[np.float64],
    rows: slice,
    out: tuple[FloatImage, FloatImage],
) -> None:
    """Write some rows of the image, with what a network's own bilinear warp has blurred given back, and of the map.

    Networks that sample their picture bilinearly soften it with every fraction of a pixel, and the residuals, which
    begin where the picture's low resolution ends, do not hold what is lost. What a bilinear warp of the rest picture
    lacks against a cubic one is added as far as the image lacks it too (a local regression tells, of the products
    ``has`` over ``all_of_it``), and as far as detail is ``kept`` at all: an image that was never blurred is left as
    it is.
    """
    products = (cv2.blur(product, _WINDOW) for product in (found.has, found.all_of_it))
    arrays = [array[rows] for array in (found.image, found.lack, *products, kept, flow)] + list(out)
    # What a step of the flow across, one down, and the share that is kept put into the map.
    units = np.zeros((3, 4), np.float32)
    units[:2, :2], units[2, 2:] = to_frame.T, 1
    pitches = [array.strides[0] // array.itemsize for array in arrays]
    _restoring()(*arrays, units, *pitches, *out[0].shape[:2])


@built_once
def _restoring() -> Compiled:
    channels = (4, 4, 1, 1, 1, 2, 4, 4)
    k = Kernel("gate_restoring", *[FLOATS] * 9, *[INDEX] * 10)
    arrays, units, pitches, (rows, columns) = (
        k.arguments[a:b] for a, b in ((0, 8), (8, 9), (9, 17), (17, 19))
    )
    across, down, share = (k.load(units[0], k.index(4 * i), 4) for i in range(3))
    with k.loop(0, rows) as row, k.loop(0, columns) as i:
        image, lack, has, all_of_it, kept, flow, out, mapped = (
            (array, row * pitch + i * n) for array, pitch, n in zip(arrays, pitches, channels)
        )
        own = k.load(*kept)
        missing = 1.0 - (k.load(*has) / (k.load(*all_of_it) + 1e-7)).clamped(0.0, 1.0)
        k.store(k.multiply_add(k.load(*lack, 4), (missing * own).spread(4), k.load(*image, 4)), *out)
        there = share * own.spread(4)
        for axis, towards in enumerate((across, down)):
            there = k.multiply_add(towards, k.load(flow[0], flow[1] + axis).spread(4), there)
        k.store(there, *mapped)
    return k.compiled()
