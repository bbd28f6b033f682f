# SPDX-License-Identifier: GPL-3.0-or-later
"""The canvas is the whole picture; a view says where it lies in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from keywarp.core.resample import Affine
from keywarp.core.reswarp.pyramid import Box
from keywarp.keyframes.errors import KeywarpError

MAX_SIDE = 8192

Fit = Literal["contain", "cover"]


@dataclass(frozen=True)
class View:
    """A frame and the canvas in it."""

    width: int
    height: int
    canvas: Box
    """The part of the frame that the picture fills; what is outside of it is transparent."""
    canvas_to_frame: Affine
    """(2, 3): the canvas's continuous pixels to the frame's."""

    @property
    def scale(self) -> float:
        """Frame pixels per canvas pixel; above 1 the picture is enlarged."""
        return float(self.canvas_to_frame[0, 0])


def view_of(canvas: tuple[int, int], size: tuple[int, int] | None, fit: Fit = "contain") -> View:
    """The canvas, (width, height), centred in a frame of this size; ``None``: the canvas's own size.

    ``contain`` shows all of it, with transparent bars where the shapes differ; ``cover`` fills the frame and
    cuts off the rest.
    """
    w, h = canvas
    width, height = size or canvas
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise KeywarpError(
            f"a frame of {width}x{height} cannot be made: sides from 1 to {MAX_SIDE} pixels can"
        )
    scales = width / w, height / h
    scale = min(scales) if fit == "contain" else max(scales)
    # Whole pixels, so that the picture's own grid stays where one canvas pixel is one frame pixel.
    x, y = round((width - w * scale) / 2), round((height - h * scale) / 2)
    right, bottom = min(x + round(w * scale), width), min(y + round(h * scale), height)
    matrix = np.array([[scale, 0, x], [0, scale, y]], np.float64)
    return View(width, height, (max(x, 0), max(y, 0), right, bottom), matrix)
