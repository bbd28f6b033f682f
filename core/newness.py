# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling new content from content that was moved, or redrawn a little differently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2

#: Differences in brightness (square root of linear light), beyond what a shift by one pixel explains, between
#: which content becomes new. Networks redraw a picture to about 0.02; lids over eyes differ by 0.2 and more.
AGREE, DISAGREE = 0.03, 0.10
_NEIGHBOURS = np.ones((3, 3), np.uint8)

_RAMP = np.clip((np.arange(256) / 255 - AGREE) / (DISAGREE - AGREE), 0, 1).astype(np.float32)

Levels = npt.NDArray[np.uint8]
"""Brightness in roughly even steps for the eye: the square root of linear light, of 255."""


def newness(image: FloatImage, expected: FloatImage) -> FloatImage:
    """(h, w) in [0, 1]: where ``image`` shows something else than ``expected``.

    Both (h, w, 4), premultiplied, linear light, [0, 1], at a model's resolution. A line that is drawn up to a
    pixel aside, or softer, is the same line: what both show within a pixel's reach is no difference.
    """
    return as_newness(difference(brightness(image), brightness(expected)))


def brightness(image: FloatImage) -> Levels:
    """(h, w, 4): an image's levels."""
    levels: Levels = cv2.convertScaleAbs(cv2.sqrt(np.maximum(image, 0)), alpha=255)
    return levels


def difference(levels: Levels, expected: Levels) -> Levels:
    """(h, w): by how much two images' levels, (h, w, 4), differ in some channel, beyond what a shift explains."""
    a, b = cv2.blur(levels, (3, 3)), cv2.blur(expected, (3, 3))
    tolerance = cv2.min(_reach(a), _reach(b))
    red, green, blue, alpha = cv2.split(cv2.subtract(cv2.absdiff(a, b), tolerance))
    largest: Levels = cv2.max(cv2.max(red, green), cv2.max(blue, alpha))
    return largest


def as_newness(differing: Levels) -> FloatImage:
    """(h, w) in [0, 1] from ``difference``."""
    ramp: FloatImage = cv2.LUT(differing, _RAMP)
    return ramp


def _reach(levels: Levels) -> Levels:
    """How far the values within one pixel of each pixel lie apart."""
    reach: Levels = cv2.subtract(cv2.dilate(levels, _NEIGHBOURS), cv2.erode(levels, _NEIGHBOURS))
    return reach
