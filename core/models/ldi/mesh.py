# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer as a mesh: a vertex for each pixel, two triangles between four neighbours, drawn with a depth buffer.

The mesh is what forward warping needs: a pose says where each pixel goes, and drawing the moved triangles says of
each pixel of the answer where it comes from. A triangle whose corners are of different surfaces is cut out once these
move apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.layered import (
    BODY,
    DEPTH,
    DISTANCE,
    FIELDS,
    FIRST_SHAPE,
    HEAD,
    LEFT,
    SHAPES,
    Floats,
    Layer,
    Mask,
)
from keywarp.core.resample import nearest_known
from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.triangles import covered

MARGIN = 3
"""Vertices beyond the square's border, which go where the border's go: what a pose brings into it is its edge."""
BEYOND = 0.3
"""How far the outermost of them lie beyond it, in square units."""
RIM = 2
"""Pixels around what is seen that move with it: a silhouette's soft edge lies there."""
TORN = 0.015
"""How far shapes of mouth and gaze may move neighbours apart, in square units, weighed as ``moved`` is in ``draw``;
beyond, there is an opening between them."""
LONGEST = 0.4
"""How far neighbours of one surface may part at all: what is stretched so far is nothing that anybody has seen."""
BENT = 2.0
"""Pixels by which they may part where deeper layers show whatever opens: these were photographed as it is then."""
APART = 1.0
"""Pixels by which neighbours of two surfaces may part before the deeper one is seen between them."""
PLAIN = 3.0
"""Pixels by which neighbours of one surface may part before the triangle between them is plain."""
TWO_SURFACES = 0.05
"""Depth by which neighbours differ that are of two surfaces, in square units."""
RIM_SHARE, BRIDGE_SHARE = 2.0**-10, 2.0**-20
"""By what nearness is multiplied in the buffer where a rim is drawn, or a bridge: a triangle that was cut, drawn
where nothing else is. So any surface hides any rim, and any rim any bridge."""
_AROUND = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
FRAMES = 5
"""Frames that carry vertices: nothing, half the spine, all of it, the neck, the head."""


@dataclass(frozen=True)
class View:
    """The part of the square that is drawn: pixel (0, 0) has its centre at ``x``, ``y``, and ``scale`` pixels are a
    unit."""

    x: float
    y: float
    scale: float
    width: int
    height: int


class Mesh:
    """A layer's vertices at rest, and how they hang together; for one caller at a time."""

    def __init__(self, layer: Layer, first: bool, whole: bool) -> None:
        """``first``: of the layer that is seen at rest what is cut is drawn where nothing else is, and it has a rim;
        a deeper one's would cover what is seen beside it, and so would edges drawn forward. ``whole``: there are
        layers photographed in poses, see ``BENT``."""
        self.side, self._whole = len(layer.seen), whole
        self.across = self.side + 2 * MARGIN
        seen = np.pad(layer.seen, MARGIN, mode="edge")
        fields = np.pad(layer.fields, _AROUND, mode="edge")
        fields = _edges_forward(fields, seen) if first else fields
        fields, kept = _with_rim(fields, seen, RIM if first else 0)
        along = (2 * np.arange(-MARGIN, self.side + MARGIN, dtype=np.float32) + 1) / self.side - 1
        along[[0, -1]] = -1 - BEYOND, 1 + BEYOND
        depth = fields[..., DEPTH]
        self._points = np.empty((*seen.shape, 4), np.float32)
        if layer.places is None:
            self._points[..., :2] = (
                np.stack(np.meshgrid(along, along), -1) * (1 + depth / DISTANCE)[..., None]
            )
        else:
            self._points[..., :2] = np.pad(layer.places, _AROUND, mode="edge")
        self._points[..., 2] = depth
        self._points[..., 3] = fields[..., BODY] + fields[..., HEAD]
        self._kept = np.ascontiguousarray(kept, np.uint8)
        # Only the face moves by shapes: everything else need not be kept, nor gone through for every pose.
        self._moving = np.flatnonzero((fields[..., FIRST_SHAPE:].any(-1) & kept).reshape(-1))
        of_moving = fields.reshape(-1, FIELDS)[self._moving]
        self.left = of_moving[:, LEFT].copy()
        """(M,): of the vertices that shapes move, how far each lies on the character's left."""
        self.shapes = np.ascontiguousarray(
            of_moving[:, FIRST_SHAPE:].reshape(-1, len(SHAPES), 2).transpose(1, 0, 2)
        )
        """(S, M, 2): how far each shape moves them."""
        # Where vertices go, and before that where shapes alone move them: written anew for each pose.
        self._places = np.zeros_like(self._points)
        self._shaped = self._points.copy()
        same = [np.abs(depth[a] - depth[b]) < TWO_SURFACES for a, b in _EDGES]
        there = [kept[a] & kept[b] for a, b in _EDGES]
        self._edges = np.stack([np.where(k, 1 + s, 0) for k, s in zip(there, same, strict=True)], -1).astype(
            np.uint8
        )
        corners = seen[:-1, :-1], seen[:-1, 1:], seen[1:, :-1], seen[1:, 1:]
        cores = [own[0].astype(np.uint8) + own[1] + own[2] for own in (corners[:3], corners[1:])]
        every = [a & b & c for a, b, c in ((there[0], there[1], there[4]), (there[2], there[3], there[4]))]
        # 0: not there, 1: of the rim, 2: some of it is seen, 3: all of it, so that a bridge may take its place.
        kinds = [e * (1 + (c > 0) + (c == 3) * first) for e, c in zip(every, cores, strict=True)]
        self._kinds = np.stack(kinds, -1).astype(np.uint8)

    def draw(
        self,
        near: Floats,
        source: Floats,
        view: View,
        frames: Floats,
        moved: Floats,
    ) -> None:
        """Where the vertices go that ``frames``, (FRAMES, 3, 4), carry, and which of them each pixel shows.

        ``moved``: of the vertices of ``shapes``, (M, 4): by how much these move them, x and y, how much nearer they
        pass, and a number that differs where an opening comes between them. Written are ``near``, (height, width),
        0 where nothing is drawn, see ``RIM_SHARE``; and where something is ``source``, (height, width, 2): column and
        row of the layer's pixels.
        """
        points, places = self._shaped.reshape(-1, 4), self._places.reshape(-1, 4)
        points[self._moving, :2] = self._points.reshape(-1, 4)[self._moving, :2] + moved[:, :2]
        frames = np.ascontiguousarray(frames, np.float32)
        _vertices()(places, points, frames, self._kept, len(points), view.x, view.y, view.scale)
        places[self._moving, 2:] += moved[:, 2:]
        near.fill(0)
        pixel = view.scale * 2 / self.side
        longest = BENT * pixel if self._whole else LONGEST * view.scale
        limits = np.array([APART * pixel, longest, TORN, pixel], np.float32)
        last = float(view.width - 1), float(view.height - 1)
        _triangles()(
            near, source, self._places, self._edges, self._kinds, limits, self.across, view.width, *last
        )


Place = tuple[Value, Value]
"""Column and row of a layer's pixels."""
Target = tuple[Value, Value, Value, Value, Value]
"""``near`` and ``source`` of ``Mesh.draw``, their width, and the last of their columns and rows."""
_TL, _TR, _BL, _BR = np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]
_EDGES = ((_TL, _TR), (_TL, _BL), (_BL, _BR), (_TR, _BR), (_TR, _BL))
"""Between four neighbours: top, left, bottom, right, and the diagonal that both triangles share."""
_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of the four."""
_ENDS = ((0, 1), (0, 2), (2, 3), (1, 3), (1, 2))
"""The ends of the edges, by their numbers among ``_CORNERS``."""
_TRIANGLES = (((0, 1, 2), (0, 1, 4)), ((1, 3, 2), (2, 3, 4)))
"""Corners and edges of the upper left and the lower right triangle."""


def _edges_forward(fields: Floats, seen: Mask) -> Floats:
    """Fields in which the pixels at an edge between two surfaces are the nearer one's: they are mixed from both, and
    would stay behind as a shadow of the edge."""
    depth = np.where(seen, fields[..., DEPTH], np.float32(np.inf))
    padded = np.pad(depth, 1, constant_values=np.inf)
    height, width = depth.shape
    nearest, source = depth - np.float32(TWO_SURFACES), np.arange(depth.size).reshape(depth.shape)
    own = source.copy()
    for down, across in ((0, 1), (1, 0), (1, 2), (2, 1)):
        here = padded[down : down + height, across : across + width]
        nearer = seen & (here < nearest)
        nearest = np.where(nearer, here, nearest)
        source = np.where(nearer, own + (down - 1) * width + across - 1, source)
    return np.asarray(fields.reshape(-1, fields.shape[-1])[source], np.float32)


def _with_rim(fields: Floats, seen: Mask, rim: int) -> tuple[Floats, Mask]:
    """Fields that go on beyond what is seen, with those of the nearest pixel, and where they are known now."""
    if not seen.any():
        return fields, seen
    distance, nearest = nearest_known(seen)
    return fields.reshape(-1, fields.shape[-1])[nearest], np.asarray(distance <= rim)


@built_once
def _vertices() -> Compiled:
    """Bones, and the camera: x and y in pixels, nearness, and 0."""
    k = Kernel("layer_vertices", *[FLOATS] * 3, BYTES, INDEX, FLOAT, FLOAT, FLOAT)
    places, points, frames, kept, count, left, top, scale = k.arguments
    with k.loop(0, count) as vertex, k.only_if(k.load(kept, vertex).as_word(), "!=", 0):
        x, y, z, chain = (k.load(points, vertex * 4 + i) for i in range(4))
        knot = (chain * 2.0).clamped(0.0, FRAMES - 1.001)
        first = knot.floor()
        share = (knot - first).spread(4)
        at = first.as_int().as_index() * 12
        moved = []
        for row in range(3):
            a, b = (k.load(frames, at + (step + 4 * row), 4) for step in (0, 12))
            line = a + (b - a) * share
            moved.append(line[0] * x + line[1] * y + line[2] * z + line[3])
        near = 1.0 / (moved[2] * (1 / DISTANCE) + 1.0).clamped(0.05, 100.0)
        k.store((moved[0] * near - left) * scale, places, vertex * 4)
        k.store((moved[1] * near - top) * scale, places, vertex * 4 + 1)
        k.store(near, places, vertex * 4 + 2)
        k.store(near - near, places, vertex * 4 + 3)
    return k.compiled()


@built_once
def _triangles() -> Compiled:
    k = Kernel("layer_triangles", *[FLOATS] * 3, BYTES, BYTES, FLOATS, INDEX, INDEX, FLOAT, FLOAT)
    near, source, places, edges, kinds, limits, across, width, last_column, last_row = k.arguments
    target = near, source, width, last_column, last_row
    with k.loop(0, across - 1) as row, k.loop(0, across - 1) as column:
        quad = row * (across - 1) + column
        of_both = [k.load(kinds, quad * 2 + which).as_word() for which in range(2)]
        with k.only_if(of_both[0] | of_both[1], "!=", 0):
            numbers = [k.load(places, ((row + r) * across + column + c) * 4, 4) for r, c in _CORNERS]
            own = [
                (column.as_float() + float(c - MARGIN), row.as_float() + float(r - MARGIN))
                for r, c in _CORNERS
            ]
            found = [_edge(k, i, numbers, k.load(edges, quad * 5 + i).as_word(), limits) for i in range(5)]
            for kind, (corners, sides) in zip(of_both, _TRIANGLES, strict=True):
                _drawn(
                    k,
                    kind,
                    [numbers[i] for i in corners],
                    [own[i] for i in corners],
                    [found[i] for i in sides],
                    target,
                )
    return k.compiled()


def _drawn(
    k: Kernel,
    kind: Value,
    numbers: list[Value],
    own: list[Place],
    sides: list[tuple[Value, Value]],
    target: Target,
) -> None:
    """A triangle, if any of it is to be seen."""
    cut = sides[0][0] + sides[1][0] + sides[2][0]
    plain = sides[0][1] + sides[1][1] + sides[2][1] + cut
    one = k.like(1.0, target[-1])
    share = k.where(kind, ">=", 2, one, one * RIM_SHARE)
    bridge = k.where(kind, ">=", 3, one * BRIDGE_SHARE, one * 0.0)
    share = k.where(cut, "!=", 0, bridge, share)
    with k.only_if(share.bits(INT), "!=", 0):
        depths = [number[2] for number in numbers]
        least = k.intrinsic("minnum", k.intrinsic("minnum", depths[0], depths[1]), depths[2])
        flat = [k.where(cut, "!=", 0, least, depth) for depth in depths]
        _triangle(k, numbers, flat, _of_farthest(k, plain, own, depths), share, target)


def _edge(k: Kernel, which: int, numbers: list[Value], kind: Value, limits: Value) -> tuple[Value, Value]:
    """Whole numbers: not 0 where an edge is cut, and where its ends have been drawn apart."""
    a, b = (numbers[i] for i in _ENDS[which])
    (down_a, across_a), (down_b, across_b) = (_CORNERS[i] for i in _ENDS[which])
    apart, longest, torn, pixel = (k.load(limits, k.index(i)) for i in range(4))
    dx = k.intrinsic("fabs", b[0] - a[0] - pixel * float(across_b - across_a))
    dy = k.intrinsic("fabs", b[1] - a[1] - pixel * float(down_b - down_a))
    stretch = k.intrinsic("maxnum", dx, dy).bits(INT)
    opened = k.intrinsic("fabs", b[3] - a[3]).bits(INT)
    yes, no = k.like(1, kind), k.like(0, kind)
    limit = k.where(kind, "==", 2, longest.bits(INT), apart.bits(INT))
    cut = k.where(stretch, ">=", limit, yes, no) + k.where(opened, ">=", torn.bits(INT), yes, no)
    # What has not even parted by a pixel is whole, whatever it is of.
    cut = k.where(stretch, "<", apart.bits(INT), k.where(opened, ">=", torn.bits(INT), yes, no), cut)
    cut = k.where(kind, "==", 0, yes, cut)
    return cut, k.where(stretch, ">=", (pixel * PLAIN).bits(INT), yes, no)


def _triangle(
    k: Kernel,
    numbers: list[Value],
    depths: list[Value],
    own: list[Place],
    share: Value,
    target: Target,
) -> None:
    near, source, width, last_column, last_row = target
    (x0, y0), (x1, y1), (x2, y2) = places = [(number[0], number[1]) for number in numbers]
    z0, z1, z2 = depths
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    with (
        k.only_if(area.bits(INT), ">", _SLIVER),
        covered(k, places, last_column, last_row) as (row, column, b1, b2),
    ):
        here = (z0 + (z1 - z0) * b1 + (z2 - z0) * b2) * share
        pixel = row * width + column
        with k.only_if(here.bits(INT), ">=", k.load(near, pixel).bits(INT)):
            k.store(here, near, pixel)
            for axis in range(2):
                a, b, c = (corner[axis] for corner in own)
                k.store(a + (b - a) * b1 + (c - a) * b2, source, pixel * 2 + axis)


def _of_farthest(k: Kernel, plain: Value, corners: list[Place], near: list[Value]) -> list[Place]:
    """The corners' own places; of a plain triangle three times that of the farthest: it is between parts that a
    pose has drawn apart, and shows what lies there, as a lid's skin goes on above its lashes, for a mixture would be
    a smear."""
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
