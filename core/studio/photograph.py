# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of a figure, and for each posed one the true motion from the rest picture.

A pixel's motion is known exactly: the surface that it shows was drawn with the place that it has at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.color import srgb_to_linear
from keywarp.core.opencv import cv2
from keywarp.core.studio import raster
from keywarp.core.studio.camera import MAX_SIDE, MIN_SIDE, Camera
from keywarp.core.studio.figure import Figure, Floats, Ints
from keywarp.core.studio.palette import Style, palette, ramps
from keywarp.core.studio.raster import Layers
from keywarp.keyframes.errors import KeywarpError

SAMPLES = 3
"""Samples of a pixel in each direction: odd, so that one of them is its centre, whose motion is the pixel's."""
_LIGHT = np.array([-0.35, 0.45, -0.82], np.float32) / np.float32(np.linalg.norm([-0.35, 0.45, -0.82]))
"""Where the light comes from: from the front, a little from above and from the picture's left."""
_DEEPER = 5e-4
"""By how much of its nearness a surface may lie behind the one that is seen at rest, and count as it."""
_STEEPEST = 0.02
"""The most that a surface's own slope adds to that."""
_OBLIQUE = 4.0
"""A surface that takes this many times its area at rest was seen too obliquely there to be known."""
_TOGETHER = 1.5
"""Pixels by which the motions of one pixel's samples may differ, for them to show one thing."""

Placed = tuple[Floats, Floats]
"""Positions and normals, (V, 3) each."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """A photograph."""

    picture: npt.NDArray[np.uint8]
    """(side, side, 4): sRGB, straight alpha."""
    flow: Floats
    """(side, side, 2): backward flow to the rest picture, as ``Motion.flow``; 0 where nothing is seen."""
    visible: Floats
    """(side, side): 0..1, the share of a pixel's samples that show what its centre shows, and whose surface is seen
    in the rest picture too, where the flow says; 1 where neither picture shows anything."""
    regions: Mapping[str, Floats]
    """By name, (side, side): 0..1, the share of a pixel's samples that lie in it."""


@dataclass(frozen=True)
class Surfaces:
    """Which surfaces the pixels' centres show at rest, all (side, side, ...)."""

    seen: Mask
    colour: Floats
    """(.., 4): premultiplied, linear light; one sample a pixel."""
    corners: Ints
    """(.., 3): vertices; those of outlines stand behind the figure's own."""
    shares: Floats
    """(.., 3): how much of each corner the pixel is (barycentric, with the perspective's correction)."""
    nearness: Floats
    """(..): the inverse of the distance, as ``Camera.seen`` has it."""


@dataclass(frozen=True)
class _Drawn:
    layers: Layers
    triangles: Ints
    """(T,): which of the studio's triangles were drawn."""
    known: Mask
    """(T,): whether the rest picture shows them from the same side, and not much more obliquely."""


class Studio:
    """A figure before the camera, at one size and in one style."""

    def __init__(
        self,
        figure: Figure,
        camera: Camera,
        rest: Placed,
        style: Style,
        side: int,
        regions: Mapping[str, Mask] | None = None,
    ) -> None:
        """``rest``: where the figure's vertices are in the rest picture; ``regions``: named masks of its triangles,
        (T,). Raises ``KeywarpError`` for a side that no picture has."""
        if not MIN_SIDE <= side <= MAX_SIDE:
            raise KeywarpError(f"pictures are {MIN_SIDE} to {MAX_SIDE} pixels wide, not {side}")
        self.camera, self.style, self.side = camera, style, side
        self._across = side * SAMPLES
        self._figure = figure
        self._triangles, self._surface, source = _surfaces(figure, bool(style.outline), regions or {})
        self._regions = {name: mask[source] for name, mask in (regions or {}).items()}
        sides = [material.both_sides for material in figure.materials]
        self._both_sides = np.array(sides + [False] * 2 * len(sides))[self._surface]
        self._edges = _edge_widths(figure) * np.float32(style.outline / 1000 * 2 * camera.half)
        self._at_rest, self._rest_light = self._on_screen(rest)
        self._rest_areas = self._areas(self._at_rest)
        self._slopes = _slopes(self._at_rest, self._triangles)
        self._palette = palette(figure, _densities(figure, self._at_rest[: len(figure.uv)]))
        self._ramps = ramps(style)

    @cached_property
    def rest(self) -> npt.NDArray[np.uint8]:
        """The rest picture, (side, side, 4): sRGB, straight alpha."""
        return self._picture(self._rest.layers)

    def picture(self, placed: Placed) -> npt.NDArray[np.uint8]:
        """The posed picture alone, (side, side, 4): sRGB, straight alpha."""
        return self._picture(self._draw(*self._on_screen(placed)).layers)

    def taken_apart(self, region: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The rest picture without a region's triangles, and what it shows of them alone, as ``rest``."""
        mask = self._regions[region]
        without = self._draw(self._at_rest, self._rest_light, ~mask).layers
        layers = self._rest.layers
        own = mask[self._rest.triangles][layers.triangle] & (layers.triangle >= 0)
        return self._picture(without), self._picture(replace(layers, colour=layers.colour * own[..., None]))

    def shot(self, placed: Placed) -> Shot:
        """The picture of vertices that have moved, and the motion that brought them there."""
        drawn = self._draw(*self._on_screen(placed))
        seen = drawn.layers.triangle >= 0
        along = np.arange(self._across, dtype=np.float32)
        dx = np.where(seen, drawn.layers.rest[..., 0] - along, 0.0)
        dy = np.where(seen, drawn.layers.rest[..., 1] - along[:, None], 0.0)
        middle = slice(SAMPLES // 2, None, SAMPLES)
        flow = np.stack((dx[middle, middle], dy[middle, middle]), -1)
        visible = np.where(seen, False, self._rest.layers.triangle < 0)
        visible.reshape(-1)[seen.reshape(-1)] = self._known(drawn, seen)
        visible &= seen == _spread(seen[middle, middle])
        visible &= self._alike(dx, flow[..., 0]) & self._alike(dy, flow[..., 1])
        regions = {
            name: self._mean(mask[drawn.triangles][drawn.layers.triangle] & seen)
            for name, mask in self._regions.items()
        }
        return Shot(
            self._picture(drawn.layers), flow * np.float32(2 / self._across), self._mean(visible), regions
        )

    @property
    def sheets(self) -> int:
        """How many times the figure's vertices stand in ``Surfaces.corners``: once, and once more for outlines."""
        return 2 if self.style.outline else 1

    def surfaces(self, before: Floats | None = None, both_sides: bool = False) -> Surfaces:
        """What is seen at rest, or behind it: nothing that is nearer than ``before``, (side, side), the inverse of
        the distance as ``Camera.seen`` has it. ``both_sides``: surfaces that face away, too."""
        places = self._at_rest.copy()
        places[:, :2] = (places[:, :2] + 0.5) / SAMPLES - 0.5
        which = self._seen_from(both_sides)
        light = self._rest_light
        vertices = np.concatenate((places, self._texture_places(), light[:, None], places), axis=1)
        layers = raster.draw(
            self.side,
            vertices,
            self._triangles[which],
            self._surface[which],
            self._palette,
            self._ramps,
            before,
        )
        seen = layers.triangle >= 0
        corners = self._triangles[which][np.maximum(layers.triangle, 0)]
        colour = _linear(layers.colour)
        return Surfaces(seen, colour, corners, _barycentric(places[corners]), layers.nearness)

    def _seen_from(self, both_sides: bool) -> npt.NDArray[np.intp]:
        """Triangles that face the camera at rest, without the insides of mouths that have none; or both sides."""
        count, areas = len(self._figure.materials), self._rest_areas
        facing = (areas > 1e-6) | (
            (self._both_sides | (both_sides & (self._surface < count))) & (areas < -1e-6)
        )
        return np.flatnonzero(facing & (self._surface < 2 * count))

    def _texture_places(self) -> Floats:
        return np.concatenate([self._figure.uv] * self.sheets)

    def _mean(self, samples: npt.NDArray[Any]) -> Floats:
        """Pixels from samples, (.., ..) or (.., .., 4)."""
        small = cv2.resize(samples.astype(np.float32), (self.side, self.side), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    @cached_property
    def _rest(self) -> _Drawn:
        return self._draw(self._at_rest, self._rest_light)

    def _on_screen(self, placed: Placed) -> tuple[Floats, Floats]:
        """Vertices, and those of the outlines behind them, (2V, 3); and their light, (2V,)."""
        light = np.tile(0.5 + 0.5 * (placed[1] @ _LIGHT), self.sheets)
        return self.camera.seen(self.vertices(placed), self._across), light.astype(np.float32)

    def vertices(self, placed: Placed) -> Floats:
        """(sheets V, 3): where vertices are, and those of the outlines behind them."""
        positions, normals = placed
        if not self.style.outline:
            return positions
        return np.concatenate((positions, positions + normals * self._edges[:, None]))

    def _draw(self, places: Floats, light: Floats, drawn: Mask | None = None) -> _Drawn:
        """``drawn``: which triangles, (T,); ``None``: all that face the camera."""
        areas = self._areas(places)
        which = self._facing(places, areas)
        which = which if drawn is None else which[drawn[which]]
        vertices = np.concatenate((places, self._texture_places(), light[:, None], self._at_rest), axis=1)
        layers = raster.draw(
            self._across,
            vertices,
            self._triangles[which],
            self._surface[which],
            self._palette,
            self._ramps,
        )
        now, then = areas[which], self._rest_areas[which]
        known = (now * then > 0) & (np.abs(now) < _OBLIQUE * np.abs(then))
        return _Drawn(layers, which.astype(np.int32), known)

    def _areas(self, places: Floats) -> Floats:
        x, y = (places[:, axis][self._triangles] for axis in (0, 1))
        return _areas(x, y)

    def _facing(self, places: Floats, areas: Floats) -> npt.NDArray[np.intp]:
        """The triangles that face the camera, or are seen from both sides, and lie in the picture."""
        x, y = (places[:, axis][self._triangles] for axis in (0, 1))
        there = (areas > 1e-6) | (self._both_sides & (areas < -1e-6))
        for of in (x, y):
            there &= (of.max(1) >= 0) & (of.min(1) <= self._across - 1)
        return np.flatnonzero(there)

    def _known(self, drawn: _Drawn, seen: Mask) -> Mask:
        """Of the samples that show something, which show a surface that the rest picture shows where it was."""
        which = drawn.layers.triangle[seen]
        rest_x, rest_y, rest_near = drawn.layers.rest[seen].T
        x, y = np.rint(rest_x).astype(np.int32), np.rint(rest_y).astype(np.int32)
        inside = (x >= 0) & (x < self._across) & (y >= 0) & (y < self._across)
        at = np.where(inside, y * np.int32(self._across) + x, 0)
        in_front = self._rest.layers.nearness.reshape(-1)[at]
        then = self._rest.layers.triangle.reshape(-1)[at]
        # Numbers of this drawing's triangles and of the rest's, both as the studio counts them.
        same = drawn.triangles[which] == np.where(then >= 0, self._rest.triangles[then], -1)
        near = in_front <= rest_near * (1 + _DEEPER) + self._slopes[drawn.triangles[which]]
        return np.asarray(inside & (near | same) & drawn.known[which])

    def _alike(self, samples: Floats, middle: Floats) -> Mask:
        return np.asarray(np.abs(samples - _spread(middle)) < _TOGETHER * SAMPLES)

    def _picture(self, layers: Layers) -> npt.NDArray[np.uint8]:
        mean = self._mean(layers.colour)
        alpha = mean[..., 3:]
        straight = mean[..., :3] / np.maximum(alpha, 1e-3) * 255.0
        return np.asarray(np.rint(np.clip(np.concatenate((straight, alpha), -1), 0, 255)), np.uint8)


def _linear(colour: Floats) -> Floats:
    """Premultiplied, linear light, from premultiplied encoded colours of 0 to 255."""
    alpha = np.clip(colour[..., 3:] / 255, 0, 1)
    straight = np.clip(colour[..., :3] / 255 / np.maximum(alpha, 1e-3), 0, 1)
    return np.concatenate((srgb_to_linear(straight) * alpha, alpha), -1).astype(np.float32)


def _barycentric(corners: Floats) -> Floats:
    """(side, side, 3): the share of each corner, (side, side, 3, 3), at the pixel's centre."""
    side = len(corners)
    at = np.stack(np.meshgrid(*[np.arange(side, dtype=np.float32)] * 2), -1) - corners[:, :, 0, :2]
    u, v = (corners[:, :, i, :2] - corners[:, :, 0, :2] for i in (1, 2))
    area = u[..., 0] * v[..., 1] - v[..., 0] * u[..., 1]
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    second = (at[..., 0] * v[..., 1] - at[..., 1] * v[..., 0]) / area
    third = (u[..., 0] * at[..., 1] - u[..., 1] * at[..., 0]) / area
    shares = np.stack((1 - second - third, second, third), -1).clip(0) * corners[..., 2]
    return np.asarray(shares / np.maximum(shares.sum(-1, keepdims=True), 1e-9), np.float32)


def _spread(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every pixel's value for each of its samples."""
    return pixels.repeat(SAMPLES, 0).repeat(SAMPLES, 1)


def _surfaces(
    figure: Figure, outlined: bool, regions: Mapping[str, Mask]
) -> tuple[Ints, Ints, npt.NDArray[np.intp]]:
    """Triangles, their materials, and which of the figure's they are, in the order of drawing.

    Behind each material comes its outline, which is the surface itself, swollen and seen from within; and where it
    has a mouth, the surface from within, so that an open mouth without an inside is no hole. Their materials follow
    the figure's own.
    """
    count, corners = len(figure.materials), len(figure.positions)
    every = np.arange(len(figure.triangles))
    edged = np.array([material.edge is not None for material in figure.materials]) & outlined
    mouths = np.zeros(count, bool)
    mouths[figure.surface[regions.get("mouth", np.zeros(len(every), bool))]] = True
    mouths &= ~np.array([material.both_sides for material in figure.materials])
    outline, inside = every[edged[figure.surface]], every[mouths[figure.surface]]
    source = np.concatenate((every, outline, inside))
    triangles = figure.triangles[source]
    triangles[len(every) :] = triangles[len(every) :, ::-1]
    triangles[len(every) : len(every) + len(outline)] += np.int32(corners)
    layer = np.repeat([0, 1, 2], (len(every), len(outline), len(inside)))
    surface = figure.surface[source] + layer * count
    turn = np.argsort(figure.surface[source] * 3 + layer, kind="stable")
    return triangles[turn], surface[turn].astype(np.int32), source[turn]


def _edge_widths(figure: Figure) -> Floats:
    """(V,): the width of each vertex's outline, relative."""
    widths = np.zeros(len(figure.positions), np.float32)
    sizes = np.array([material.edge_size if material.edge else 0.0 for material in figure.materials])
    for corner in range(3):
        widths[figure.triangles[:, corner]] = sizes[figure.surface]
    return widths


def _slopes(places: Floats, triangles: Ints) -> Floats:
    """(T,): by how much the nearness of each triangle changes over one sample, at most, up to ``_STEEPEST``."""
    a, b, c = (places[triangles[:, corner]] for corner in range(3))
    u, v = b - a, c - a
    normal = np.cross(u, v)
    steep = np.abs(normal[:, 0]) + np.abs(normal[:, 1])
    return np.clip(steep / np.maximum(np.abs(normal[:, 2]), 1e-9), 0.0, _STEEPEST).astype(np.float32)


def _densities(figure: Figure, places: Floats) -> npt.NDArray[np.float64]:
    """(materials,): texels to a sample where the material is seen, in the middle of its triangles."""
    u, v = (figure.uv[:, axis][figure.triangles] for axis in (0, 1))
    x, y = (places[:, axis][figure.triangles] for axis in (0, 1))
    found = np.ones(len(figure.materials))
    for index, material in enumerate(figure.materials):
        own = figure.surface == index
        texture = figure.textures[material.texture] if 0 <= material.texture < len(figure.textures) else None
        seen = np.abs(_areas(x[own], y[own]))
        if texture is None or not (seen > 1e-3).any():
            continue
        texels = np.abs(_areas(u[own], v[own])) * texture.shape[0] * texture.shape[1]
        found[index] = np.sqrt(np.median(texels[seen > 1e-3] / seen[seen > 1e-3]))
    return found


def _areas(x: Floats, y: Floats) -> Floats:
    return (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
