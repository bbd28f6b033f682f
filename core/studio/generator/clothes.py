# SPDX-License-Identifier: GPL-3.0-or-later
"""Clothes: a painting for the body's front. What stands out from it is in ``collars``."""

from __future__ import annotations

import numpy as np

from keywarp.core.studio.generator.body import BOTTOM, WINDOW, BodyForm, arm_path
from keywarp.core.studio.generator.face import skin_shade
from keywarp.core.studio.generator.mesh import Array, along
from keywarp.core.studio.generator.paint import Painting, Pixels, tapered
from keywarp.core.studio.generator.recipe import Recipe
from keywarp.core.studio.generator.tones import Rgb, lit, mixed, shaded

_SIDES = (-1.0, 1.0)
_NECKLINES = {
    # half width at the shoulder, depth, V (1) or round (0)
    "sailor": (0.125, 0.36, 1.0),
    "shirt": (0.075, 0.085, 1.0),
    "blazer": (0.10, 0.46, 1.0),
    "hoodie": (0.13, 0.13, 0.0),
    "sweater": (0.10, 0.07, 0.0),
    "track": (0.09, 0.16, 1.0),
    "tee": (0.135, 0.12, 0.0),
    "kimono": (0.10, 0.27, 1.0),
    "cardigan": (0.12, 0.50, 1.0),
    "gakuran": (0.08, 0.06, 0.0),
    "dress": (0.20, 0.21, 0.0),
}


def _line_of(colour: Rgb) -> Rgb:
    return mixed(shaded(colour, 1.6), (0.16, 0.10, 0.14), 0.35)


def painting(recipe: Recipe, per_unit: float) -> Painting:
    """What the body's front looks like."""
    return _Tailor(recipe, per_unit).made()


class _Tailor:
    def __init__(self, recipe: Recipe, per_unit: float) -> None:
        self.recipe, self.form = recipe, BodyForm.of(recipe)
        self.tones, self.garment = recipe.tones, recipe.outfit.garment
        self.art = Painting(WINDOW, per_unit, recipe.tones.skin)
        self.cloth = self.tones.cloth
        if self.garment == "gakuran":
            self.cloth = mixed(self.cloth, (0.13, 0.14, 0.18), 0.85)
        self.line = _line_of(self.cloth)
        self.thin = 0.006 * recipe.weight

    def made(self) -> Painting:
        """The whole painting."""
        self._skin()
        wide, deep, pointed = _NECKLINES[self.garment]
        self.opening = self._opening(wide, deep, pointed)
        below = np.array([[-2, 0.045], [2, 0.045], [2, -2], [-2, -2]])
        mask = np.clip(self.art.mask(below) - self.art.mask(self.opening), 0, 1)
        self.art.blend(mask, self.cloth)
        under = {"blazer": self.tones.cloth2, "cardigan": lit(self.tones.cloth2, 0.5), "sailor": self.cloth}
        if self.garment in under:
            self._underneath(under[self.garment])
        self._folds(mask)
        getattr(self, f"_{self.garment}", self._plain)()
        self._arm_lines()
        return self.art

    def _skin(self) -> None:
        shade, n = skin_shade(self.tones.skin), self.form.neck
        arc = np.linspace(-1, 1, 21)
        low = np.stack((arc * 0.2, 0.055 - 0.050 * (1 - arc**2) + 0.04 * arc), 1)
        self.art.shape(np.concatenate(([[-0.2, 0.3], [0.2, 0.3]], low[::-1])), shade, 0.95)
        for sign in _SIDES:
            path = np.array([[0.030, -0.115], [0.08, -0.100], [0.16, -0.085], [0.23, -0.055]]) * np.array(
                [sign, 1]
            )
            self.art.stroke(along(path, 20), tapered(20, 0.009, 0.1, 0.7), shade, 0.9, blur=0.001)
            path = np.array([[0.75 * n, 0.03], [0.45 * n, -0.05], [0.022, -0.11]]) * np.array([sign, 1])
            self.art.stroke(along(path, 14), tapered(14, 0.007, 0.6, 0.2), shade, 0.7, blur=0.002)

    def _opening(self, wide: float, deep: float, pointed: float) -> Array:
        arc = np.linspace(-1, 1, 41)
        shape = np.abs(arc) if pointed else 1 - np.sqrt(np.maximum(1 - np.abs(arc) ** 2.2, 0))
        top = 0.05
        low = np.stack((arc * wide, -deep + (top + deep) * shape), 1)
        return np.concatenate((low, [[wide, 0.3], [-wide, 0.3]]))

    def _underneath(self, colour: Rgb) -> None:
        """A shirt, seen in the opening of what is worn over it."""
        wide = 0.10
        depth = 0.09 if self.garment != "sailor" else 0.24
        inner = self._opening(wide, depth, 1.0 if self.garment == "blazer" else 0.0)
        mask = np.clip(self.art.mask(self.opening) - self.art.mask(inner), 0, 1)
        level = np.array([[-1, 0.03], [1, 0.03], [1, -1], [-1, -1]])
        mask = mask * self.art.mask(level)
        if self.garment == "sailor":
            mask = mask * self.art.mask(np.array([[-1, -0.235], [1, -0.235], [1, -1], [-1, -1]]))
        self.art.blend(mask, colour)
        self._edge(inner[:41] if self.garment != "sailor" else inner[8:33], colour)

    def _edge(self, path: Array, colour: Rgb, width: float = 1.0) -> None:
        self.art.stroke(path, self.thin * width, _line_of(colour))

    def _folds(self, mask: Pixels) -> None:
        """Soft shadows: under the chin, beside the arms, and some creases."""
        shade, s = shaded(self.cloth, 0.75), self.form.shoulders
        art = self.art
        fresh = art.pixels.copy()
        arc = np.linspace(-1, 1, 21)
        low = np.stack((arc * 0.19 + 0.01, -0.10 - 0.035 * (1 - arc**2)), 1)
        art.shape(np.concatenate(([[-0.2, 0.1], [0.2, 0.1]], low[::-1])), shade, 0.7, blur=0.004)
        for sign in _SIDES:
            crease = [[0.93 * s, -0.40], [0.80 * s, -0.47], [0.62 * s, -0.50]]
            for k in range(3):
                path = along(np.array(crease) * np.array([sign, 1]) + np.array([0, -0.06 * k]), 16)
                art.stroke(path, tapered(16, 0.035 - 0.008 * k, 0.05, 0.95), shade, 0.75, blur=0.002)
            side = [
                [0.99 * s, -0.42],
                [0.90 * s, -0.9],
                [0.95 * s, BOTTOM],
                [0.74 * s, BOTTOM],
                [0.66 * s, -1.0],
                [0.80 * s, -0.6],
            ]
            art.shape(np.array(side) * np.array([sign, 1]), shade, 0.7, blur=0.004)
        if self.form.bust:
            for sign in _SIDES:
                path = along(
                    np.array([[0.05, -0.80], [0.13, -0.835], [0.22, -0.80], [0.27, -0.70]])
                    * np.array([sign, 1]),
                    20,
                )
                art.stroke(path, tapered(20, 0.03, 0.5, 0.6), shade, 0.6, blur=0.006)
        share = np.asarray(mask, np.float32)[..., None]
        art.pixels[:] = fresh + (art.pixels - fresh) * share

    def _arm_lines(self) -> None:
        s = self.form.shoulders
        for sign in _SIDES:
            path = along(
                np.array([[0.90 * s, -0.42], [0.885 * s, -0.55], [0.945 * s, -0.95], [0.99 * s, BOTTOM]]), 30
            )
            self.art.stroke(path * np.array([sign, 1]), tapered(30, self.thin * 1.2, 0.3, 0), self.line, 0.9)

    def _plain(self) -> None:
        self._edge(self.opening[:41], self.cloth, 1.2)

    def _tee(self) -> None:
        band = self.opening[:41] + np.array([0, -0.012])
        self.art.stroke(
            band, 0.026, lit(self.cloth, 0.25) if sum(self.cloth) < 1.5 else shaded(self.cloth, 0.5)
        )
        self._plain()
        if self.recipe.seed % 3 == 0:
            self.art.spot(0, -0.55, (0.12, 0.12), self.tones.accent, 0.9, 0.04)
            self.art.spot(0, -0.55, (0.09, 0.09), lit(self.cloth, 0.5), 0.9, 0.05)
        elif self.recipe.seed % 3 == 1:
            for y in np.arange(-0.42, BOTTOM, -0.16):
                self.art.shape(
                    np.array([[-1, y], [1, y], [1, y - 0.07], [-1, y - 0.07]]), self.tones.accent, 0.85
                )

    def _sweater(self) -> None:
        for x in np.arange(-0.6, 0.61, 0.05):
            path = np.array([[x, -0.20], [x, BOTTOM]])
            self.art.stroke(path, 0.005, shaded(self.cloth, 0.7), 0.5)
        self._plain()

    def _shirt(self) -> None:
        self.art.stroke(np.array([[0.022, -0.09], [0.022, BOTTOM]]), self.thin * 0.8, self.line, 0.8)
        for y in np.arange(-0.22, BOTTOM, -0.20):
            self.art.spot(0, y, (0.013, 0.013), mixed(self.tones.cloth2, self.cloth, 0.3), 1.0, 0.2)
            self.art.spot(-0.002, y + 0.002, (0.006, 0.006), self.line, 0.7, 0.3)
        self._plain()

    def _sailor(self) -> None:
        collar = self.tones.cloth2 if sum(self.cloth) > 2.0 else shaded(self.cloth, 0.35)
        stripe = (0.97, 0.97, 0.97) if sum(collar) < 1.9 else self.tones.accent
        for sign in _SIDES:
            turn = np.array([sign, 1.0])
            shape = [
                [0.115, 0.06],
                [0.20, -0.02],
                [0.30, -0.16],
                [0.315, -0.22],
                [0.20, -0.30],
                [0.02, -0.45],
                [0.0, -0.38],
            ]
            self.art.shape(np.array(shape) * turn, collar)
            self._edge(np.array(shape[2:6]) * turn, collar, 1.2)
            self._edge(np.array([shape[0], shape[6]]) * turn, collar, 1.2)
            for k in (0.024, 0.044):
                path = np.array(
                    [
                        [0.29 - k, -0.165],
                        [0.305 - 1.25 * k, -0.215 + 0.4 * k],
                        [0.195 - k * 0.8, -0.295 + k],
                        [0.02, -0.44 + 1.2 * k],
                    ]
                )
                self.art.stroke(path * turn, 0.0075, stripe)

    def _blazer(self) -> None:
        lapel = lit(self.cloth, 0.06)
        for sign in _SIDES:
            turn = np.array([sign, 1.0])
            shape = np.array(
                [
                    [0.10, 0.05],
                    [0.17, -0.03],
                    [0.20, -0.17],
                    [0.155, -0.19],
                    [0.17, -0.235],
                    [0.015, -0.54],
                    [0.0, -0.46],
                ]
            )
            self.art.shape(shape * turn, shaded(self.cloth, 0.6), 0.6, blur=0.008)
            self.art.shape(shape * turn, lapel)
            self._edge(shape[[0, 6]] * turn, self.cloth, 1.2)
            self._edge(shape[1:6] * turn, self.cloth, 1.2)
            self._edge(np.array([[0.11, -0.115], [0.155, -0.19]]) * turn, self.cloth)
        self.art.stroke(np.array([[0.0, -0.5], [0.01, BOTTOM]]), self.thin * 1.2, self.line)
        for y in (-0.66, -0.86, -1.06):
            self.art.spot(0.04, y, (0.018, 0.018), self.tones.accent, 1.0, 0.2)
        self.art.stroke(np.array([[0.15, -0.62], [0.27, -0.60]]), self.thin * 1.2, self.line)

    def _cardigan(self) -> None:
        edge = self.opening[:41]
        self.art.stroke(edge + np.array([0, -0.02]), 0.045, lit(self.cloth, 0.12))
        self._plain()
        self._edge(edge + np.array([0, -0.046]), self.cloth)
        self.art.stroke(np.array([[0.0, -0.54], [0.0, BOTTOM]]), self.thin, self.line)
        for y in np.arange(-0.62, BOTTOM, -0.20):
            self.art.spot(0.0, y, (0.017, 0.017), self.tones.accent, 1.0, 0.2)

    def _hoodie(self) -> None:
        self._plain()
        for sign in _SIDES:
            path = along(np.array([[0.055, -0.10], [0.06, -0.25], [0.052, -0.42]]) * np.array([sign, 1]), 14)
            self.art.stroke(path, 0.016, (0.96, 0.96, 0.95))
            self.art.stroke(path, 0.004, (0.62, 0.62, 0.66), 0.7)
            self.art.shape(
                np.array([[0.043, -0.41], [0.062, -0.41], [0.066, -0.45], [0.040, -0.45]])
                * np.array([sign, 1]),
                self.tones.accent,
            )
        self.art.stroke(
            along(np.array([[-0.24, -1.2], [-0.17, -1.0], [0.17, -1.0], [0.24, -1.2]]), 30),
            self.thin,
            self.line,
        )

    def _track(self) -> None:
        self.art.stroke(np.array([[0, 0.05], [0, BOTTOM]]), 0.020, self.tones.accent)
        self.art.stroke(np.array([[0, 0.05], [0, BOTTOM]]), 0.005, self.line)
        for sign in _SIDES:
            path = arm_path(self.form, sign)[:, :2] + np.array([0.02 * sign, 0.03])
            self.art.stroke(path, 0.045, (0.96, 0.96, 0.96))
            self.art.stroke(path, 0.012, self.tones.accent)
            yoke = along(np.array([[0.10, -0.02], [0.22, -0.30], [0.36, -0.42]]) * np.array([sign, 1]), 14)
            self.art.stroke(yoke, self.thin, self.line, 0.9)

    def _kimono(self) -> None:
        band, inner = self.tones.cloth2, self.tones.accent
        for sign, end in ((-1.0, 0.16), (1.0, -0.20)):
            turn = np.array([sign, 1.0])
            outer = np.array(
                [
                    [0.115, 0.06],
                    [0.175, 0.0],
                    [0.115, -0.18],
                    [end * sign * sign - 0.14, -0.78],
                    [end - 0.24, -0.70],
                    [0.0, -0.27],
                ]
            )
            shifted = outer * turn
            self.art.shape(shifted + np.array([0, 0.0]), band)
            self._edge(shifted[[0, 5]], band, 1.2)
            self._edge(shifted[1:4], band, 1.2)
            self.art.stroke(np.array([[0.095, 0.03], [0.0, -0.235]]) * turn, 0.02, inner)
        obi = np.array([[-1, -0.98], [1, -0.98], [1, -1.40], [-1, -1.40]])
        self.art.shape(obi, self.tones.accent)
        self.art.shape(np.array([[-1, -1.16], [1, -1.16], [1, -1.21], [-1, -1.21]]), band)
        for k in range(14):
            x, y = ((k * 0.37) % 1.1) - 0.55, -0.35 - ((k * 0.23) % 0.62)
            if abs(x) > 0.17:
                for a in range(5):
                    turn5 = 2 * np.pi * a / 5 + k
                    self.art.spot(
                        x + 0.022 * np.cos(turn5),
                        y + 0.022 * np.sin(turn5),
                        (0.017, 0.017),
                        lit(self.cloth, 0.65),
                        0.9,
                        0.2,
                    )
                self.art.spot(x, y, (0.009, 0.009), self.tones.accent, 1.0, 0.2)

    def _gakuran(self) -> None:
        self.art.stroke(np.array([[0.012, -0.03], [0.012, BOTTOM]]), self.thin, lit(self.cloth, 0.25))
        for y in np.arange(-0.20, BOTTOM, -0.22):
            self.art.spot(-0.006, y, (0.022, 0.022), (0.86, 0.70, 0.34), 1.0, 0.15)
            self.art.spot(-0.011, y + 0.006, (0.008, 0.008), (1.0, 0.94, 0.74), 1.0, 0.3)

    def _dress(self) -> None:
        edge = self.opening[:41]
        trim = self.tones.cloth2
        for k in range(0, 40, 2):
            x, y = edge[k]
            self.art.spot(x, y - 0.006, (0.021, 0.021), trim, 1.0, 0.1)
            self.art.spot(x, y - 0.008, (0.012, 0.012), shaded(trim, 0.4), 0.6, 0.3)
        self._edge(edge + np.array([0, 0.006]), self.cloth)
        self.art.stroke(np.array([[-0.5, -0.98], [0.5, -0.98]]), 0.05, self.tones.accent)
        for sign in _SIDES:
            path = along(np.array([[0.10, -0.30], [0.12, -0.6], [0.10, -0.95]]) * np.array([sign, 1]), 20)
            self.art.stroke(path, self.thin, self.line, 0.8)
