# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's solid: a face that is nearly flat, a chin, a round skull; and what lies on its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.generator.mesh import Array, grid, unit

CHIN, CROWN = 0.12, 0.97
"""Heights above the neck bone; a head is about 1 high."""
MIDDLE = 0.05
"""Where head and neck turn, in depth."""
_FLATNESS = 3.0
"""Exponent of a horizontal section: 2 would be an ellipse."""
_SKULL = 2.3
_BACK, _FRONT = 0.36, -0.27


@dataclass(frozen=True)
class HeadForm:
    """A head's proportions."""

    width: float = 0.285
    """Half of it, where it is widest."""
    cheek_at: float = 0.45
    """Where that is, from chin (0) to crown (1)."""
    fullness: float = 1.75
    """How full cheeks are."""
    roundness: float = 0.80
    """1: a pointed chin; less: a round one."""
    nose: float = 0.028
    """How far it stands out."""
    nose_y: float = 0.262

    def share(self, y: Array) -> Array:
        return np.clip((y - CHIN) / (CROWN - CHIN), 0.0, 1.0)

    def half_width(self, y: Array | float) -> Array:
        """Of the section at a height."""
        t = self.share(np.asarray(y, float))
        low = 1 - np.abs(1 - np.minimum(t / self.cheek_at, 1.0)) ** self.fullness
        high = 1 - (np.maximum(t - self.cheek_at, 0) / (1 - self.cheek_at)) ** _SKULL
        return np.asarray(
            self.width * np.where(t < self.cheek_at, low**self.roundness, np.sqrt(np.maximum(high, 0)))
        )

    def depths(self, y: Array | float) -> tuple[Array, Array]:
        """Middle and half depth of the section at a height."""
        t = self.share(np.asarray(y, float))
        top = np.sqrt(np.maximum(1 - np.maximum((t - 0.42) / 0.58, 0) ** 2.4, 0))
        front = np.where(t < 0.42, _FRONT + 0.035 * (1 - t / 0.42) ** 2, MIDDLE + (_FRONT - MIDDLE) * top)
        pole = _FRONT + 0.035
        rise = (1 - (1 - np.minimum(t / 0.5, 1.0)) ** 2) ** 0.6
        behind = np.sqrt(np.maximum(1 - np.maximum((t - 0.5) / 0.5, 0) ** 2.4, 0))
        back = np.where(t < 0.5, pole + (_BACK - pole) * rise, MIDDLE + (_BACK - MIDDLE) * behind)
        return np.asarray((front + back) / 2), np.asarray((back - front) / 2)

    def depth(self, x: Array, y: Array, nose: float = 1.0) -> Array:
        """z of the face at a place in the picture's plane, clamped to where the head is."""
        middle, deep = self.depths(y)
        across = np.minimum(np.abs(x) / np.maximum(self.half_width(y), 1e-6), 0.999)
        z = middle - deep * (1 - across**_FLATNESS) ** (1 / _FLATNESS)
        return np.asarray(z - nose * self.nose * self._bridge(x, y))

    def _bridge(self, x: Array, y: Array) -> Array:
        above = np.exp(-(((y - self.nose_y) / 0.07) ** 2))
        below = np.exp(-(((y - self.nose_y) / 0.022) ** 2))
        return np.asarray(np.where(y > self.nose_y, above, below) * np.exp(-((x / 0.028) ** 2)))

    def place(self, xy: Array, lift: float | Array = 0.0) -> Array:
        """(N, 3): points of the picture's plane, (N, 2), on the face, ``lift`` before it."""
        return np.stack((xy[:, 0], xy[:, 1], self.depth(xy[:, 0], xy[:, 1]) - lift), 1)

    def normals(self, xy: Array) -> Array:
        """(N, 3): of the face, calmed towards the front as draughtsmen light faces."""
        step = 1e-3
        x, y = xy[:, 0], xy[:, 1]
        across = (self.depth(x + step, y, 0.55) - self.depth(x - step, y, 0.55)) / (2 * step)
        up = (self.depth(x, y + step, 0.55) - self.depth(x, y - step, 0.55)) / (2 * step)
        across, up = np.clip(across, -4, 4), np.clip(up, -4, 4)
        true = unit(np.stack((across, up, -np.ones_like(x)), 1))
        return unit(true + np.array([0.0, 0.0, -0.6]))

    def pushed_out(self, points: Array, clearance: float | Array) -> Array:
        """Points, (N, 3), moved outward in their horizontal section to at least ``clearance`` above the head."""
        y = points[:, 1]
        middle, deep = self.depths(y)
        wide = self.half_width(y) + clearance
        dx, dz = points[:, 0] / wide, (points[:, 2] - middle) / (deep + clearance)
        reach = (np.abs(dx) ** _FLATNESS + np.abs(dz) ** _FLATNESS) ** (1 / _FLATNESS)
        inside = (reach < 1) & (y > CHIN) & (y < CROWN)
        grow = np.where(inside, 1 / np.maximum(reach, 0.05), 1.0)
        out = points.copy()
        out[:, 0] = points[:, 0] * grow
        out[:, 2] = middle + (points[:, 2] - middle) * grow
        return out

    def solid(self, rows: int = 44, columns: int = 56) -> tuple[Array, Array, Array]:
        """The whole head: vertices (V, 3), triangles, normals."""
        turn = np.pi * np.arange(1, rows) / rows
        y = CHIN + (CROWN - CHIN) * (1 - np.cos(turn)) / 2
        angle = 2 * np.pi * np.arange(columns) / columns
        middle, deep = self.depths(y)
        sine, cosine = np.sin(angle), np.cos(angle)
        power = 2 / _FLATNESS
        x = self.half_width(y)[:, None] * (np.sign(sine) * np.abs(sine) ** power)[None]
        z = middle[:, None] - deep[:, None] * (np.sign(cosine) * np.abs(cosine) ** power)[None]
        z = z - self.nose * self._bridge(x, np.broadcast_to(y[:, None], x.shape)) * (cosine > 0)
        points = np.stack((x, np.broadcast_to(y[:, None], x.shape), z), -1).reshape(-1, 3)
        ends = np.array([[0, CHIN, _FRONT + 0.035], [0, CROWN, MIDDLE]])
        body = grid(rows - 1, columns, around=True)
        ring = np.arange(columns)
        last = (rows - 2) * columns
        low, high = len(points), len(points) + 1
        caps = np.concatenate(
            (
                np.stack((np.full(columns, low), ring, (ring + 1) % columns), 1),
                np.stack((np.full(columns, high), last + ring, last + (ring + 1) % columns), 1),
            )
        )
        points = np.concatenate((points, ends))
        outward = points - np.stack(
            (np.zeros(len(points)), np.full(len(points), 0.5), np.full(len(points), MIDDLE)), 1
        )
        front = (points[:, 2] < self.depths(points[:, 1])[0]) & (points[:, 1] < 0.9)
        normals = unit(outward / np.array([0.3, 0.45, 0.33]) ** 2)
        blend = np.where(front, 1.0, 0.0)[:, None]
        face = self.normals(points[:, :2] * np.array([0.98, 1.0]))
        sideways = np.clip(np.abs(points[:, 0]) / np.maximum(self.half_width(points[:, 1]), 1e-6), 0, 1)
        blend = blend * (1 - np.clip((sideways - 0.9) / 0.1, 0, 1))[:, None]
        return points, np.concatenate((body, caps)), unit(face * blend + normals * (1 - blend))
