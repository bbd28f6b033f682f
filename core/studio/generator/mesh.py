# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of surface, and shapes to make them from. Axes are ``Figure``'s; the unit is a head's height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
HEAD: Mapping[str, float] = {"head": 1.0}


@dataclass
class Piece:
    """A part of the surface, of one material."""

    material: str
    positions: Array
    """(V, 3)."""
    triangles: Index
    """(T, 3), turned either way: ``normals`` say which side is the outside."""
    normals: Array
    """(V, 3): of any length."""
    uv: Array
    """(V, 2)."""
    bones: Mapping[str, Array | float] = field(default_factory=lambda: dict(HEAD))
    """Bone to the weight of each vertex, (V,), or of all."""
    morphs: dict[str, Array] = field(default_factory=dict)
    """Morph to the offset of each vertex, (V, 3)."""

    def turned(self) -> Index:
        """The triangles, all clockwise as seen from outside."""
        a, b, c = (self.positions[self.triangles[:, corner]] for corner in range(3))
        outward = self.normals[self.triangles].sum(1)
        wrong = (np.cross(b - a, c - a) * outward).sum(1) < 0
        triangles = self.triangles.copy()
        triangles[wrong] = triangles[wrong][:, ::-1]
        return triangles


def grid(rows: int, columns: int, around: bool = False) -> Index:
    """(T, 3): triangles of a grid of vertices, row by row; ``around``: the last column joins the first."""
    steps = columns if around else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(steps), indexing="ij")
    a = (row * columns + column).reshape(-1)
    b = (row * columns + (column + 1) % columns).reshape(-1)
    c, d = a + columns, b + columns
    return np.concatenate((np.stack((a, b, c), 1), np.stack((b, d, c), 1)))


def normals_of(positions: Array, triangles: Index) -> Array:
    """(V, 3): the mean of the triangles' normals around each vertex, on the side that their order says."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], across)
    return total


def unit(vectors: Array) -> Array:
    """Vectors, (..., 3), of length 1; none of no length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))


def plane_uv(positions: Array, window: tuple[float, float, float, float]) -> Array:
    """(V, 2): where vertices lie in a painting that is seen from the front: left, right, bottom, top."""
    left, right, bottom, top = window
    u = (positions[:, 0] - left) / (right - left)
    v = (top - positions[:, 1]) / (top - bottom)
    return np.stack((u, v), 1)


def smooth_step(values: Array | float, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between."""
    share = np.clip((np.asarray(values, float) - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share))


def along(points: Sequence[Sequence[float]] | Array, count: int) -> Array:
    """(count, D): a smooth curve through points (Catmull and Rom's, chordal), evenly spaced in its parameter."""
    knots = np.asarray(points, float)
    padded = np.concatenate((2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]))
    chord = np.linalg.norm(np.diff(knots, axis=0), axis=1)
    lengths = np.concatenate(([0.0], np.cumsum(np.maximum(chord, 1e-9))))
    at = np.linspace(0, lengths[-1], count)
    segment = np.clip(np.searchsorted(lengths, at, side="right") - 1, 0, len(knots) - 2)
    t = ((at - lengths[segment]) / np.diff(lengths)[segment])[:, None]
    p0, p1, p2, p3 = (padded[segment + i] for i in range(4))
    return np.asarray(
        0.5
        * (
            2 * p1
            + (p2 - p0) * t
            + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
            + (3 * p1 - p0 - 3 * p2 + p3) * t**3
        )
    )


def dome(
    material: str,
    outline: Array,
    centre: Sequence[float] | Array,
    bulge: Sequence[float] | Array,
    rings: int = 4,
    bones: Mapping[str, Array | float] | None = None,
    uv_span: tuple[float, float] = (0.0, 1.0),
) -> Piece:
    """A cushion: a closed outline, (N, 3), star-shaped about its centre, swollen by ``bulge`` to both sides.

    v runs from the centre (0) to the outline (1), u around it.
    """
    middle, swell = np.asarray(centre, float), np.asarray(bulge, float)
    count = len(outline)
    share = np.sin(np.linspace(0, np.pi / 2, rings + 1))
    height = np.sqrt(np.maximum(1 - share**2, 0))
    sheets = []
    for side in (1.0, -1.0):
        sheets.append(
            middle + share[:, None, None] * (outline - middle)[None] + side * height[:, None, None] * swell
        )
    positions = np.concatenate([sheet.reshape(-1, 3) for sheet in sheets])
    half = grid(rings + 1, count, around=True)
    triangles = np.concatenate((half, half + (rings + 1) * count))
    flat = np.repeat(share, count)[:, None] * np.tile(outline - middle, (rings + 1, 1))
    tall = np.repeat(height, count)[:, None]
    direction = unit(swell[None])
    normals = np.concatenate(
        [
            unit(flat) * np.repeat(share, count)[:, None] * 0.8 + side * direction * (0.25 + tall)
            for side in (1.0, -1.0)
        ]
    )
    u = np.tile(np.linspace(uv_span[0], uv_span[1], count), rings + 1)
    uv = np.tile(np.stack((u, np.repeat(share, count)), 1), (2, 1))
    return Piece(material, positions, triangles, normals, uv, dict(bones or HEAD))


def tube(
    material: str,
    path: Array,
    radius: Array | float,
    sides: int = 8,
    closed: bool = False,
    bones: Mapping[str, Array | float] | None = None,
) -> Piece:
    """A round tube along a path, (N, 3); v runs along it, u around."""
    ahead = np.gradient(path, axis=0) if not closed else np.roll(path, -1, 0) - np.roll(path, 1, 0)
    ahead = unit(ahead)
    helper = np.where(np.abs(ahead[:, 1:2]) < 0.8, np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]))
    side = unit(np.cross(ahead, helper))
    up = np.cross(side, ahead)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    normals = side[:, None] * np.cos(angle)[None, :, None] + up[:, None] * np.sin(angle)[None, :, None]
    reach = np.broadcast_to(np.asarray(radius, float), (len(path),))
    positions = path[:, None] + normals * reach[:, None, None]
    triangles = grid(len(path), sides, around=True)
    if closed:
        last = (len(path) - 1) * sides
        a, b = np.arange(sides), (np.arange(sides) + 1) % sides
        seam = np.concatenate((np.stack((last + a, last + b, a), 1), np.stack((last + b, b, a), 1)))
        triangles = np.concatenate((triangles, seam))
    v, u = np.meshgrid(np.linspace(0, 1, len(path)), np.linspace(0, 1, sides), indexing="ij")
    uv = np.stack((u.reshape(-1), v.reshape(-1)), 1)
    return Piece(
        material, positions.reshape(-1, 3), triangles, normals.reshape(-1, 3), uv, dict(bones or HEAD)
    )
