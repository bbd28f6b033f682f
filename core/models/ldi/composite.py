# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn layers over each other: a picture, and how much of it is the first layer's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.layered import Floats
from keywarp.core.models.ldi.mesh import BRIDGE_SHARE, RIM_SHARE
from keywarp.core.runtime.kernels import FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.session import in_parallel

Place = tuple[float, float]
_FAR = 0.05
"""Nearness by which the far side of a head lies behind its front, at least."""
_BAND = 64
"""Rows that one thread does at a time."""
_SAME = 0.0002
"""Nearness by which a layer may lie behind another and still be drawn over it: it was peeled off before."""
_STILL = 1.5
"""Pixels up to which a thing stands still. Where the first layer does, and what was drawn before it, the first is
right, which is the picture: where surfaces end, layers do not quite agree on how far each goes."""
_LINE = 0.012
"""Nearness by which an outline lies behind its surface at most."""


@dataclass(frozen=True)
class Textures:
    """What layers show, the same from pose to pose."""

    colours: Floats
    """(L, m, m, 4), premultiplied, m at least 2; sampled bilinearly, the border clamped."""
    at_rest: Floats
    """(L, n, n, 2): where each pixel's content is seen at rest, column and row of the first layer's pixels."""


def composite(
    textures: Textures, near: Floats, source: Floats, corner: Place, step: float
) -> tuple[Floats, Floats]:
    """(h, w, 4): the samples' colours, premultiplied; and (h, w): how much of each is the first layer's own.

    ``near``: (L, h, w) and ``source``: (L, h, w, 2), as ``Mesh.draw`` writes them; ``corner``: where the first sample
    is among the first layer's pixels, column and row; ``step``: pixels from sample to sample.
    """
    count, height, width = near.shape
    size, side = textures.colours.shape[1], textures.at_rest.shape[1]
    colour = np.zeros((height, width, 4), np.float32)
    own = np.zeros((height, width), np.float32)
    depth = np.zeros((height, width), np.float32)
    still = np.zeros((height, width), np.float32)
    numbers = np.array([size / side, size - 1.001, side - 1.001, *corner, step], np.float32)
    kernel = _kernel()

    def draw(first: int) -> None:
        arrays = colour, own, depth, still, near, source, textures.colours, textures.at_rest, numbers
        kernel(*arrays, first, min(first + _BAND, height), width, height * width, count, size, side)

    in_parallel(draw, range(0, height, _BAND))
    return colour, own


@built_once
def _kernel() -> Compiled:
    k = Kernel("layer_composite", *[FLOATS] * 9, *[INDEX] * 7)
    (
        colour,
        own,
        depth,
        still,
        near,
        source,
        colours,
        at_rest,
        numbers,
        begin,
        end,
        width,
        pixels,
        count,
        size,
        side,
    ) = k.arguments
    scale, last, last_of_layer, left, top, between = (k.load(numbers, k.index(i)) for i in range(6))
    rim = _bits(RIM_SHARE * RIM_SHARE**0.5)  # between a rim's nearness and a bridge's
    whole = _bits(RIM_SHARE**0.5)
    yes, no = k.like(1.0, scale), k.like(0.0, scale)
    with k.loop(begin, end) as row, k.loop(0, width) as column:
        pixel = row * width + column
        here = column.as_float() * between + left, row.as_float() * between + top
        with k.loop(0, count) as step:
            layer = count - 1 - step
            drawn = k.load(near, layer * pixels + pixel)
            with k.only_if(drawn.bits(INT), ">=", rim):
                at = [k.load(source, (layer * pixels + pixel) * 2 + i) for i in range(2)]
                part = _sample(k, colours, layer, at, size, scale, last)
                away = _away(k, at_rest, layer, at, side, last_of_layer, here)
                stands = k.where(away.bits(INT), "<", _bits(_STILL), yes, no)
                # A rim's nearness is kept as a share of it.
                true = k.where(drawn.bits(INT), ">=", whole, drawn, drawn * (1 / RIM_SHARE))
                # What the picture itself shows there may lie a line behind what stands still before it.
                right = k.where(layer.as_short(), "==", 0, stands * k.load(still, pixel), no)
                so_far = k.load(depth, pixel).bits(INT)
                before = k.where((true + right * _LINE + _SAME).bits(INT), ">=", so_far, yes, no)
                under = k.load(colour, pixel * 4, 4)
                over = 1.0 - part[3] * before
                beneath = 1.0 - under[3] * (1.0 - before)
                k.store(part * beneath.spread(4) + under * over.spread(4), colour, pixel * 4)
                first = k.where(layer.as_short(), "==", 0, part[3] * beneath, no)
                k.store(k.load(own, pixel) * over + first, own, pixel)
                with k.only_if((part[3] * before - 0.5).bits(INT), ">=", 0):
                    k.store(k.intrinsic("maxnum", true, k.load(depth, pixel)), depth, pixel)
                    k.store(stands, still, pixel)
        bridge = k.load(near, pixel)
        with k.only_if(bridge.bits(INT), "!=", 0), k.only_if(bridge.bits(INT), "<", rim):
            at = [k.load(source, pixel * 2 + i) for i in range(2)]
            part = _sample(k, colours, k.index(0), at, size, scale, last)
            # The deeper of two parted surfaces goes on, where only the far side of the head is known to lie behind.
            depth_here = (bridge * (1 / BRIDGE_SHARE) - _FAR).bits(INT)
            before = k.where(depth_here, ">=", k.load(depth, pixel).bits(INT), yes, no)
            seen = k.load(colour, pixel * 4, 4)
            over = 1.0 - part[3] * before
            beneath = 1.0 - seen[3] * (1.0 - before)
            k.store(part * beneath.spread(4) + seen * over.spread(4), colour, pixel * 4)
    return k.compiled()


def _bits(number: float) -> int:
    return int(np.float32(number).view(np.int32))


def _away(
    k: Kernel,
    at_rest: Value,
    layer: Value,
    at: list[Value],
    side: Value,
    last: Value,
    here: tuple[Value, Value],
) -> Value:
    """How far a layer's content has moved since rest to be here, in pixels."""
    column, row = ((place + 0.5).clamped(0.0, last).as_int().as_index() for place in at)
    index = ((layer * side + row) * side + column) * 2
    rest = [k.load(at_rest, index + i) for i in range(2)]
    return k.intrinsic("maxnum", *(k.intrinsic("fabs", a - b) for a, b in zip(rest, here, strict=True)))


def _sample(
    k: Kernel, colours: Value, layer: Value, at: list[Value], size: Value, scale: Value, last: Value
) -> Value:
    """The layer's colour where a sample comes from."""
    x, y = (((place + 0.5) * scale - 0.5).clamped(0.0, last) for place in at)
    left, top = x.floor(), y.floor()
    across, down = (x - left).spread(4), (y - top).spread(4)
    first = ((layer * size + top.as_int().as_index()) * size + left.as_int().as_index()) * 4
    rows = []
    for row in range(2):
        a, b = (k.load(colours, first + (row * size + column) * 4, 4) for column in range(2))
        rows.append(a + (b - a) * across)
    return rows[0] + (rows[1] - rows[0]) * down
