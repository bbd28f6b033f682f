# SPDX-License-Identifier: GPL-3.0-or-later
"""Strokes and shapes drawn in the picture's plane and laid onto a surface, with their other poses as morphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from keywarp.core.studio.generator.mesh import Array, Piece, grid, unit

REST = "rest"
#: Points of the plane, (N, 2), to points on a surface, (N, 3); and to its normals there.
Surface = Callable[[Array], Array]

SIDED: Mapping[str, str] = {
    "eye_wink": "blink",
    "eye_happy_wink": "eye_smile",
    "eye_surprised": "eye_wide",
    "eye_relaxed": "eye_relaxed",
    "eye_unimpressed": "eye_unimpressed",
    "eye_raised_lower_eyelid": "lower_lid_up",
    "iris_small": "iris_small",
    "eyebrow_troubled": "brow_troubled",
    "eyebrow_angry": "brow_angry",
    "eyebrow_lowered": "brow_lower",
    "eyebrow_raised": "brow_up",
    "eyebrow_happy": "brow_happy",
    "eyebrow_serious": "brow_serious",
    "mouth_lowered_corner": "mouth_frown",
    "mouth_raised_corner": "mouth_smile",
}
WHOLE: Mapping[str, str] = {
    "mouth_aaa": "mouth_aa",
    "mouth_iii": "mouth_ih",
    "mouth_uuu": "mouth_ou",
    "mouth_eee": "mouth_ee",
    "mouth_ooo": "mouth_oh",
    "mouth_delta": "mouth_delta",
    "mouth_smirk": "mouth_smirk",
}
"""tha45's channels to morphs, by names that the studio's own book of names finds again in any file."""
MORPHS: Mapping[str, str] = {
    **{f"{stem}_{side}": f"{name}_{side}" for stem, name in SIDED.items() for side in ("left", "right")},
    **WHOLE,
}


def laid(
    material: str,
    shapes: Mapping[str, Array],
    place: Surface,
    normals: Surface,
    uv: Array | None = None,
    around: bool = False,
    bones: Mapping[str, Array | float] | None = None,
) -> Piece:
    """A grid of points of the plane, (R, C, 2), on a surface; ``shapes``: at rest, and by morph."""
    rest = shapes[REST]
    rows, columns = rest.shape[:2]
    flat = rest.reshape(-1, 2)
    positions = place(flat)
    morphs = {name: place(shape.reshape(-1, 2)) - positions for name, shape in shapes.items() if name != REST}
    if uv is None:
        v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
        uv = np.stack((u.reshape(-1), v.reshape(-1)), 1)
    piece = Piece(material, positions, grid(rows, columns, around), normals(flat), uv, morphs=morphs)
    if bones is not None:
        piece.bones = bones
    return piece


def ribbon(path: Array, thickness: Array, lean: float = 0.5) -> Array:
    """(2, N, 2): both borders of a stroke along a path, (N, 2); ``lean``: the share of it on the path's left."""
    ahead = np.gradient(path, axis=0)
    left = np.stack((-ahead[:, 1], ahead[:, 0]), 1)
    left /= np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)
    wide = np.asarray(thickness)[:, None]
    return np.stack((path + left * wide * lean, path - left * wide * (1 - lean)))


def disc(radii: tuple[float, float], rings: int = 5, around: int = 40) -> Array:
    """(rings + 1, around, 2): an ellipse about the origin, from its middle outward."""
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    share = np.linspace(0.0, 1.0, rings + 1)
    rim = np.stack((np.cos(angle) * radii[0], np.sin(angle) * radii[1]), 1)
    return np.asarray(share[:, None, None] * rim[None])


def towards(direction: Array) -> Surface:
    """Normals that are all alike."""
    one = unit(np.asarray(direction, float)[None])
    return lambda points: np.repeat(one, len(points), 0)
