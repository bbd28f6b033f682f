# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that know no transparency: what they are shown of a picture, and what their answer becomes.

They see the picture over one plain colour, and its alpha goes along with the flow. What they answer is the
character over that colour again, which is taken away as far as the warped alpha says. An opaque picture stays opaque.
"""

from __future__ import annotations

import numpy as np

from keywarp.core.color import linear_to_srgb, srgb_to_linear
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import warp_by_flow

BACKDROP = np.float32(0.5)
"""sRGB, of all channels: in the middle, so that errors at soft edges are small on either side."""
INVERSIONS = 3
"""Steps in which a smooth rest flow is inverted to a fraction of a pixel."""
BACKDROP_LINEAR = float(srgb_to_linear(np.array([BACKDROP], np.float32))[0])


def over_backdrop(square: Picture) -> FloatImage:
    """(h, w, 3) sRGB in [0, 1] of a premultiplied linear picture (h, w, 4)."""
    clear = (1 - square[..., 3:]) * np.float32(BACKDROP_LINEAR)
    shown: FloatImage = linear_to_srgb(np.clip(square[..., :3] + clear, 0, 1)).astype(np.float32)
    return shown


def off_backdrop(shown: FloatImage, alpha: FloatImage) -> Picture:
    """The premultiplied linear picture (h, w, 4) of an answer (h, w, 3), sRGB in [0, 1], and its alpha (h, w)."""
    alpha = np.clip(alpha, 0, 1)[..., None]
    colour = srgb_to_linear(np.clip(shown, 0, 1)) - (1 - alpha) * np.float32(BACKDROP_LINEAR)
    picture = np.concatenate([np.clip(colour, 0, alpha), alpha], -1)
    return np.ascontiguousarray(picture, np.float32)


def from_rest(flow: FloatImage, rest: FloatImage) -> FloatImage:
    """``flow`` (h, w, 2), as it would be if the model's ``rest`` flow were none; the rest flow itself becomes 0.

    A network that answers its rest pose with a small warp shows, in the place p, what lies at p + rest(p). Measured
    from that answer, which the residuals are taken against, content comes from q - p with q + rest(q) = p + flow(p):
    found by going back from p + flow(p) by what the rest flow was at the last guess.
    """
    corrected = flow - rest
    for _ in range(INVERSIONS):
        corrected = flow - warp_by_flow(rest, corrected)
    return corrected


def moved_alpha(alpha: FloatImage, flow: FloatImage) -> FloatImage:
    """(h, w): the picture's alpha where ``flow`` (h, w, 2), uncorrected, says; an opaque picture stays opaque."""
    if float(alpha.min()) >= 0.999:
        return np.ones(alpha.shape, np.float32)
    return warp_by_flow(alpha, flow)


def softened(mask: FloatImage) -> FloatImage:
    """(h, w): a mask without the steps that up-sampling leaves."""
    soft: FloatImage = cv2.blur(mask, (3, 3))
    return soft
