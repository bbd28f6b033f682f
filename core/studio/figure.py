# SPDX-License-Identifier: GPL-3.0-or-later
"""``Figure``: a 3D character as plain arrays, whatever file it came from.

Axes are MikuMikuDance's, which are also a picture's: x to the character's left (the picture's right), y up, z out
of its back (away from the camera). The unit of length is the file's own; nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
#: (h, w, 4) uint8 sRGB, straight alpha.
Texture = npt.NDArray[np.uint8]
Rgba = tuple[float, float, float, float]

#: More than any character has; a file that claims more is damaged or hostile.
MAX_VERTICES, MAX_TRIANGLES = 2_000_000, 4_000_000
INFLUENCES = 4
"""Bones that move a vertex, at most."""


@dataclass(frozen=True)
class Material:
    """What a surface looks like; colours are encoded sRGB in [0, 1], straight."""

    name: str
    colour: Rgba = (1.0, 1.0, 1.0, 1.0)
    """Multiplies the texture."""
    texture: int = -1
    """Index into the figure's textures; -1: none."""
    alpha: Literal["blend", "cut", "opaque"] = "blend"
    """Blended; shown where alpha reaches ``cutoff``; or opaque whatever alpha says."""
    cutoff: float = 0.5
    both_sides: bool = False
    edge: Rgba | None = None
    """The colour of its outline; ``None``: it has none."""
    edge_size: float = 1.0
    """Width of the outline, relative."""


@dataclass(frozen=True)
class Morph:
    """Vertices that move, and how far at a magnitude of 1."""

    name: str
    vertices: Ints
    """(N,)."""
    offsets: Floats
    """(N, 3)."""
    group: str = ""
    """What the file says that it moves: ``Brows``, ``Eyes``, ``Mouth`` or nothing."""


@dataclass(frozen=True)
class Figure:
    """A character: geometry, looks, bones and morphs."""

    name: str
    positions: Floats
    """(V, 3): at rest, unmorphed."""
    normals: Floats
    """(V, 3): of length 1, outward."""
    uv: Floats
    """(V, 2): (0, 0) is the texture's upper left corner; beyond 0..1 it repeats."""
    triangles: Ints
    """(T, 3): clockwise as seen from outside, in these left-handed axes."""
    surface: Ints
    """(T,): each triangle's material; drawn in this order."""
    materials: tuple[Material, ...]
    textures: tuple[Texture | None, ...]
    """``None`` where the file that holds it is missing."""
    bone_names: tuple[str, ...]
    bone_parents: Ints
    """(B,): -1 for roots."""
    bone_heads: Floats
    """(B, 3)."""
    influences: Ints
    """(V, INFLUENCES): bones."""
    weights: Floats
    """(V, INFLUENCES): sum to 1, or all 0 for what no bone moves."""
    morphs: Mapping[str, Morph]
    bone_roles: Mapping[str, int] = field(default_factory=dict)
    """Bones whose part the file itself names (VRM's humanoid): VRM's name in lower case to bone."""
    licence: str = ""
    credit: str = ""
    """Under what terms it may be used and who made it, where the file says so."""
    notes: tuple[str, ...] = ()
    """What of the file could not be used, in sentences."""

    def __post_init__(self) -> None:
        v, t, b = len(self.positions), len(self.triangles), len(self.bone_names)
        shapes: dict[str, tuple[npt.NDArray[Any], tuple[int, ...]]] = {
            "positions": (self.positions, (v, 3)),
            "normals": (self.normals, (v, 3)),
            "uv": (self.uv, (v, 2)),
            "triangles": (self.triangles, (t, 3)),
            "surface": (self.surface, (t,)),
            "bone_parents": (self.bone_parents, (b,)),
            "bone_heads": (self.bone_heads, (b, 3)),
            "influences": (self.influences, (v, INFLUENCES)),
            "weights": (self.weights, (v, INFLUENCES)),
        }
        for what, (array, shape) in shapes.items():
            if array.shape != shape:
                raise ValueError(f"{what} should be {shape}, not {array.shape}")
        if not v or not t:
            raise KeywarpError(f"{self.name}: there is no surface in it that could be drawn")
        _within(self.name, "a triangle's corner", self.triangles, 0, v)
        _within(self.name, "a triangle's material", self.surface, 0, len(self.materials))
        _within(self.name, "a bone's parent", self.bone_parents, -1, b)
        _within(self.name, "a vertex's bone", self.influences, 0, max(b, 1))
        for morph in self.morphs.values():
            if len(morph.vertices) != len(morph.offsets):
                raise ValueError(f"morph {morph.name} has more vertices than offsets, or fewer")
            _within(self.name, f"a vertex of the morph {morph.name}", morph.vertices, 0, v)
        moved = (morph.offsets for morph in self.morphs.values())
        for numbers in (self.positions, self.normals, self.uv, self.bone_heads, self.weights, *moved):
            if not np.isfinite(numbers).all():
                raise KeywarpError(f"{self.name}: it holds a number that is not finite; export it anew")


def _within(name: str, what: str, indices: Ints, low: int, end: int) -> None:
    if indices.size and (indices.min() < low or indices.max() >= end):
        raise KeywarpError(f"{name}: {what} does not exist; the file is damaged")


def unit(vectors: npt.NDArray[np.float32]) -> Floats:
    """Vectors, (N, 3), of length 1; those of no length point at the camera."""
    vectors = np.nan_to_num(vectors)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    towards = np.array([0.0, 0.0, -1.0], np.float32)
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), towards).astype(np.float32)


def ordered_bones(name: str, parents: Ints) -> list[int]:
    """The bones, every parent before its children; raises ``KeywarpError`` where they form a ring."""
    order: list[int] = []
    placed = np.zeros(len(parents), bool)
    for start in range(len(parents)):
        chain: list[int] = []
        bone = start
        while bone >= 0 and not placed[bone]:
            placed[bone] = True
            chain.append(bone)
            bone = int(parents[bone])
        if bone >= 0 and bone in chain:
            raise KeywarpError(f"{name}: its bones are each other's parents; the file is damaged")
        order += reversed(chain)
    return order


def cropped(figure: Figure, kept: npt.NDArray[np.bool_]) -> Figure:
    """The figure without the triangles that are not ``kept``, (T,), and what only they need."""
    triangles = figure.triangles[kept]
    used, corners = np.unique(triangles, return_inverse=True)
    place = np.full(len(figure.positions), -1, np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    morphs = {}
    for name, morph in figure.morphs.items():
        there = place[morph.vertices] >= 0
        morphs[name] = replace(morph, vertices=place[morph.vertices[there]], offsets=morph.offsets[there])
    return replace(
        figure,
        positions=figure.positions[used],
        normals=figure.normals[used],
        uv=figure.uv[used],
        triangles=corners.reshape(-1, 3).astype(np.int32),
        surface=figure.surface[kept],
        influences=figure.influences[used],
        weights=figure.weights[used],
        morphs=morphs,
    )
