# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the rest picture's detail belongs in a posed image, decided at the model's resolution.

ResWarp fails where a result shows what the source does not have (papers: ATW, appendix A.3 and A.4): warped
residuals then draw ghosts of the old content. The gate holds them back there.
"""

from __future__ import annotations

import numpy as np

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map

_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SPREAD = np.ones((5, 5), np.uint8)
_WINDOW = (9, 9)


def warp_by_flow(image: FloatImage, flow: FloatImage, kernel: int = cv2.INTER_LINEAR) -> FloatImage:
    """``image``, (h, w, ...), sampled where ``flow``, (h, w, 2) in square units, says; the border clamped."""
    h, w = flow.shape[:2]
    where = identity_map(h, w) + flow * np.array([w / 2, h / 2], np.float32)
    out: FloatImage = cv2.remap(image, where, None, kernel, borderMode=cv2.BORDER_REPLICATE)
    return out


def tapered(motion: Motion, rest: FloatImage, weight: FloatImage | None) -> Motion:
    """``motion`` taken back to the rest picture as ``weight``, (h, w) in [0, 1], goes to 0.

    The motion itself shrinks, the image does not fade: nothing is seen twice. Where the weight is 0 the
    result is the rest picture with no flow, so that it meets the still picture around it without a seam.
    """
    if weight is None:
        return motion
    w = weight[..., None]
    flow = motion.flow * w
    rest_moved = warp_by_flow(rest, flow)
    image = rest_moved + (motion.image - rest_moved) * w
    return Motion(image, flow, motion.painted * w)


def carry(motion: Motion, moved: FloatImage) -> FloatImage:
    """(h, w): how much of the picture's detail is carried along, 0 (new content) to 1.

    From ``painted``, and from where ``motion.image`` shows something else than ``moved``, the low-resolution
    rest picture warped by the motion's flow (see ``core.newness``).
    """
    # Within a patch of new content some pixels equal the old ones by chance.
    differs = cv2.dilate(newness(motion.image, moved), _SPREAD)
    new = np.maximum(differs, cv2.dilate(np.clip(motion.painted[..., 0], 0, 1), _NEIGHBOURS))
    kept: FloatImage = (1 - new).astype(np.float32)
    return kept


def restored(motion: Motion, rest: FloatImage) -> Motion:
    """``motion`` with what a network's own bilinear warp has blurred given back.

    Networks that sample their picture bilinearly soften it with every fraction of a pixel, and the residuals, which
    begin where the picture's low resolution ends, do not hold what is lost. What a bilinear warp of the rest picture
    lacks against a cubic one is added as far as the image lacks it too (a local regression tells), and as far as
    detail is carried at all: an image that was never blurred is left as it is.
    """
    soft = warp_by_flow(rest, motion.flow)
    lost = warp_by_flow(rest, motion.flow, cv2.INTER_CUBIC) - soft
    has = cv2.blur(_dot(motion.image - soft, lost), _WINDOW)
    share = np.clip(has / (cv2.blur(_dot(lost, lost), _WINDOW) + 1e-7), 0, 1)
    given = (1 - share) * carry(motion, soft)
    return Motion(motion.image + lost * given[..., None], motion.flow, motion.painted)


def _dot(a: FloatImage, b: FloatImage) -> FloatImage:
    product: FloatImage = cv2.transform(cv2.multiply(a, b), np.ones((1, 4), np.float32))
    return product
