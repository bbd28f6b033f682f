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
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map
from keywarp.core.reswarp.sampling import Sampled
from keywarp.core.runtime.session import in_parallel

BAND = 128
"""Rows that are made together."""
HALO = 8
"""Rows around them that the filters look at; the widest, 5 after 3 after 3, reach 4 away."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SPREAD = np.ones((5, 5), np.uint8)
_WINDOW = (9, 9)


@dataclass(frozen=True)
class Gated:
    """A motion, and how much of the picture's detail goes with it; everything (h, w, ...)."""

    image: FloatImage
    """(h, w, 4), premultiplied, linear light."""
    flow: FloatImage
    """(h, w, 2), in the square's units."""
    kept: FloatImage
    """(h, w): 0 (new content) to 1."""
    shown: npt.NDArray[np.uint8]
    """(h, w): 1 where anything is seen, in the image or in the rest picture moved."""


def gated(motion: Motion, rest: Sampled, weight: FloatImage | None) -> Gated:
    """The motion of a picture whose low resolution is ``rest``; ``weight``: see ``tapered``."""
    h, w = motion.flow.shape[:2]
    # Nothing is seen in the columns that are left out.
    out = Gated(
        np.zeros((h, w, 4), np.float32),
        motion.flow if weight is None else motion.flow * weight[..., None],
        np.ones((h, w), np.float32),
        np.zeros((h, w), np.uint8),
    )
    left, right = _seen_columns(motion, rest)
    columns = slice(max(left - HALO, 0), min(right + HALO, w))

    def band(first: int) -> None:
        wide = slice(max(first - HALO, 0), min(first + BAND + HALO, h))
        image, kept, shown = _gated(motion, out.flow, rest, weight, (wide, columns))
        rows = slice(first, min(first + BAND, h))
        inner = slice(rows.start - wide.start, rows.stop - wide.start)
        out.image[rows, columns], out.kept[rows, columns] = image[inner], kept[inner]
        out.shown[rows, columns] = shown[inner]

    if left < right:
        in_parallel(band, range(0, h, BAND))
    return out


def _seen_columns(motion: Motion, rest: Sampled) -> tuple[int, int]:
    """The first column of the square in which anything may be seen, and the one behind the last."""
    w = motion.flow.shape[1]
    reach = np.abs(cv2.minMaxLoc(cv2.extractChannel(motion.flow, 0))[:2]).max() * (w / 2)
    drawn = np.flatnonzero(cv2.reduce(cv2.extractChannel(motion.image, 3), 0, cv2.REDUCE_MAX)[0])
    ends = [(drawn[0], drawn[-1] + 1)] if len(drawn) else []
    left, right = rest.seen_columns
    if left < right:
        ends.append((left - int(reach) - 2, right + int(reach) + 2))
    return max(min((a for a, _ in ends), default=0), 0), min(max((b for _, b in ends), default=0), w)


def _gated(
    motion: Motion, flow: FloatImage, rest: Sampled, weight: FloatImage | None, part: tuple[slice, slice]
) -> tuple[FloatImage, FloatImage, npt.NDArray[np.bool_]]:
    """Image, share that is kept, and what is seen, for a part of the square; not exact near its ends."""
    image, painted = motion.image[part], motion.painted[(*part, 0)]
    h, w = motion.flow.shape[:2]
    places = cv2.scaleAdd(flow[part], w / 2, identity_map(h, w)[part])
    moved, lost, has, all_of_it = rest.compared(image, *cv2.split(places))
    if weight is not None:
        # What a tapered image has beyond the moved picture is the same, times the weight.
        share = np.asarray(weight[part], np.float32)
        image, has, painted = tapered(image, moved, share), has * share, painted * share
    kept = carry(image, moved, painted)
    visible = np.maximum(image[..., 3], moved[..., 3]) > 0
    return restored(image, lost, has, all_of_it, kept), kept, visible


def tapered(image: FloatImage, moved: FloatImage, weight: FloatImage) -> FloatImage:
    """A posed image taken back to the rest picture as ``weight``, (h, w) in [0, 1], goes to 0.

    The flow, with which ``moved``, the rest picture, was warped, has been multiplied by the weight: the motion itself
    shrinks, the image does not fade, and nothing is seen twice. Where the weight is 0 the result is the rest picture
    with no flow, so that it meets the still picture around it without a seam.
    """
    out: FloatImage = moved + (image - moved) * weight[..., None]
    return out


def carry(image: FloatImage, moved: FloatImage, painted: FloatImage) -> FloatImage:
    """(h, w): how much of the picture's detail is carried along, 0 (new content) to 1.

    From ``painted``, (h, w), and from where the ``image`` shows something else than ``moved``, the low-resolution
    rest picture warped by the motion's flow (see ``core.newness``).
    """
    # Within a patch of new content some pixels equal the old ones by chance.
    differs = cv2.dilate(newness(image, moved), _SPREAD)
    new = np.maximum(differs, cv2.dilate(np.clip(painted, 0, 1), _NEIGHBOURS))
    kept: FloatImage = (1 - new).astype(np.float32)
    return kept


def restored(
    image: FloatImage, lost: FloatImage, has: FloatImage, all_of_it: FloatImage, kept: FloatImage
) -> FloatImage:
    """``image`` with what a network's own bilinear warp has blurred given back.

    Networks that sample their picture bilinearly soften it with every fraction of a pixel, and the residuals, which
    begin where the picture's low resolution ends, do not hold what is lost. What a bilinear warp of the rest picture
    lacks against a cubic one, ``lost``, is added as far as the image lacks it too (a local regression tells, of the
    products ``has`` over ``all_of_it``; see ``Sampled.compared``), and as far as detail is ``kept`` at all: an image
    that was never blurred is left as it is.
    """
    share = np.clip(cv2.blur(has, _WINDOW) / (cv2.blur(all_of_it, _WINDOW) + 1e-7), 0, 1)
    out: FloatImage = cv2.add(image, cv2.multiply(lost, cv2.merge([(1 - share) * kept] * 4)))
    return out
