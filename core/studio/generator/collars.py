# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands out from painted clothes: collars, hoods, bows, ties, chokers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keywarp.core.studio.generator.body import BodyForm, body_bones
from keywarp.core.studio.generator.mesh import Piece, dome, grid, tube, unit
from keywarp.core.studio.generator.recipe import Recipe

_SIDES = (-1.0, 1.0)


def _around(
    material: str, low: float, high: float, radius: float, flare: float, rim: float = 0.010, gap: float = 6.0
) -> Piece:
    """A standing collar about the neck; ``gap``: degrees to each side of the front that are open."""
    y = np.linspace(low, high, 6)
    angle = np.linspace(np.radians(gap), np.radians(360 - gap), 49)
    reach = radius + flare * ((y - low) / (high - low))[:, None] ** 1.5
    dip = 0.022 * np.cos(angle)[None] * ((y - low) / (high - low))[:, None]
    front = np.stack(
        (reach * np.sin(angle)[None], y[:, None] - dip, 0.065 - 1.02 * reach * np.cos(angle)[None]), -1
    )
    back = (
        front * np.array([0.0, 1.0, 0.0])
        + np.array([0.0, -0.002, 0.065])
        + (front - np.array([0, 0, 0.065])) * np.array([1, 0, 1]) * (1 - rim / radius)
    )
    points = np.concatenate((front, back[::-1])).reshape(-1, 3)
    outward = (points - np.array([0, 0, 0.065])) * np.array([1.0, 0.0, 1.0])
    half = np.repeat([1.0, -1.0], 6 * 49)
    normals = unit(outward) * half[:, None] + np.array([0, 0.1, 0])
    v, u = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 49), indexing="ij")
    uv = np.stack((u.reshape(-1), v.reshape(-1)), 1)
    return Piece(material, points, grid(12, 49), normals, uv, body_bones(points))


def _flat(
    form: BodyForm,
    material: str,
    shape: Sequence[Sequence[float]],
    lift: float,
    thick: float,
    sign: float = 1.0,
) -> Piece:
    """A flat thing that lies on the chest, from its corners in the picture's plane."""
    corners = np.array(shape) * np.array([sign, 1.0])
    closed = np.concatenate((corners, corners[:1]))
    length = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))))
    at = np.unique(np.concatenate((np.linspace(0, length[-1], 40, endpoint=False), length[:-1])))
    rim = np.stack([np.interp(at, length, closed[:, i]) for i in (0, 1)], 1)
    middle = corners.mean(0)
    front = form.place(np.concatenate((rim, middle[None])), lift)
    piece = dome(material, front[:-1], front[-1], (0, 0, -thick), 3)
    piece.bones = body_bones(piece.positions)
    return piece


def worn(recipe: Recipe) -> list[Piece]:
    """What stands out from the body."""
    form, outfit = BodyForm.of(recipe), recipe.outfit
    n = form.neck
    found: list[Piece] = []
    if outfit.garment in ("shirt", "blazer") or (outfit.garment == "cardigan" and recipe.seed % 2):
        for sign in _SIDES:
            shape = [
                [0.004, -0.062],
                [0.55 * n, -0.005],
                [1.12 * n, 0.052],
                [1.30 * n, 0.030],
                [1.45 * n, -0.045],
                [0.085, -0.150],
            ]
            found.append(_flat(form, "collar", shape, 0.022, 0.006, sign))
        found.append(_around("collar", -0.02, 0.055, n * 1.06, 0.012))
    if outfit.garment in ("gakuran", "track"):
        found.append(
            _around(
                "collar dark" if outfit.garment == "gakuran" else "collar cloth",
                -0.05,
                0.075,
                n * 1.14,
                0.012,
            )
        )
    if outfit.garment == "sweater":
        found.append(_around("collar cloth", -0.06, 0.068, n * 1.12, 0.004, gap=0.0))
    if outfit.garment == "hoodie":
        angle = np.linspace(np.radians(28), np.radians(332), 40)
        path = np.stack(
            (0.155 * np.sin(angle), -0.035 - 0.075 * np.cos(angle), 0.085 - 0.155 * np.cos(angle)), 1
        )
        hood = tube("collar cloth", path, 0.058 * np.sin(np.linspace(0.25, np.pi - 0.25, 40)) ** 0.5, 12)
        hood.bones = body_bones(hood.positions)
        found.append(hood)
    found += _neckwear(recipe, form)
    if outfit.choker and outfit.garment in ("tee", "dress", "hoodie", "sailor"):
        found.append(_around("ribbon", 0.004, 0.026, n * 1.06, 0.0, 0.004, gap=0.0))
    return found


def _neckwear(recipe: Recipe, form: BodyForm) -> list[Piece]:
    kind, garment = recipe.outfit.neckwear, recipe.outfit.garment
    top = {"sailor": -0.385, "dress": -0.20, "cardigan": -0.10}.get(garment, -0.085)
    if kind == "none":
        return []
    lift = 0.034
    if kind == "tie":
        knot = [[-0.026, top + 0.015], [0.026, top + 0.015], [0.018, top - 0.045], [-0.018, top - 0.045]]
        blade = [
            [-0.016, top - 0.04],
            [0.016, top - 0.04],
            [0.045, top - 0.48],
            [0.0, top - 0.54],
            [-0.045, top - 0.48],
        ]
        return [_flat(form, "tie", blade, lift - 0.008, 0.006), _flat(form, "tie", knot, lift, 0.010)]
    found = []
    size = {"bow": 1.0, "scarf": 1.05, "ribbon": 0.62}[kind]
    for sign in _SIDES:
        if kind != "scarf":
            lobe = [
                [0.012, top + 0.012],
                [0.07, top + 0.058],
                [0.125, top + 0.048],
                [0.132, top - 0.03],
                [0.075, top - 0.040],
                [0.012, top - 0.016],
            ]
            found.append(_flat(form, "ribbon", _scaled(lobe, top, size), lift, 0.020 * size, sign))
        end = 0.30 if kind == "scarf" else 0.19
        tail = [
            [0.002, top - 0.01],
            [0.030, top - 0.02],
            [0.090, top - end],
            [0.050, top - end - 0.022],
            [0.026, top - end + 0.004],
        ]
        found.append(_flat(form, "ribbon", _scaled(tail, top, size), lift - 0.016, 0.008, sign))
    knot = [[-0.022, top + 0.022], [0.022, top + 0.022], [0.026, top - 0.026], [-0.026, top - 0.026]]
    found.append(_flat(form, "ribbon", _scaled(knot, top, size), lift + 0.012, 0.014))
    return found


def _scaled(shape: list[list[float]], top: float, size: float) -> list[list[float]]:
    return [[x * size, top + (y - top) * size] for x, y in shape]
