# SPDX-License-Identifier: GPL-3.0-or-later
"""``core.newness`` as operators of a graph: the same 8-bit steps, the same borders, the same answers."""

from __future__ import annotations

from keywarp.core.newness import AGREE, DISAGREE
from keywarp.core.runtime.graph import Graph


def newness(graph: Graph, image: str, expected: str) -> str:
    """(1, 1, h, w) in [0, 1] for two images (1, 4, h, w); see ``core.newness.newness``."""
    a, b = _brightness(graph, image), _brightness(graph, expected)
    tolerance = graph.op("Min", _reach(graph, a), _reach(graph, b))
    beyond = graph.op("Sub", graph.op("Abs", graph.op("Sub", a, b)), tolerance)
    largest = graph.op("ReduceMax", beyond, axes=[1], keepdims=1)
    ramp = graph.op("Mul", graph.op("Sub", largest, 255 * AGREE), 1 / (255 * (DISAGREE - AGREE)))
    return graph.op("Clip", ramp, 0.0, 1.0)


def dilated(graph: Graph, image: str, side: int) -> str:
    """The largest value within a square of ``side`` pixels; beyond the border there is nothing."""
    reach = side // 2
    return graph.op("MaxPool", image, kernel_shape=[side, side], pads=[reach] * 4, strides=[1, 1])


def eroded(graph: Graph, image: str, side: int) -> str:
    """The smallest value within a square of ``side`` pixels."""
    return graph.op("Neg", dilated(graph, graph.op("Neg", image), side))


def blurred(graph: Graph, image: str, side: int = 3) -> str:
    """The mean within a square of ``side`` pixels; beyond the border the image is mirrored, its last pixel not
    repeated."""
    reach = side // 2
    wider = graph.op("Pad", image, [0, 0, reach, reach, 0, 0, reach, reach], mode="reflect")
    return graph.op("AveragePool", wider, kernel_shape=[side, side], strides=[1, 1])


def _brightness(graph: Graph, image: str) -> str:
    root = graph.op("Sqrt", graph.op("Max", image, 0.0))
    levels = graph.op("Min", graph.op("Round", graph.op("Mul", root, 255.0)), 255.0)
    return graph.op("Round", blurred(graph, levels))


def _reach(graph: Graph, image: str) -> str:
    return graph.op("Sub", dilated(graph, image, 3), eroded(graph, image, 3))
