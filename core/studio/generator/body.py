# SPDX-License-Identifier: GPL-3.0-or-later
"""Neck, shoulders, torso and arms: one solid, on which clothes are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.generator.mesh import (
    Array,
    Piece,
    along,
    grid,
    normals_of,
    plane_uv,
    smooth_step,
    unit,
)
from keywarp.core.studio.generator.paint import Window
from keywarp.core.studio.generator.recipe import Recipe

WINDOW: Window = (-0.75, 0.75, -2.0, 0.25)
BOTTOM = -2.0
_POWER = 2.4


@dataclass(frozen=True)
class BodyForm:
    """A bust's proportions, in heads."""

    neck: float
    shoulders: float
    bust: float

    @classmethod
    def of(cls, recipe: Recipe) -> BodyForm:
        """Of a character."""
        return cls(recipe.neck, recipe.outfit.shoulders, recipe.outfit.bust)

    def half_width(self, y: Array | float) -> Array:
        """Of neck and torso, without arms."""
        n, s = self.neck, self.shoulders
        rows = (
            *(
                (0.30, 0.9 * n),
                (0.10, n),
                (0.02, 1.03 * n),
                (-0.03, 1.18 * n),
                (-0.065, 1.55 * n),
                (-0.10, 0.44 * s),
            ),
            *((-0.14, 0.66 * s), (-0.19, 0.84 * s), (-0.25, 0.95 * s), (-0.33, 0.97 * s), (-0.45, 0.88 * s)),
            *((-0.65, 0.80 * s), (-1.0, 0.68 * s), (-1.3, 0.74 * s), (BOTTOM, 0.86 * s)),
        )
        return _between(rows, y)

    def half_depth(self, y: Array | float) -> Array:
        """Of neck and torso."""
        n = self.neck
        rows = (
            *((0.30, 0.95 * n), (0.02, n), (-0.05, 1.1 * n), (-0.12, 0.115), (-0.22, 0.15), (-0.35, 0.175)),
            *((-0.65, 0.185), (-1.0, 0.155), (BOTTOM, 0.18)),
        )
        return _between(rows, y)

    def middle(self, y: Array | float) -> Array:
        """z of the sections' middles."""
        return _between(((0.30, 0.055), (0.0, 0.065), (-0.2, 0.10), (BOTTOM, 0.09)), y)

    def depth(self, x: Array, y: Array) -> Array:
        """z of the front at a place in the picture's plane."""
        across = np.minimum(np.abs(x) / self.half_width(y), 0.999)
        z = self.middle(y) - self.half_depth(y) * (1 - across**_POWER) ** (1 / _POWER)
        return np.asarray(z - self._swell(x, y))

    def place(self, xy: Array, lift: float | Array = 0.0) -> Array:
        """(N, 3): points of the picture's plane on its front, ``lift`` before it."""
        return np.stack((xy[:, 0], xy[:, 1], self.depth(xy[:, 0], xy[:, 1]) - lift), 1)

    def _swell(self, x: Array, y: Array) -> Array:
        out = self.bust * np.exp(-(((np.abs(x) - 0.13) / 0.12) ** 2) - ((y + 0.62) / 0.17) ** 2)
        return np.asarray(out * 1.6)


def _between(rows: tuple[tuple[float, float], ...], y: Array | float) -> Array:
    heights, values = np.array(rows)[::-1].T
    fine = np.linspace(heights[0], heights[-1], 240)
    coarse = np.interp(fine, heights, values)
    kernel = np.hanning(9) / np.hanning(9).sum()
    padded = np.concatenate((np.full(4, coarse[0]), coarse, np.full(4, coarse[-1])))
    return np.asarray(np.interp(np.asarray(y, float), fine, np.convolve(padded, kernel, "valid")))


def body_bones(points: Array) -> dict[str, Array | float]:
    """The neck carries what is above the shoulders, the chest the rest."""
    neck = smooth_step(points[:, 1], -0.07, 0.03)
    head = 0.65 * smooth_step(points[:, 1], 0.08, 0.2)
    spine = smooth_step(-points[:, 1], 0.6, 1.2)
    chest = (1 - neck) * (1 - spine)
    return {"head": neck * head, "neck": neck * (1 - head), "chest": chest, "spine": (1 - neck) * spine}


def body(recipe: Recipe) -> list[Piece]:
    """Torso with neck, and both arms."""
    form = BodyForm.of(recipe)
    return [_torso(form), _arm(form, 1.0), _arm(form, -1.0)]


def _torso(form: BodyForm) -> Piece:
    y = np.concatenate((np.linspace(0.22, -0.40, 34), np.linspace(-0.40, BOTTOM, 26)[1:]))
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = 2 / _POWER
    sine, cosine = (np.sign(f(angle)) * np.abs(f(angle)) ** power for f in (np.sin, np.cos))
    x = form.half_width(y)[:, None] * sine[None]
    z = form.middle(y)[:, None] - form.half_depth(y)[:, None] * cosine[None]
    tall = np.broadcast_to(y[:, None], x.shape)
    z = z - form._swell(x, tall) * (cosine > 0)
    points = np.stack((x, tall, z), -1).reshape(-1, 3)
    triangles = grid(len(y), 48, around=True)
    normals = unit(normals_of(points, triangles))
    outward = points * np.array([1, 0, 1]) - np.array([0, 0, 0.08])
    normals *= np.where((normals * outward).sum(1) < 0, -1.0, 1.0)[:, None]
    return Piece("clothes", points, triangles, normals, plane_uv(points, WINDOW), body_bones(points))


def arm_path(form: BodyForm, sign: float) -> Array:
    """(N, 3): through the middle of an arm."""
    s = form.shoulders
    points = [
        [0.70 * s, -0.24, 0.10],
        [0.92 * s, -0.30, 0.10],
        [1.04 * s, -0.50, 0.11],
        [1.12 * s, -0.95, 0.10],
        [1.16 * s, BOTTOM - 0.05, 0.04],
    ]
    return np.asarray(along(np.array(points), 30) * np.array([sign, 1.0, 1.0]))


def _arm(form: BodyForm, sign: float) -> Piece:
    path = arm_path(form, sign)
    share = np.linspace(0, 1, len(path))
    radius = (
        np.interp(share, [0, 0.12, 0.3, 0.6, 1], [0.075, 0.108, 0.105, 0.092, 0.075])
        * (form.shoulders / 0.40) ** 0.7
    )
    ahead = unit(np.gradient(path, axis=0))
    side = unit(np.cross(ahead, np.array([0.0, 0.0, 1.0])))
    up = np.cross(side, ahead)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    normals = side[:, None] * np.cos(angle)[None, :, None] + up[:, None] * np.sin(angle)[None, :, None]
    points = (path[:, None] + normals * radius[:, None, None]).reshape(-1, 3)
    return Piece(
        "clothes", points, grid(len(path), 20, around=True), normals.reshape(-1, 3), plane_uv(points, WINDOW),
        body_bones(points),
    )  # fmt: skip
