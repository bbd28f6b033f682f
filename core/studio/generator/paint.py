# SPDX-License-Identifier: GPL-3.0-or-later
"""Paintings that become textures: smooth shapes and strokes in a window of the picture's plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.opencv import cv2
from keywarp.core.studio.figure import Texture
from keywarp.core.studio.generator.drawn import ribbon
from keywarp.core.studio.generator.mesh import Array
from keywarp.core.studio.generator.tones import Rgb

Pixels = npt.NDArray[np.float32]
Window = tuple[float, float, float, float]
"""Left, right, bottom, top."""
_FRACTION = 6
"""Bits of a pixel in the places of a shape's corners."""


class Painting:
    """An opaque painting."""

    def __init__(self, window: Window, per_unit: float, ground: Rgb) -> None:
        self.window, self.per_unit = window, per_unit
        left, right, bottom, top = window
        self.width, self.height = round((right - left) * per_unit), round((top - bottom) * per_unit)
        self.pixels: Pixels = np.empty((self.height, self.width, 3), np.float32)
        self.pixels[:] = np.array(ground, np.float32)

    def places(self) -> tuple[Pixels, Pixels]:
        """x and y of every pixel, to be combined: (1, w) and (h, 1)."""
        left, _, _, top = self.window
        x = left + (np.arange(self.width, dtype=np.float32) + 0.5) / self.per_unit
        y = top - (np.arange(self.height, dtype=np.float32) + 0.5) / self.per_unit
        return np.asarray(x[None], np.float32), np.asarray(y[:, None], np.float32)

    def mask(self, points: Array, blur: float = 0.0) -> Pixels:
        """(h, w): 0..1, how much of each pixel lies in a closed shape, (N, 2)."""
        seen = np.zeros((self.height, self.width), np.uint8)
        left, _, _, top = self.window
        x, y = (points[:, 0] - left) * self.per_unit - 0.5, (top - points[:, 1]) * self.per_unit - 0.5
        corners = np.rint(np.clip(np.stack((x, y), 1), -8000, 8000) * (1 << _FRACTION)).astype(np.int32)
        cv2.fillPoly(seen, [corners], 255, cv2.LINE_AA, _FRACTION)
        mask: Pixels = (seen / np.float32(255)).astype(np.float32)
        if blur:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur * self.per_unit), np.float32)
        return np.asarray(mask, np.float32)

    def blend(self, mask: npt.NDArray[Any], colour: Rgb, alpha: float = 1.0) -> None:
        """Paint a colour where a mask, (h, w), says."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        share = (mask[part] * alpha).astype(np.float32)[..., None]
        self.pixels[part] += (np.array(colour, np.float32) - self.pixels[part]) * share

    def shape(self, points: Array, colour: Rgb, alpha: float = 1.0, blur: float = 0.0) -> None:
        """Paint a closed shape, (N, 2)."""
        self.blend(self.mask(np.asarray(points, float), blur), colour, alpha)

    def stroke(
        self, path: Array, width: float | Array, colour: Rgb, alpha: float = 1.0, blur: float = 0.0
    ) -> None:
        """Paint a line, (N, 2), that tapers where its width, in units, does."""
        path = np.asarray(path, float)
        borders = ribbon(path, np.broadcast_to(np.asarray(width, float), (len(path),)))
        self.shape(np.concatenate((borders[0], borders[1][::-1])), colour, alpha, blur)

    def spot(
        self, x: float, y: float, radii: tuple[float, float], colour: Rgb, alpha: float, soft: float
    ) -> None:
        """Paint an ellipse whose border is as wide as ``soft``, a share of its radius."""
        across, up = self.places()
        reach = np.sqrt(((across - x) / radii[0]) ** 2 + ((up - y) / radii[1]) ** 2)
        share = np.clip((1 - reach) / max(soft, 1e-3), 0, 1)
        self.blend(share * share * (3 - 2 * share), colour, alpha)

    def texture(self) -> Texture:
        """(h, w, 4)."""
        out = np.full((self.height, self.width, 4), 255, np.uint8)
        out[..., :3] = np.rint(np.clip(self.pixels, 0, 1) * 255)
        return out


def tapered(count: int, width: float, start: float = 0.25, end: float = 0.25) -> Array:
    """(count,): widths of a stroke that thins over a share of its length at either end."""
    at = np.linspace(0, 1, count)
    rise = np.clip(at / max(start, 1e-6), 0, 1) if start else np.ones(count)
    fall = np.clip((1 - at) / max(end, 1e-6), 0, 1) if end else np.ones(count)
    return width * np.sqrt(np.minimum(rise, fall))
