# SPDX-License-Identifier: GPL-3.0-or-later
"""A rasteriser: triangles in their order over each other, each pixel with what it shows and where that was at rest.

Drawing in the materials' order with a depth test, blended where they are translucent, is how MikuMikuDance draws,
and what its models are arranged for. Colours are encoded sRGB, premultiplied, 0 to 255: that is the light in which
these textures were painted and in which drawing programs blend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.triangles import covered
from keywarp.core.studio.figure import Floats, Ints, Texture

VERTEX = 9
"""Numbers of a vertex: x, y and nearness in the picture; u, v; light; x, y and nearness at rest."""
_ATTRIBUTES = VERTEX - 3
RAMP = 256
"""Steps from darkest to brightest in a ramp."""
_NOTHING = np.float32(1e-6)
_ANYWHERE = np.float32(1e9)
_FARTHEST = 0x7FFFFFFF
"""The bits of no number that a nearness reaches."""


@dataclass(frozen=True)
class Palette:
    """The textures of all materials in one piece."""

    texels: Texture
    """(N, 4): premultiplied."""
    places: Floats
    """(materials, 4): first texel, width, height, and the row of the ramps; whole numbers."""


@dataclass(frozen=True)
class Layers:
    """What was drawn, all (side, side, ...)."""

    colour: Floats
    """(.., 4): 0 to 255, premultiplied."""
    nearness: Floats
    triangle: Ints
    """Which triangle's surface is seen; -1: none."""
    rest: Floats
    """(.., 3): where that surface is at rest: x, y in pixels, nearness."""


def draw(
    side: int,
    vertices: Floats,
    triangles: Ints,
    surface: Ints,
    palette: Palette,
    ramps: Floats,
    before: Floats | None = None,
) -> Layers:
    """Draw triangles, (T, 3), of vertices, (V, VERTEX); which sides are seen has been decided.

    ``surface``: (T,) materials; ``ramps``: (rows, RAMP, 4), by which the light multiplies colours; ``before``: (side,
    side), nothing is drawn that is nearer (depth peeling); ``None``: everything is drawn.
    """
    limit = np.full((side, side), _ANYWHERE, np.float32) if before is None else before
    if len(ramps) <= palette.places[:, 3].max(initial=0) or ramps.shape[1:] != (RAMP, 4):
        raise ValueError("a material names a ramp that there is not")
    layers = Layers(
        np.zeros((side, side, 4), np.float32),
        np.full((side, side), _NOTHING, np.float32),
        np.full((side, side), -1, np.int32),
        np.zeros((side, side, 3), np.float32),
    )
    ready = vertices.astype(np.float32, copy=True)
    ready[:, 3:] *= ready[:, 2:3]  # what is divided by depth is linear in the picture
    _kernel()(
        layers.colour,
        layers.nearness,
        layers.triangle.view(np.float32),
        layers.rest,
        np.ascontiguousarray(limit, np.float32),
        ready,
        np.ascontiguousarray(triangles, np.int32).view(np.float32),
        np.ascontiguousarray(surface, np.int32).view(np.float32),
        np.ascontiguousarray(palette.places, np.float32),
        np.ascontiguousarray(ramps, np.float32),
        np.ascontiguousarray(palette.texels, np.uint8),
        len(triangles),
        side,
        float(side - 1),
    )
    return layers


@built_once
def _kernel() -> Compiled:
    k = Kernel("raster", *[FLOATS] * 10, BYTES, INDEX, INDEX, FLOAT)
    drawing = _Drawing(k, *k.arguments)
    with k.loop(0, drawing.count) as triangle:
        drawing.triangle(triangle)
    return k.compiled()


def _index(number: Value) -> Value:
    """A place in memory from a whole number kept as the bits of a float."""
    return number.bits(INT).as_index()


class _Drawing:
    """The kernel while it is being built."""

    def __init__(
        self,
        k: Kernel,
        colour: Value,
        nearness: Value,
        triangles_seen: Value,
        rest: Value,
        limit: Value,
        vertices: Value,
        triangles: Value,
        surface: Value,
        places: Value,
        ramps: Value,
        texels: Value,
        count: Value,
        side: Value,
        last: Value,
    ) -> None:
        self.k = k
        self.colour, self.nearness, self.triangles_seen, self.rest = colour, nearness, triangles_seen, rest
        self.limit = limit
        self.vertices, self.triangles, self.surface, self.places = vertices, triangles, surface, places
        self.ramps, self.texels, self.count, self.side, self.last = ramps, texels, count, side, last

    def triangle(self, which: Value) -> None:
        k = self.k
        starts = [_index(k.load(self.triangles, which * 3 + i)) * VERTEX for i in range(3)]
        numbers = [[k.load(self.vertices, at + i) for i in range(VERTEX)] for at in starts]
        planes = [(a, b - a, c - a) for a, b, c in zip(*numbers, strict=True)][2:]
        material = _index(k.load(self.surface, which)) * 4
        place = [k.load(self.places, material + i) for i in range(4)]
        corners = [(corner[0], corner[1]) for corner in numbers]
        with covered(k, corners, self.last, self.last) as (row, column, b1, b2):
            self._fragment(row * self.side + column, which, b1, b2, planes, place)

    def _fragment(
        self,
        pixel: Value,
        which: Value,
        b1: Value,
        b2: Value,
        planes: list[tuple[Value, Value, Value]],
        place: list[Value],
    ) -> None:
        k = self.k
        near, *attributes = [a + b1 * b + b2 * c for a, b, c in planes]
        seen_before = k.load(self.nearness, pixel).bits(INT)
        limit = k.load(self.limit, pixel).bits(INT)
        # One comparison: a fragment beyond the limit is as if it lay behind what is there.
        bound = k.where(near.bits(INT), "<=", limit, seen_before, k.like(_FARTHEST, seen_before))
        with k.only_if(near.bits(INT), ">=", bound):
            depth = 1.0 / near
            u, v, light, *rest = [value * depth for value in attributes]
            seen = self._texel(place, u, v) * self._lit(place, light)
            alpha = seen[3] * (1.0 / 255.0)
            under = k.load(self.colour, pixel * 4, 4)
            k.store(seen + under * (1.0 - alpha).spread(4), self.colour, pixel * 4)
            with k.only_if((alpha - 0.5).bits(INT), ">=", 0):
                k.store(near, self.nearness, pixel)
                k.store(which.as_short().bits(FLOAT), self.triangles_seen, pixel)
                for i, value in enumerate(rest):
                    k.store(value, self.rest, pixel * 3 + i)

    def _lit(self, place: list[Value], light: Value) -> Value:
        step = (light.clamped(0.0, 1.0) * float(RAMP - 1) + 0.5).as_int().as_index()
        row = place[3].as_int().as_index() * RAMP
        return self.k.load(self.ramps, (row + step) * 4, 4)

    def _texel(self, place: list[Value], u: Value, v: Value) -> Value:
        """The texture, repeated, linear between its texels."""
        first, width, height = (number.as_int() for number in place[:3])
        x, y = (u - u.floor()) * place[1] - 0.5, (v - v.floor()) * place[2] - 0.5
        x_low, y_low = x.floor(), y.floor()
        columns, rows = self._two(x_low.as_int(), width), self._two(y_low.as_int(), height)
        across, down = (x - x_low).spread(4), (y - y_low).spread(4)
        lines = []
        for row in rows:
            texels = [self._load4((first + row * width + column).as_index() * 4) for column in columns]
            lines.append(texels[0] + (texels[1] - texels[0]) * across)
        return lines[0] + (lines[1] - lines[0]) * down

    def _two(self, low: Value, size: Value) -> tuple[Value, Value]:
        """A texel and its neighbour; behind the last comes the first."""
        k = self.k
        low = k.where(low, "<", 0, low + size, low)
        high = low + 1
        return low, k.where(high, "<", size, high, high - size)

    def _load4(self, at: Value) -> Value:
        from llvmlite import ir

        bytes4 = self.k.load(self.texels, at, 4)
        return Value(self.k, self.k.builder.uitofp(bytes4.value, ir.VectorType(FLOAT, 4)))
