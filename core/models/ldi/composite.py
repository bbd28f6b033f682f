# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn layers over each other: a picture, and how much of it is the first layer's own."""

from __future__ import annotations

import numpy as np

from keywarp.core.layered import Floats
from keywarp.core.models.ldi.mesh import BRIDGE_SHARE, RIM_SHARE
from keywarp.core.runtime.kernels import FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once

_FAR = 0.05
"""Nearness by which the far side of a head lies behind its front, at least."""
_SAME = 0.0002
"""Nearness by which a layer may lie behind another and still be drawn over it: it was peeled off before."""


def composite(near: Floats, source: Floats, colours: Floats, side: int) -> tuple[Floats, Floats]:
    """(h, w, 4): the samples' colours, premultiplied; and (h, w): how much of each is the first layer's own.

    ``near``: (L, h, w) and ``source``: (L, h, w, 2), as ``Mesh.draw`` writes them, of layers ``side`` pixels wide;
    ``colours``: (L, m, m, 4), premultiplied, m at least 2; sampled bilinearly, the border clamped.
    """
    count, height, width = near.shape
    size = colours.shape[1]
    colour = np.zeros((height, width, 4), np.float32)
    own = np.zeros((height, width), np.float32)
    depth = np.zeros((height, width), np.float32)
    grown = np.array([size / side, size - 1.001], np.float32)
    _kernel()(colour, own, depth, near, source, colours, grown, height * width, count, size)
    return colour, own


@built_once
def _kernel() -> Compiled:
    k = Kernel("layer_composite", *[FLOATS] * 7, INDEX, INDEX, INDEX)
    colour, own, depth, near, source, colours, grown, pixels, count, size = k.arguments
    scale, last = (k.load(grown, k.index(i)) for i in range(2))
    rim = _bits(np.float32(RIM_SHARE * RIM_SHARE**0.5))  # between a rim's nearness and a bridge's
    whole = _bits(np.float32(RIM_SHARE**0.5))
    with k.loop(0, pixels) as pixel:
        with k.loop(0, count) as step:
            layer = count - 1 - step
            here = k.load(near, layer * pixels + pixel)
            with k.only_if(here.bits(INT), ">=", rim):
                part = _sample(k, colours, source, layer, pixel, pixels, size, scale, last)
                # A rim's nearness is kept as a share of it.
                true = k.where(here.bits(INT), ">=", whole, here, here * (1 / RIM_SHARE))
                before = k.where(
                    (true + _SAME).bits(INT),
                    ">=",
                    k.load(depth, pixel).bits(INT),
                    k.like(1.0, true),
                    k.like(0.0, true),
                )
                under = k.load(colour, pixel * 4, 4)
                over = 1.0 - part[3] * before
                beneath = 1.0 - under[3] * (1.0 - before)
                k.store(part * beneath.spread(4) + under * over.spread(4), colour, pixel * 4)
                first = k.where(layer.as_short(), "==", 0, part[3] * beneath, k.like(0.0, true))
                k.store(k.load(own, pixel) * over + first, own, pixel)
                with k.only_if((part[3] - 0.5).bits(INT), ">=", 0):
                    k.store(k.intrinsic("maxnum", true, k.load(depth, pixel)), depth, pixel)
        bridge = k.load(near, pixel)
        with k.only_if(bridge.bits(INT), "!=", 0), k.only_if(bridge.bits(INT), "<", rim):
            part = _sample(k, colours, source, k.index(0), pixel, pixels, size, scale, last)
            # The deeper of two parted surfaces goes on, where only the far side of the head is known to lie behind.
            depth_here = (bridge * (1 / BRIDGE_SHARE) - _FAR).bits(INT)
            before = k.where(
                depth_here, ">=", k.load(depth, pixel).bits(INT), k.like(1.0, bridge), k.like(0.0, bridge)
            )
            seen = k.load(colour, pixel * 4, 4)
            over = 1.0 - part[3] * before
            beneath = 1.0 - seen[3] * (1.0 - before)
            k.store(part * beneath.spread(4) + seen * over.spread(4), colour, pixel * 4)
    return k.compiled()


def _bits(number: np.float32) -> int:
    return int(number.view(np.int32))


def _sample(
    k: Kernel,
    colours: Value,
    source: Value,
    layer: Value,
    pixel: Value,
    pixels: Value,
    size: Value,
    scale: Value,
    last: Value,
) -> Value:
    """The layer's colour where the pixel comes from."""
    place = (layer * pixels + pixel) * 2
    x, y = (((k.load(source, place + i) + 0.5) * scale - 0.5).clamped(0.0, last) for i in range(2))
    left, top = x.floor(), y.floor()
    across, down = (x - left).spread(4), (y - top).spread(4)
    at = ((layer * size + top.as_int().as_index()) * size + left.as_int().as_index()) * 4
    rows = []
    for row in range(2):
        a, b = (k.load(colours, at + (row * size + column) * 4, 4) for column in range(2))
        rows.append(a + (b - a) * across)
    return rows[0] + (rows[1] - rows[0]) * down


assert BRIDGE_SHARE < RIM_SHARE < 1
