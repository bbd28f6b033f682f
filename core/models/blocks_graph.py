# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks that several families share, as operators of a graph; each equals its namesake in ``blocks``."""

from __future__ import annotations

import numpy as np

from keywarp.core.motion import FloatImage
from keywarp.core.runtime.graph import Graph


def identity_grid(side: int) -> FloatImage:
    """(1, side, side, 2): x and y of every pixel's centre in [-1, 1]."""
    axis = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    grid: FloatImage = np.stack(np.meshgrid(axis, axis), -1)[None]
    return grid


def warp(graph: Graph, image: str, flow: str, side: int) -> str:
    """``image`` sampled where ``flow``, (1, 2, side, side), says, bilinear, the border clamped."""
    grid = graph.op("Add", graph.op("Transpose", flow, perm=[0, 2, 3, 1]), identity_grid(side))
    return graph.op("GridSample", image, grid, mode="bilinear", padding_mode="border", align_corners=0)


def to_network(graph: Graph, picture: str) -> str:
    """(1, 4, n, n) premultiplied linear light, [0, 1], to network space, [-1, 1]."""
    held = graph.op("Clip", picture, 0.0, 1.0)
    colour, alpha = graph.op("Slice", held, [0], [3], [1]), graph.op("Slice", held, [3], [4], [1])
    root = graph.op("Pow", graph.op("Max", colour, 0.0031308), 1 / 2.4)
    power = graph.op("Sub", graph.op("Mul", root, 1.055), 0.055)
    line = graph.op("Mul", colour, 12.92)
    encoded = graph.op("Where", graph.op("Less", colour, 0.0031308), line, power)
    unit = graph.op("Concat", encoded, alpha, axis=1)
    return graph.op("Sub", graph.op("Mul", unit, 2.0), 1.0)


def to_linear(graph: Graph, image: str) -> str:
    """The inverse of ``to_network``, held to the range, and colour to alpha."""
    unit = graph.op("Clip", graph.op("Add", graph.op("Mul", image, 0.5), 0.5), 0.0, 1.0)
    colour, alpha = graph.op("Slice", unit, [0], [3], [1]), graph.op("Slice", unit, [3], [4], [1])
    power = graph.op("Pow", graph.op("Mul", graph.op("Add", colour, 0.055), 1 / 1.055), 2.4)
    line = graph.op("Mul", colour, 1 / 12.92)
    linear = graph.op("Where", graph.op("Less", colour, 0.04045), line, power)
    return graph.op("Concat", graph.op("Min", linear, alpha), alpha, axis=1)
