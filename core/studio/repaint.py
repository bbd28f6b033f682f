# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat colours for surfaces whose texture is missing, as a cel painter would fill them: one part, one colour.

A part is a connected component of the surface. What it is follows from its material's name, from the features that
move it, and from its size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from keywarp.core.studio.annotate import Annotation
from keywarp.core.studio.figure import Figure, Ints, Material

Rgb = tuple[float, float, float]

_SKIN, _LASH, _BROW, _WHITE = (0.99, 0.88, 0.81), (0.23, 0.14, 0.15), (0.36, 0.24, 0.22), (0.99, 0.98, 0.98)
_MOUTH, _TONGUE = (0.72, 0.30, 0.30), (0.93, 0.52, 0.50)
_HAIR: tuple[Rgb, ...] = (
    *((0.55, 0.40, 0.33), (0.93, 0.78, 0.50), (0.36, 0.40, 0.56), (0.78, 0.52, 0.58)),
    *((0.42, 0.55, 0.52), (0.80, 0.80, 0.86), (0.45, 0.30, 0.42)),
)
_IRIS: tuple[Rgb, ...] = ((0.30, 0.48, 0.74), (0.45, 0.62, 0.36), (0.66, 0.40, 0.28), (0.56, 0.36, 0.62))
_CLOTHES: tuple[Rgb, ...] = (
    *((0.32, 0.36, 0.50), (0.93, 0.91, 0.88), (0.70, 0.34, 0.36), (0.38, 0.54, 0.56)),
    *((0.85, 0.70, 0.44), (0.50, 0.40, 0.52), (0.24, 0.25, 0.30)),
)
_KINDS = (
    ("eye", re.compile(r"目|瞳|眼|eye|iris", re.I)),
    ("hair", re.compile(r"髪|毛|hair|尾|tail", re.I)),
    ("face", re.compile(r"顔|頭|face|head", re.I)),
    ("skin", re.compile(r"肌|手|足|体|skin|body|arm|leg", re.I)),
)
_MOST = 0.6
"""Share of a part's vertices that a feature must move for the part to be its own."""


def repainted(figure: Figure, annotation: Annotation) -> Figure:
    """The figure, with flat colours where it names a texture that is missing."""
    bare = [i for i, material in enumerate(figure.materials) if _lacks(figure, material)]
    if not bare:
        return figure
    painter = _Painter(figure, annotation)
    materials, surface = list(figure.materials), figure.surface.copy()
    for index in bare:
        for colour, triangles in painter.parts(index):
            surface[triangles] = len(materials)
            materials.append(
                replace(
                    figure.materials[index], colour=(*colour, figure.materials[index].colour[3]), texture=-1
                )
            )
    # New materials are drawn where the old one was.
    order = sorted(range(len(materials)), key=lambda i: _place(figure, surface, i))
    rank = np.argsort(order).astype(np.int32)
    return replace(figure, materials=tuple(materials[i] for i in order), surface=rank[surface])


def _lacks(figure: Figure, material: Material) -> bool:
    there = 0 <= material.texture < len(figure.textures)
    return there and figure.textures[material.texture] is None


def _place(figure: Figure, surface: Ints, index: int) -> tuple[int, int]:
    own = figure.surface[surface == index]
    return (int(own[0]) if len(own) else index, index)


def components(triangles: Ints, positions: npt.NDArray[np.float32]) -> Ints:
    """(T,): which connected part each triangle belongs to; corners at one place are one."""
    _, place = np.unique(np.round(positions, 4), axis=0, return_inverse=True)
    corners = place.reshape(-1)[triangles]
    label = np.arange(int(corners.max()) + 1)
    while True:
        lowest = label[corners].min(1)
        before = label.copy()
        for corner in range(3):
            np.minimum.at(label, corners[:, corner], lowest)
        label = label[label]
        if np.array_equal(before, label):
            break
    _, part = np.unique(label[corners[:, 0]], return_inverse=True)
    return np.asarray(part.reshape(-1), np.int32)


@dataclass(frozen=True)
class _Part:
    triangles: npt.NDArray[np.intp]
    vertices: npt.NDArray[np.intp]
    area: float


class _Painter:
    def __init__(self, figure: Figure, annotation: Annotation) -> None:
        self._figure = figure
        seed = sum(figure.name.encode())
        self._hair, self._iris = _HAIR[seed % len(_HAIR)], _IRIS[seed % len(_IRIS)]
        self._seed = seed
        self._moved = {
            what: self._moving(annotation, prefixes)
            for what, prefixes in {
                "brow": ("eyebrow_",),
                "eye": ("eye_",),
                "iris": ("iris_", "gaze_"),
                "mouth": ("mouth_",),
            }.items()
        }
        self._named = {
            what: self._by_name(pattern)
            for what, pattern in {
                "teeth": r"歯|tooth|teeth",
                "tongue": r"舌|tongue|ぺろ",
                "light": r"HL|ハイライト|high_?li|hilisht",
            }.items()
        }

    def parts(self, material: int) -> list[tuple[Rgb, npt.NDArray[np.intp]]]:
        """The material's parts by colour."""
        name = self._figure.materials[material].name
        kind = next((kind for kind, pattern in _KINDS if pattern.search(name)), "clothes")
        own = np.flatnonzero(self._figure.surface == material)
        if not len(own):
            return []
        label = components(self._figure.triangles[own], self._figure.positions)
        parts = [self._part(own[label == i]) for i in range(label.max() + 1)]
        largest = max(part.area for part in parts)
        coloured: dict[Rgb, list[npt.NDArray[np.intp]]] = {}
        for part in parts:
            for colour, triangles in self._coloured(kind, material, part, largest):
                coloured.setdefault(colour, []).append(triangles)
        return [(colour, np.concatenate(triangles)) for colour, triangles in coloured.items()]

    def _coloured(
        self, kind: str, material: int, part: _Part, largest: float
    ) -> list[tuple[Rgb, npt.NDArray[np.intp]]]:
        if kind == "eye":
            return self._of_eye(part)
        if kind == "hair":
            colour = self._hair
        elif kind in ("face", "skin"):
            colour = _SKIN if part.area > 0.5 * largest else self._of_face(part)
        else:
            colour = _CLOTHES[(self._seed + material) % len(_CLOTHES)]
        return [(colour, part.triangles)]

    def _of_eye(self, part: _Part) -> list[tuple[Rgb, npt.NDArray[np.intp]]]:
        """White, and in it an iris where the features that move irises say; darker above, with a pupil."""
        corners = self._figure.triangles[part.triangles]
        if self._share(self._named["light"], part) > _MOST or not self._moved["iris"][corners].any():
            return [(_WHITE, part.triangles)]
        places = self._figure.positions[:, :2]
        around = places[part.vertices[self._moved["iris"][part.vertices]]]
        middle, radius = around.mean(0), (np.ptp(around, axis=0) / 2).clip(1e-9)
        x, y = ((places[corners].mean(1) - middle) / radius).T
        away = np.hypot(x, y)
        dark, deep = (tuple(share * c for c in self._iris) for share in (0.28, 0.62))
        which = np.where(away < 0.42, 0, np.where(y > 0.30, 1, 2))
        which = np.where(self._moved["iris"][corners].all(1), which, 3)
        colours: list[Rgb] = [dark, deep, self._iris, _WHITE]  # type: ignore[list-item]
        return [(colours[i], part.triangles[which == i]) for i in range(4) if (which == i).any()]

    def _of_face(self, part: _Part) -> Rgb:
        if self._share(self._named["teeth"], part) > _MOST:
            return _WHITE
        if self._share(self._named["tongue"], part) > _MOST:
            return _TONGUE
        if self._share(self._moved["brow"], part) > _MOST:
            return _BROW
        if self._share(self._moved["eye"], part) > _MOST:
            return _LASH
        if self._share(self._moved["mouth"], part) > _MOST:
            return _MOUTH
        return _SKIN

    def _part(self, triangles: npt.NDArray[np.intp]) -> _Part:
        corners = self._figure.positions[self._figure.triangles[triangles]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return _Part(
            triangles,
            np.unique(self._figure.triangles[triangles]).astype(np.intp),
            float(np.linalg.norm(normal, axis=1).sum()),
        )

    def _share(self, moved: npt.NDArray[np.bool_], part: _Part) -> float:
        return float(moved[part.vertices].mean())

    def _moving(self, annotation: Annotation, prefixes: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        names = {
            part.morph
            for channel, parts in annotation.items()
            if channel.startswith(prefixes)
            for part in parts
        }
        return self._any_of(names)

    def _by_name(self, pattern: str) -> npt.NDArray[np.bool_]:
        return self._any_of({name for name in self._figure.morphs if re.search(pattern, name, re.I)})

    def _any_of(self, names: set[str]) -> npt.NDArray[np.bool_]:
        moved = np.zeros(len(self._figure.positions), bool)
        for name in names:
            moved[self._figure.morphs[name].vertices] = True
        return moved
