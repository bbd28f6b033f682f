# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell that hair lies on, and the cap of hair that covers the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.generator.form import CROWN, HeadForm
from keywarp.core.studio.generator.mesh import Array, Piece, grid, unit
from keywarp.core.studio.generator.strands import ON_HEAD, VARIANTS

_MIDDLE_Y, _MIDDLE_Z = 0.58, 0.05
_CAP_LOCKS = 20
_ROUND = 0.86
"""Exponent of its outline: 1 would be an ellipse, less is fuller."""
_BELOW = 1.7
"""By how much longer the shell is below its middle than above."""


@dataclass(frozen=True)
class Shell:
    """A rounded solid around the skull: polar angles in degrees from its top, azimuths from the front."""

    form: HeadForm
    volume: float

    @property
    def wide(self) -> float:
        """Half of its width."""
        return self.form.width + self.volume + 0.006

    @property
    def tall(self) -> float:
        """From its middle to its top."""
        return CROWN + 1.15 * self.volume + 0.012 - _MIDDLE_Y

    @property
    def top(self) -> float:
        """y of its top."""
        return _MIDDLE_Y + self.tall

    def deep(self, cosine: Array | float) -> Array:
        """Half depth: towards the front (1) and the back (-1)."""
        front, back = 0.315 + 0.9 * self.volume, 0.315 + self.volume
        return np.asarray(np.where(np.asarray(cosine) > 0, front, back))

    def at(self, polar: Array | float, azimuth: Array | float, grow: float = 1.0) -> Array:
        """(N, 3): points of it."""
        theta, phi = np.broadcast_arrays(np.radians(polar), np.radians(azimuth))
        sine, cosine = np.sin(theta), np.cos(theta)
        tall = np.where(cosine > 0, self.tall, self.tall * _BELOW)
        squared, tall = np.abs(sine) ** _ROUND, tall * np.abs(cosine) ** (_ROUND - 1)
        out = (
            self.wide * squared * np.sin(phi) * grow,
            _MIDDLE_Y + tall * cosine * grow,
            _MIDDLE_Z - self.deep(np.cos(phi)) * squared * np.cos(phi) * grow,
        )
        return np.stack(out, -1)

    def front(self, x: Array, y: Array) -> Array:
        """z of it at a place in the picture's plane; that of its middle beyond its border."""
        tall = np.where(y > _MIDDLE_Y, self.tall, self.tall * _BELOW)
        power = 2 / _ROUND
        reach = np.abs(x / self.wide) ** power + np.abs((y - _MIDDLE_Y) / tall) ** power
        return np.asarray(_MIDDLE_Z - self.deep(1.0) * np.maximum(1 - reach, 0) ** (1 / power))

    def laid(self, xy: Array, clearance: float | Array) -> Array:
        """(N, 3): points of the picture's plane on what is nearer, shell or face."""
        x, y = xy[:, 0], xy[:, 1]
        face = self.form.depth(x, y, 0.0) - 0.014
        beside = np.abs(x) > 0.93 * self.form.half_width(y)
        face = np.where(beside, np.maximum(face, -0.14), face)
        return np.stack((x, y, np.minimum(self.front(x, y), face) - clearance), 1)


def cap(shell: Shell, hairline: float) -> Piece:
    """Hair over the whole skull, painted as locks that run from the crown; ``hairline``: y in front."""
    rows, columns = 18, 96
    azimuth = np.linspace(0, 360, columns + 1)
    away = np.abs((azimuth + 180) % 360 - 180)
    front = np.degrees(np.arccos(np.clip((hairline - _MIDDLE_Y) / shell.tall, -1, 1)))
    last = np.interp(away, [0, 40, 70, 88, 105, 125, 180], [front, front + 4, 97, 100, 106, 106, 106])
    share = np.linspace(0, 1, rows)[:, None]
    polar = share * last[None]
    points = shell.at(polar, np.broadcast_to(azimuth[None], polar.shape), 0.965).reshape(-1, 3)
    points = shell.form.pushed_out(points, 0.006)
    v = 0.5 * np.radians(polar) * 0.44 / ON_HEAD
    u = np.broadcast_to(azimuth[None] / 360 * _CAP_LOCKS / VARIANTS, polar.shape)
    normals = unit(
        (points - np.array([0, _MIDDLE_Y, _MIDDLE_Z])) / np.array([shell.wide, shell.tall, 0.36]) ** 2
    )
    uv = np.stack((u.reshape(-1), v.reshape(-1)), 1)
    return Piece("hair", points, grid(rows, columns + 1), normals, uv)
