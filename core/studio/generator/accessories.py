# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn on the head: glasses, animal ears, ribbons, bands, clips, flowers, earrings."""

from __future__ import annotations

import numpy as np

from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.mesh import Array, Piece, along, dome, grid, tube, unit
from keywarp.core.studio.generator.recipe import Recipe
from keywarp.core.studio.generator.scalp import Shell

_SIDES = (-1.0, 1.0)
_GLASSES = {
    "round": (0.092, 0.088, 2.0),
    "oval": (0.100, 0.072, 2.4),
    "half": (0.100, 0.070, 3.0),
    "square": (0.102, 0.072, 4.5),
}
"""Half width and height of a frame, and the exponent of its outline: 2 is an ellipse."""


def accessories(recipe: Recipe) -> list[Piece]:
    """Everything that is worn on the head."""
    shell = Shell(recipe.form, recipe.hair.volume)
    return [*_glasses(recipe), *_animal_ears(recipe, shell), *_ornament(recipe, shell), *_earrings(recipe)]


def _glasses(recipe: Recipe) -> list[Piece]:
    kind, eyes, form = recipe.outfit.glasses, recipe.eyes, recipe.form
    if kind == "none":
        return []
    wide, tall, power = _GLASSES[kind]
    # Half frames are open above.
    first, last = (165, 375) if kind == "half" else (0, 352.5)
    angle = np.radians(np.linspace(first, last, 48))
    cosine, sine = (np.sign(f(angle)) * np.abs(f(angle)) ** (2 / power) for f in (np.cos, np.sin))
    y0 = eyes.y - 0.012
    middle = float(form.depth(np.array([0.0]), np.array([y0]), 0.5)[0]) - 0.045
    found = []
    for sign in _SIDES:
        x = sign * (eyes.x + 0.004 + wide * cosine)
        z = middle + 0.55 * np.maximum(np.abs(x) - 0.03, 0) ** 1.6
        rim = np.stack((x, y0 + tall * sine, z), 1)
        found.append(tube("glasses", rim, 0.0055 * recipe.weight, 6, closed=kind != "half"))
        outer = np.array(
            [sign * (eyes.x + 0.004 + wide), y0 + 0.01, middle + 0.55 * (eyes.x + wide - 0.03) ** 1.6]
        )
        hinge = np.array([sign * (float(form.half_width(y0)) + 0.010), y0 + 0.012, -0.10])
        behind = np.array([sign * (float(form.half_width(y0)) + 0.014), y0 + 0.005, 0.06])
        found.append(tube("glasses", along(np.array([outer, hinge, behind]), 10), 0.005, 6))
    inner = eyes.x + 0.004 - wide
    bridge = np.array(
        [[-inner, y0 + 0.01, middle], [0.0, y0 + 0.024, middle - 0.006], [inner, y0 + 0.01, middle]]
    )
    found.append(tube("glasses", along(bridge, 10), 0.005, 6))
    return found


def _ear_sheet(
    material: str, base: Array, tip: Array, wide: float, bulge: float, shape: float, count: int = 14
) -> Piece:
    """A leaf from a base to a tip, swollen towards the camera, closed behind."""
    share = np.linspace(0, 1, count)
    half = wide * (1 - share**shape) ** 0.8
    axis = base + (tip - base) * share[:, None]
    across = unit(np.cross(tip - base, np.array([0.0, 0.0, 1.0]))[None])[0]
    u = np.linspace(-1, 1, 9)
    sheets = []
    for side in (1.0, -1.0):
        depth = side * bulge * (1 - u**2)[None] * np.sqrt(np.maximum(half / wide, 0))[:, None]
        sheets.append(
            axis[:, None]
            + across * (half[:, None] * u[None])[..., None]
            + np.array([0.0, 0.0, -1.0]) * depth[..., None]
        )
    points = np.concatenate([sheet.reshape(-1, 3) for sheet in sheets])
    part = grid(count, 9)
    triangles = np.concatenate((part, part + count * 9))
    facing = np.repeat([-1.0, 1.0], count * 9)
    normals = np.stack((np.zeros_like(facing), np.full_like(facing, 0.15), facing), 1)
    normals[:, :] += 0.6 * across * np.tile(u, 2 * count)[:, None]
    uv = np.stack((np.tile((u + 1) / 2, 2 * count), np.tile(np.repeat(1 - share, 9), 2)), 1)
    return Piece(material, points, triangles, normals, uv)


def _animal_ears(recipe: Recipe, shell: Shell) -> list[Piece]:
    kind = recipe.outfit.ears
    if kind == "none":
        return []
    polar, azimuth, tall, wide, lean, shape = {
        "cat": (34.0, 80.0, 0.21, 0.105, 0.30, 1.15),
        "fox": (32.0, 80.0, 0.29, 0.110, 0.34, 1.25),
        "bunny": (20.0, 80.0, 0.50, 0.075, 0.14, 3.2),
        "bear": (38.0, 80.0, 0.13, 0.095, 0.55, 2.6),
    }[kind]
    found = []
    for sign in _SIDES:
        base = np.asarray(shell.at(polar, sign * azimuth, 0.84))
        base = base * np.array([1, 1, 0.0]) + np.array([0, 0, 0.02])
        tip = base + tall * np.array([sign * lean, 1.0, 0.03])
        found.append(_ear_sheet("animal ear", base, tip, wide, 0.035, shape))
        inside = base + 0.22 * (tip - base) + np.array([0, 0, -0.034])
        end = base + 0.80 * (tip - base) + np.array([0, 0, -0.030])
        found.append(_ear_sheet("animal ear inside", inside, end, 0.60 * wide, 0.012, shape))
    return found


def _bow(at: Array, size: float, turn: float, material: str = "ribbon") -> list[Piece]:
    """A bow that faces the front."""
    found = []
    cosine, sine = np.cos(turn), np.sin(turn)

    def placed(shape: list[list[float]], z: float) -> Array:
        flat = np.array(shape) * size
        x, y = flat[:, 0] * cosine - flat[:, 1] * sine, flat[:, 0] * sine + flat[:, 1] * cosine
        return np.stack((at[0] + x, at[1] + y, np.full(len(x), at[2] + z)), 1)

    for sign in _SIDES:
        lobe = [
            [0.10, 0.10],
            [0.45, 0.42],
            [0.85, 0.48],
            [1.0, 0.25],
            [0.98, -0.22],
            [0.80, -0.38],
            [0.45, -0.28],
            [0.10, -0.10],
        ]
        rim = placed([[sign * x, y] for x, y in lobe], 0.0)
        found.append(
            dome(
                material, along(np.concatenate((rim, rim[:1])), 33)[:-1], rim.mean(0), (0, 0, -0.30 * size), 4
            )
        )
        tail = [[0.02, -0.05], [0.28, -0.12], [0.62, -0.85], [0.40, -0.80], [0.26, -1.0]]
        rim = placed([[sign * x, y] for x, y in tail], 0.012)
        found.append(dome(material, rim, rim.mean(0), (0, 0, -0.06 * size), 2))
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    knot = placed([[0.19 * np.cos(a), 0.23 * np.sin(a)] for a in angle], -0.12 * size)
    found.append(dome(material, knot, knot.mean(0), (0, 0, -0.20 * size), 3))
    return found


def _ornament(recipe: Recipe, shell: Shell) -> list[Piece]:
    kind, chance = recipe.outfit.ornament, Chance(recipe.seed, "ornament")
    sign = -1.0 if chance.happens(0.5) else 1.0
    if kind == "band":
        angle = np.linspace(-96, 96, 50)
        forward = chance.within(0.02, 0.09)
        path = shell.at(np.abs(angle) + 0.001, np.where(angle < 0, -1, 1) * 90.0, 1.0)
        # The section of the shell at that depth.
        grow = 1.002 * (1 - (forward / float(shell.deep(1.0))) ** 2.6) ** (1 / 2.6)
        path = (path - np.array([0, 0.58, 0.05])) * grow + np.array([0, 0.58, 0.05 - forward])
        return [_strip("ribbon", path, 0.030)]
    if kind == "bow":
        return _bow(shell.laid(np.array([[0.0, 0.93]]), 0.03)[0], 0.145, 0.0)
    if kind == "side bow":
        at = shell.laid(np.array([[sign * 0.25, 0.84]]), 0.05)[0]
        return _bow(at, 0.10, sign * -0.7)
    if kind in ("clip", "pins"):
        found = []
        for k in range(1 if kind == "clip" else 2):
            low, high = np.array([sign * 0.285, 0.60 - 0.045 * k]), np.array([sign * 0.185, 0.66 - 0.045 * k])
            path = shell.laid(along(np.array([high, low]), 8), 0.036)
            found.append(tube("ornament", path, 0.009 if kind == "pins" else 0.013, 8))
        return found
    if kind == "flower":
        at = shell.laid(np.array([[sign * 0.245, 0.70]]), 0.045)[0]
        found = []
        for k in range(5):
            turn = 2 * np.pi * k / 5 + 0.3
            middle = at + 0.040 * np.array([np.cos(turn), np.sin(turn), 0.0])
            angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
            rim = middle + 0.034 * np.stack((np.cos(angle), np.sin(angle), 0 * angle), 1)
            found.append(dome("ribbon", rim, middle, (0, 0, -0.010), 2))
        angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
        rim = at + np.array([0, 0, -0.008]) + 0.020 * np.stack((np.cos(angle), np.sin(angle), 0 * angle), 1)
        return [*found, dome("ornament", rim, at + np.array([0, 0, -0.008]), (0, 0, -0.012), 2)]
    return []


def _strip(material: str, path: Array, half: float) -> Piece:
    """A flat band along a path over the head."""
    outward = unit(path - np.array([0.0, 0.58, 0.0]))
    ahead = unit(np.gradient(path, axis=0))
    side = unit(np.cross(ahead, outward))
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    points = path[:, None] + side[:, None] * (half * np.cos(angle))[None, :, None]
    points = points + outward[:, None] * (0.010 * np.sin(angle))[None, :, None]
    normals = (
        outward[:, None] * np.sin(angle)[None, :, None] + 0.4 * side[:, None] * np.cos(angle)[None, :, None]
    )
    v, u = np.meshgrid(np.linspace(0, 1, len(path)), angle / (2 * np.pi), indexing="ij")
    return Piece(
        material, points.reshape(-1, 3), grid(len(path), 10, around=True), normals.reshape(-1, 3),
        np.stack((u.reshape(-1), v.reshape(-1)), 1),
    )  # fmt: skip


def _earrings(recipe: Recipe) -> list[Piece]:
    if not recipe.outfit.earrings:
        return []
    found = []
    for sign in _SIDES:
        y = recipe.eyes.y - 0.135
        at = np.array([sign * (float(recipe.form.half_width(0.35)) + 0.004), y, 0.0])
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        rim = at + 0.017 * np.stack((np.cos(angle) * 0.8, np.sin(angle) * 1.3, 0 * angle), 1)
        found.append(dome("ornament", rim, at, (0, 0, -0.012), 3))
    return found
