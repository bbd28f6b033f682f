# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer as a mesh: a vertex for each pixel, two triangles between four neighbours, drawn with a depth buffer.

The mesh is what forward warping needs: a pose says where each pixel goes, and drawing the moved triangles says of
each pixel of the answer where it comes from. A triangle whose corners are of different surfaces is cut out once these
move apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keywarp.core.layered import DEPTH, Floats, Layer, Mask
from keywarp.core.opencv import cv2
from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.triangles import covered

MARGIN = 3
"""Vertices beyond the square's border, which go where the border's go: what a pose brings into it is its edge."""
RIM = 2
"""Pixels around what is seen that move with it: a silhouette's soft edge lies there."""
_TORN = 0.04
"""How far the mouth's shapes may move neighbours apart, in square units; beyond, there is an opening between them."""
_LONGEST = 0.4
"""The same of all motion together: what is stretched so far is nothing that anybody has seen."""
_APART = 1.0
"""Pixels by which neighbours of two surfaces may part before the deeper one is seen between them."""
_TWO_SURFACES = 0.05
"""Depth by which neighbours differ that are of two surfaces, in square units."""
_NOTHING = np.float32(1e-6)
_WHOLE, _RIM, _BRIDGE, _PLAIN = 1, 2, 4, 8
"""Kinds of triangles: of what is seen; of the rim around it; cut ones, drawn where nothing else is. Plain are those
between parts that a pose has drawn apart: they show what their farthest corner does, as a lid's skin goes on above
its lashes; a mixture would be a smear."""

Flags = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """What a layer's triangles cover, all (height, width, ...)."""

    near: Floats
    """Inverse of the distance; ``_NOTHING``'s where nothing is drawn."""
    source: Floats
    """(.., 2): place in the layer's own pixels, column and row."""
    hit: Mask


class Mesh:
    """A layer's vertices at rest, and how they hang together."""

    def __init__(self, layer: Layer, bridged: bool) -> None:
        """``bridged``: whether bridges are asked for."""
        self._bridged = bridged
        side = len(layer.seen)
        self.side, self._across = side, side + 2 * MARGIN
        seen = np.pad(layer.seen, MARGIN, mode="edge")
        fields = np.pad(layer.fields, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
        self.fields, self._kept = _with_rim(_edges_forward(fields, seen), seen)
        self._core = seen
        along = np.arange(-MARGIN, side + MARGIN, dtype=np.float32)
        self.rest = np.stack(np.meshgrid((2 * along + 1) / side - 1, (2 * along + 1) / side - 1), -1)
        """(m, m, 2): where the vertices are seen at rest, in the square's units."""
        depth = self.fields[..., DEPTH]
        self._surfaces = {
            name: np.abs(depth[a] - depth[b]) < _TWO_SURFACES for name, (a, b) in _EDGES.items()
        }
        self._keeps = {name: self._kept[a] & self._kept[b] for name, (a, b) in _EDGES.items()}

    def draw(
        self,
        seen: Floats,
        opening: Floats | None,
        width: int,
        height: int,
        origin: tuple[float, float],
        scale: float,
    ) -> tuple[Drawn, Drawn]:
        """What vertices cover that have moved to ``seen``, (m, m, 3): x, y in the square's units, and nearness. The
        picture's pixel (0, 0) has its centre at ``origin``, and ``scale`` pixels are a unit. ``opening``: (m, m, 2),
        how far the shapes of the mouth have moved them.

        Returned are the layer, its rim included, and the bridges over what was cut.
        """
        flags = self._flags(seen, opening)
        places = np.empty((*seen.shape[:2], 4), np.float32)
        places[..., 0] = (seen[..., 0] - origin[0]) * scale
        places[..., 1] = (seen[..., 1] - origin[1]) * scale
        places[..., 2] = seen[..., 2]
        whole = self._pass(places, flags, _WHOLE, width, height)
        rim = self._pass(places, flags, _RIM, width, height, whole)
        bridge = self._pass(places, flags, _BRIDGE, width, height)
        return rim, bridge

    def _pass(
        self, places: Floats, flags: Flags, kind: int, width: int, height: int, under: Drawn | None = None
    ) -> Drawn:
        flags = np.where(flags & kind, flags, 0).astype(np.uint8)
        near = np.full((height, width), _NOTHING, np.float32)
        source = np.zeros((height, width, 2), np.float32)
        if flags.any():
            _kernel()(near, source, places, flags, self._across, width, float(width - 1), float(height - 1))
        hit = near > _NOTHING
        source -= np.float32(MARGIN)
        if under is not None:
            keep = under.hit
            near, source = np.where(keep, under.near, near), np.where(keep[..., None], under.source, source)
            hit = hit | keep
        return Drawn(near, source, hit)

    def _flags(self, seen: Floats, opening: Floats | None) -> Flags:
        """(m - 1, m - 1, 2): of the upper left and the lower right triangle between four vertices."""
        moved = (seen[..., :2] - self.rest) * np.float32(self.side / 2)
        torn, apart = {}, {}
        for name, (a, b) in _EDGES.items():
            stretch = np.abs(moved[a] - moved[b]).max(-1)
            whole = (self._surfaces[name] & (stretch < _LONGEST * self.side / 2)) | (stretch < _APART)
            if opening is not None:
                whole &= np.abs(opening[a] - opening[b]).max(-1) < _TORN
            torn[name] = ~whole | ~self._keeps[name]
            apart[name] = stretch > _TORN * self.side / 2
        flags = np.zeros((*torn["top"].shape, 2), np.uint8)
        c = self._core
        corners = c[:-1, :-1], c[:-1, 1:], c[1:, :-1], c[1:, 1:]
        for i, (edges, own) in enumerate(
            ((("top", "left", "diagonal"), corners[:3]), (("bottom", "right", "diagonal"), corners[1:]))
        ):
            cut = torn[edges[0]] | torn[edges[1]] | torn[edges[2]]
            far = apart[edges[0]] | apart[edges[1]] | apart[edges[2]]
            some, every = own[0] | own[1] | own[2], own[0] & own[1] & own[2]
            kept = np.where(some, _WHOLE, _RIM) | np.where(far, _PLAIN, 0)
            flags[..., i] = np.where(cut, np.where(every & self._bridged, _BRIDGE | _PLAIN, 0), kept)
        return flags


_EDGES = {
    "top": (np.s_[:-1, :-1], np.s_[:-1, 1:]),
    "left": (np.s_[:-1, :-1], np.s_[1:, :-1]),
    "bottom": (np.s_[1:, :-1], np.s_[1:, 1:]),
    "right": (np.s_[:-1, 1:], np.s_[1:, 1:]),
    "diagonal": (np.s_[:-1, 1:], np.s_[1:, :-1]),
}
"""Of four neighbours: the edges, from vertex to vertex."""


def _edges_forward(fields: Floats, seen: Mask) -> Floats:
    """Fields in which the pixels at an edge between two surfaces are the nearer one's: they are mixed from both, and
    would stay behind as a shadow of the edge."""
    depth = np.where(seen, fields[..., DEPTH], np.float32(np.inf))
    padded = np.pad(depth, 1, constant_values=np.inf)
    height, width = depth.shape
    nearest, source = depth - np.float32(_TWO_SURFACES), np.arange(depth.size).reshape(depth.shape)
    own = source.copy()
    for down, across in ((0, 1), (1, 0), (1, 2), (2, 1)):
        here = padded[down : down + height, across : across + width]
        nearer = seen & (here < nearest)
        nearest = np.where(nearer, here, nearest)
        source = np.where(nearer, own + (down - 1) * width + across - 1, source)
    return np.asarray(fields.reshape(-1, fields.shape[-1])[source], np.float32)


def _with_rim(fields: Floats, seen: Mask) -> tuple[Floats, Mask]:
    """Fields that go on beyond what is seen, with those of the nearest pixel, and where they are known now."""
    if not seen.any():
        return fields, seen
    distance, labels = cv2.distanceTransformWithLabels(
        (~seen).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    order = np.empty(int(labels.max()) + 1, np.int64)
    order[labels[seen]] = np.flatnonzero(seen)
    flat = fields.reshape(-1, fields.shape[-1])
    return flat[order[labels]], np.asarray(distance <= RIM)


@built_once
def _kernel() -> Compiled:
    k = Kernel("layer_mesh", *[FLOATS] * 3, BYTES, INDEX, INDEX, FLOAT, FLOAT)
    near, source, places, flags, across, width, last_column, last_row = k.arguments
    with k.loop(0, across - 1) as row, k.loop(0, across - 1) as column:
        quad = row * (across - 1) + column
        for which, corners in enumerate((((0, 0), (0, 1), (1, 0)), ((0, 1), (1, 1), (1, 0)))):
            flag = k.load(flags, quad * 2 + which).as_word()
            with k.only_if(flag, "!=", 0):
                plain = k.where(flag, ">=", _PLAIN, k.index(1), k.index(0))
                _triangle(
                    k,
                    plain,
                    near,
                    source,
                    places,
                    [(row + r, column + c) for r, c in corners],
                    across,
                    width,
                    last_column,
                    last_row,
                )
    return k.compiled()


def _triangle(
    k: Kernel,
    plain: Value,
    near: Value,
    source: Value,
    places: Value,
    corners: list[tuple[Value, Value]],
    across: Value,
    width: Value,
    last_column: Value,
    last_row: Value,
) -> None:
    numbers = [k.load(places, (row * across + column) * 4, 4) for row, column in corners]
    own = [(_float(column), _float(row)) for row, column in corners]
    (x0, y0), (x1, y1), (x2, y2) = [(number[0], number[1]) for number in numbers]
    z0, z1, z2 = (number[2] for number in numbers)
    own = _of_farthest(k, plain, own, (z0, z1, z2))
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    with (
        k.only_if(area.bits(INT), ">", _SLIVER),
        covered(k, ((x0, y0), (x1, y1), (x2, y2)), last_column, last_row) as (row, column, b1, b2),
    ):
        here = z0 + (z1 - z0) * b1 + (z2 - z0) * b2
        pixel = row * width + column
        with k.only_if(here.bits(INT), ">=", k.load(near, pixel).bits(INT)):
            k.store(here, near, pixel)
            for axis in range(2):
                a, b, c = (corner[axis] for corner in own)
                k.store(a + (b - a) * b1 + (c - a) * b2, source, pixel * 2 + axis)


def _of_farthest(
    k: Kernel, plain: Value, corners: list[tuple[Value, Value]], near: tuple[Value, Value, Value]
) -> list[tuple[Value, Value]]:
    """The corners' own places; of a plain triangle three times that of the farthest."""
    least = k.intrinsic("minnum", k.intrinsic("minnum", near[0], near[1]), near[2]).bits(INT)
    found = []
    for axis in range(2):
        a, b, c = (corner[axis] for corner in corners)
        farthest = k.where(near[1].bits(INT), "==", least, b, k.where(near[2].bits(INT), "==", least, c, a))
        found.append([k.where(plain, "!=", 0, farthest, each) for each in (a, b, c)])
    return list(zip(*found, strict=True))


_SLIVER = int(np.float32(1e-9).view(np.int32))
"""The bits of the area, in pixels, up to which a triangle covers nothing; one that has turned over, as between a lid
and the eye over which it has passed, has a negative one."""


def _float(index: Value) -> Value:
    return Value(index.kernel, index.kernel.builder.sitofp(index.value, FLOAT))
