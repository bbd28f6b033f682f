# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of hair: tapered, closed, curved tubes along paths, and the painting that they share.

u runs across a lock, one of ``VARIANTS`` beside the other; v runs along it, the first half over the head (so that
lights on different locks join into a ring), the second half from there to the tip.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keywarp.core.studio.figure import Texture
from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.form import HeadForm
from keywarp.core.studio.generator.mesh import Array, Piece, grid, smooth_step, unit
from keywarp.core.studio.generator.paint import Painting, tapered
from keywarp.core.studio.generator.tones import Rgb, lit, mixed, shaded

VARIANTS = 4
ON_HEAD = 0.52
"""Length of hair that lies on the head, from the crown."""
_FRONT, _BEHIND = 7, 3
_CENTRE = np.array([0.0, 0.55, 0.05])


def lock(
    material: str,
    path: Array,
    width: Array,
    variant: int,
    form: HeadForm | None = None,
    clearance: float = 0.012,
    thickness: float = 0.30,
    bones: Mapping[str, Array | float] | None = None,
    start: float = 0.0,
    facing: Array | None = None,
) -> Piece:
    """A lock along a path, (N, 3), half as wide as ``width``, (N,), to each side.

    ``start``: how far from the crown its root lies; ``facing``: (N, 3) which way its flat side looks, outward from
    the head's middle by default.
    """
    ahead = unit(np.gradient(path, axis=0))
    outward = (
        path
        - _CENTRE * np.array([1, 0, 1])
        - np.stack((np.zeros(len(path)), np.clip(path[:, 1], 0.35, 0.65), np.zeros(len(path))), 1)
        if facing is None
        else facing
    )
    outward = unit(outward - (outward * ahead).sum(1, keepdims=True) * ahead)
    side = np.cross(outward, ahead)
    angle = np.concatenate((np.linspace(0, np.pi, _FRONT), np.linspace(np.pi, 2 * np.pi, _BEHIND + 2)[1:-1]))
    deep = np.minimum(width * thickness, 0.022)
    flat = np.cos(angle)[None, :, None] * side[:, None] * width[:, None, None]
    high = np.sin(angle)[None, :, None] * outward[:, None] * deep[:, None, None]
    points = path[:, None] + flat + high
    normals = (
        0.75 * np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * outward[:, None]
    )
    normals = unit(normals) + 0.9 * outward[:, None] * np.where(np.sin(angle) > -0.1, 1.0, 0.0)[None, :, None]
    flat_points = points.reshape(-1, 3)
    if form is not None:
        flat_points = form.pushed_out(flat_points, clearance)
    length = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))) + start
    beyond = max(length[-1] - ON_HEAD, 1e-6)
    along = np.where(
        length < ON_HEAD, 0.5 * length / ON_HEAD, 0.5 + 0.5 * (length - ON_HEAD) / max(beyond, 0.12)
    )
    across = (variant + 0.5 - 0.5 * np.cos(angle)) / VARIANTS
    v, u = np.meshgrid(np.minimum(along, 0.998), across, indexing="ij")
    return Piece(
        material,
        flat_points,
        grid(len(path), len(angle), around=True),
        normals.reshape(-1, 3),
        np.stack((u.reshape(-1), v.reshape(-1)), 1),
        dict(bones) if bones is not None else hair_bones(flat_points),
    )


def hair_bones(points: Array) -> dict[str, Array | float]:
    """Hair follows the head, and where it lies on the shoulders, these."""
    head = 1 - 0.8 * smooth_step(-points[:, 1], 0.02, 0.75)
    return {"head": head, "chest": 1 - head}


def outline(path: Array, width: Array) -> Array:
    """(N, 2): the lock as it is seen from the front."""
    from keywarp.core.studio.generator.drawn import ribbon

    borders = ribbon(path[:, :2], 2 * width)
    return np.concatenate((borders[0], borders[1][::-1]))


def profile(
    count: int, width: float, root: float = 0.45, sharpness: float = 0.8, widest: float = 0.45
) -> Array:
    """(count,): half widths from root to tip."""
    at = np.linspace(0, 1, count)
    swell = root + (1 - root) * smooth_step(at, 0, widest)
    fall = np.clip((1 - at) / (1 - widest), 0, 1) ** (0.35 + 0.55 * sharpness)
    return width * swell * np.where(at < widest, 1.0, fall) + 0.0012


def painting(hair: Rgb, tip: Rgb, chance: Chance, shine: float, size: int, kind: str = "teeth") -> Texture:
    """The texture of all locks of one colour, (size, size, 4); ``kind``: how its light is painted."""
    art = Painting((0.0, 1.0, 0.0, 1.0), size, hair)
    _, y = art.places()
    down = 1 - y
    shade, line = shaded(hair, 0.8), mixed(shaded(hair, 2.0), (0.12, 0.08, 0.12), 0.25)
    art.blend(np.broadcast_to(np.clip((0.16 - down) / 0.16, 0, 1), (size, size)), shade, 0.6)
    if tip != hair:
        art.blend(np.broadcast_to(np.clip((down - 0.45) / 0.4, 0, 1), (size, size)), tip, 1.0)
    tip_shade = shaded(tip, 0.8)
    wide = 1 / VARIANTS
    for variant in range(VARIANTS):
        left = variant * wide
        _strokes(art, chance, left, wide, shade, tip_shade)
        _shine(art, chance, left, wide, lit(hair, 0.50 * shine), kind)
        for edge in (left, left + wide):
            path = np.array([[edge, 1.01], [edge, -0.01]])
            art.stroke(path, 0.13 * wide, mixed(line, shaded(tip, 1.8), 0.3), 0.9, blur=0.006 * wide)
    return art.texture()


def _strokes(art: Painting, chance: Chance, left: float, wide: float, shade: Rgb, tip_shade: Rgb) -> None:
    """Second tone along one side, and thin lines from the tip up."""
    y = np.linspace(1.0, 0.0, 40)
    border = left + wide * (0.74 + 0.07 * np.sin(9 * (1 - y) + 6 * chance.unit()))
    border = border - wide * 0.25 * (1 - y) ** 2
    edge = np.stack((border, y), 1)
    art.shape(np.concatenate((edge, [[left + wide, 0.0], [left + wide, 1.0]])), shade, 0.75)
    for _ in range(3):
        at, reach = left + wide * chance.within(0.15, 0.75), chance.within(0.25, 0.75)
        height = np.linspace(-0.02, reach, 12)
        path = np.stack((at + wide * 0.06 * np.sin(3 * height), height), 1)
        art.stroke(path[::-1], tapered(12, wide * 0.05, 0.8, 0.05), tip_shade, 0.75)
    for _ in range(2):
        at, reach = left + wide * chance.within(0.15, 0.85), chance.within(0.3, 0.62)
        height = np.linspace(1.02, reach, 12)
        path = np.stack((np.full(12, at), height), 1)
        art.stroke(path, tapered(12, wide * 0.05, 0.05, 0.8), shade, 0.8)


def _shine(art: Painting, chance: Chance, left: float, wide: float, colour: Rgb, kind: str) -> None:
    """A part of the ring of light: a row of pointed teeth, a plain band, a soft one, or single streaks."""
    middle = 0.735 + 0.02 * chance.unit()
    if kind == "soft":
        art.spot(left + 0.45 * wide, middle, (0.62 * wide, 0.11), colour, 0.75, 1.0)
        return
    if kind == "streaks":
        for k in range(4):
            at = left + wide * (0.16 + 0.17 * k + 0.06 * chance.unit())
            high, low = middle + chance.within(0.02, 0.08), middle - chance.within(0.02, 0.09)
            path = np.stack((np.full(9, at), np.linspace(high, low, 9)), 1)
            art.stroke(path, tapered(9, wide * 0.10, 0.5, 0.5), colour, 0.85)
        return
    if kind == "band":
        x = np.linspace(0.05, 0.90, 19)
        lens = 0.012 * np.sqrt(np.maximum(1 - ((x - 0.475) / 0.425) ** 2, 0)) + 0.001
        middles = middle - 0.02 * np.sin(np.pi * x)
        shape = np.concatenate((np.stack((x, middles + lens), 1), np.stack((x, middles - lens), 1)[::-1]))
        shape[:, 0] = left + wide * shape[:, 0]
        art.shape(shape, colour, 0.85)
        return
    x = np.linspace(0.12, 0.80, 19)
    lens = 0.027 * np.sqrt(np.maximum(1 - ((x - 0.46) / 0.34) ** 2, 0))
    teeth = np.where(np.arange(19) % 2 == 0, 1.0, 0.25 + 0.5 * chance.unit())
    upper = middle + lens * (0.6 + 0.9 * teeth)
    lower = middle - lens * (0.5 + 1.1 * teeth[::-1])
    shape = np.concatenate((np.stack((x, upper), 1), np.stack((x, lower), 1)[::-1]))
    shape[:, 0] = left + wide * shape[:, 0]
    art.shape(shape, colour, 0.85)
