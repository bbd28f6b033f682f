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

Levels = npt.NDArray[np.uint8]


def newness(image: FloatImage, expected: FloatImage) -> FloatImage:
    """(h, w) in [0, 1]: where ``image`` shows something else than ``expected``.

    Both (h, w, 4), premultiplied, linear light, [0, 1], at a model's resolution. A line that is drawn up to a
    pixel aside, or softer, is the same line: what both show within a pixel's reach is no difference.
    """
    a, b = _brightness(image), _brightness(expected)
    tolerance = cv2.min(_reach(a), _reach(b))
    beyond = cv2.subtract(cv2.absdiff(a, b), tolerance)
    red, green, blue, alpha = cv2.split(beyond)
    largest = cv2.max(cv2.max(red, green), cv2.max(blue, alpha)).astype(np.float32)
    ramp: FloatImage = np.clip((largest - 255 * AGREE) / (255 * (DISAGREE - AGREE)), 0, 1)
    return ramp


def _brightness(image: FloatImage) -> Levels:
    """Roughly even steps for the eye, a little blurred: the square root of linear light, of 255."""
    levels: Levels = cv2.blur(cv2.convertScaleAbs(cv2.sqrt(np.maximum(image, 0)), alpha=255), (3, 3))
    return levels


def _reach(image: Levels) -> Levels:
    """How far the values within one pixel of each pixel lie apart."""
    reach: Levels = cv2.subtract(cv2.dilate(image, _NEIGHBOURS), cv2.erode(image, _NEIGHBOURS))
    return reach
