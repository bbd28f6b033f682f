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
    out = Gated(
        np.empty((h, w, 4), np.float32),
        motion.flow if weight is None else np.empty((h, w, 2), np.float32),
        np.empty((h, w), np.float32),
        np.empty((h, w), np.uint8),
    )

    def band(first: int) -> None:
        wide = slice(max(first - HALO, 0), min(first + BAND + HALO, h))
        part = _gated(motion, rest, weight, wide)
        rows = slice(first, min(first + BAND, h))
        inner = slice(rows.start - wide.start, rows.stop - wide.start)
        out.image[rows], out.kept[rows], out.shown[rows] = (
            part.image[inner],
            part.kept[inner],
            part.shown[inner],
        )
        if weight is not None:
            out.flow[rows] = part.flow[inner]

    in_parallel(band, range(0, h, BAND))
    return out


def _gated(motion: Motion, rest: Sampled, weight: FloatImage | None, rows: slice) -> Gated:
    """``gated`` for some rows, not exact near their ends."""
    image, flow, painted = motion.image[rows], motion.flow[rows], motion.painted[rows, :, 0]
    share = None if weight is None else np.asarray(weight[rows], np.float32)
    if share is not None:
        flow, painted = flow * share[..., None], painted * share
    side = motion.flow.shape[1]
    places = cv2.scaleAdd(flow, side / 2, identity_map(*motion.flow.shape[:2])[rows])
    moved, lost, has, all_of_it = rest.compared(image, *cv2.split(places))
    if share is not None:
        # What a tapered image has beyond the moved picture is the same, times the weight.
        image, has = tapered(image, moved, share), has * share
    kept = carry(image, moved, painted)
    visible = np.maximum(image[..., 3], moved[..., 3]) > 0
    return Gated(restored(image, lost, has, all_of_it, kept), flow, kept, visible.astype(np.uint8))


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
