# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows: one stroke each, with tha45's six shapes."""

from __future__ import annotations

import numpy as np

from keywarp.core.studio.generator.drawn import MORPHS, REST, laid, ribbon
from keywarp.core.studio.generator.mesh import Array, Piece
from keywarp.core.studio.generator.paint import tapered
from keywarp.core.studio.generator.recipe import Recipe

_COUNT = 21
_U = np.linspace(-1, 1, _COUNT)
_ARCH = 1 - ((_U - 0.2) / 1.2) ** 2
_POSES = ("troubled", "angry", "lowered", "raised", "happy", "serious")


def _curve(recipe: Recipe, pose: str) -> Array:
    """(N, 2): x outward from above the eye's middle, y above the eye."""
    brow = recipe.brows
    x = brow.length * _U
    y = brow.y + brow.tilt * _U + brow.arch * _ARCH
    inner = (1 - _U) / 2
    if pose == "troubled":
        x, y = x - 0.004, y + 0.030 * inner**1.4 - 0.016 * (1 - inner)
    elif pose == "angry":
        x, y = x - 0.010, y - 0.036 * inner**1.2 + 0.010 * (1 - inner)
    elif pose == "lowered":
        y = y - 0.022
    elif pose == "raised":
        y = y + 0.030 + 0.006 * _ARCH
    elif pose == "happy":
        y = y + 0.012 + 0.018 * _ARCH
    elif pose == "serious":
        y = y - 0.012 - 0.85 * brow.arch * (_ARCH - 0.5) - 0.6 * brow.tilt * _U
    return np.stack((x, y), 1)


def brow(recipe: Recipe, side: str, lift: float) -> Piece:
    """The brow of a side, ``lift`` before the face."""
    sign = 1.0 if side == "left" else -1.0
    choice = recipe.brows
    start, end = {"tapered": (0.12, 0.9), "even": (0.06, 0.35), "short": (0.25, 0.6)}[choice.shape]
    thick = tapered(_COUNT, choice.thick * (1.25 if choice.shape == "short" else 1.0), start, end) + 0.001
    shapes = {}
    for pose in (REST, *_POSES):
        name = REST if pose == REST else MORPHS[f"eyebrow_{pose}_{side}"]
        shape = ribbon(_curve(recipe, pose), thick)
        if choice.shape == "short":
            shape[..., 0] *= 0.72
        shapes[name] = shape * np.array([sign, 1.0]) + np.array(
            [sign * (recipe.eyes.x + 0.004), recipe.eyes.y]
        )
    return laid("brow", shapes, lambda points: recipe.form.place(points, lift), recipe.form.normals)
