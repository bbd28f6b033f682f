# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student as one ONNX graph of the whole square, for a GPU.

The same exact rewrites as in ``student_graph``, but no tiles and no cuts: on a GPU one large product is worth
more than a small cache. Features are channel-major, (channels, pixels), which is what up-sampling wants, so
nothing is transposed. The place's part of a layer is computed on the layer's own resolution, together with the
pose's: a third coordinate of a place, always 1, carries what is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.student_graph import Weights
from keywarp.core.motion import FloatImage
from keywarp.core.newness_graph import newness
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph

Matrix = npt.NDArray[np.float64]


def homogeneous_places(side: int) -> FloatImage:
    """(3, side * side): x and y of every pixel's centre in [-1, 1] (align_corners False), and 1."""
    axis = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(axis, axis)
    return np.stack([x, y, np.ones_like(x)]).reshape(3, -1).astype(np.float32)


def whole_network(face: Weights, body: Weights) -> onnx.ModelProto:
    """The whole student.

    Inputs: ``pose`` (1, 45); ``rest`` (1, 4, 512, 512), the picture in network space; ``rest_face``
    (1, 4, 128, 128), what the face morpher answers to the rest pose; ``seen`` (1, 1, 512, 512), 1 where any pose
    shows something, and ``rim`` (1, 1, 512, 512), 1 just outside of that, else 0 (see ``cover``).

    Outputs, as in ``Motion`` but with channels first: ``image`` (1, 4, 512, 512) in [0, 1], ``flow``
    (1, 2, 512, 512), ``painted`` (1, 1, 512, 512); and ``face`` (1, 4, 128, 128), the face morpher's answer, network
    space.
    """
    graph = Graph("tha4_student", DEVICE_OPSET)
    side, face_side = layout.SIDE, layout.FACE_SIDE
    pose = graph.input("pose", [1, layout.POSE_CHANNELS])
    rest = graph.input("rest", [1, 4, side, side])
    rest_face = graph.input("rest_face", [1, 4, face_side, face_side])
    seen, rim = (graph.input(name, [1, 1, side, side]) for name in ("seen", "rim"))

    drawn_face = _face(graph, face, pose)
    new_face = newness(graph, _to_unit(graph, drawn_face), _to_unit(graph, rest_face))
    morphed = _with_face(graph, rest, graph.op("Concat", drawn_face, new_face, axis=1))
    flow, alpha, drawn = _body(graph, body, pose)
    warped = _warped(graph, morphed, flow)
    picture = graph.op("Slice", warped, [0], [4], [1])
    moved_newness = graph.op("Slice", warped, [4], [5], [1])
    blended = graph.op("Add", picture, graph.op("Mul", alpha, graph.op("Sub", drawn, picture)))

    image = graph.op("Mul", _to_unit(graph, blended), seen)
    expected = graph.op("Mul", _to_unit(graph, picture), seen)
    known = graph.op("Max", graph.op("Mul", moved_newness, seen), rim)
    graph.output("image", image, [1, 4, side, side])
    graph.output("flow", graph.op("Mul", flow, seen), [1, 2, side, side])
    graph.output("painted", graph.op("Max", known, newness(graph, image, expected)), [1, 1, side, side])
    graph.output("face", drawn_face, [1, 4, face_side, face_side])
    return graph.build()


def _linear(weights: Mapping[str, Any], name: str, scale: float = 1.0) -> tuple[Matrix, Matrix]:
    """A 1x1 convolution as (outputs, inputs) matrix and (outputs, 1) bias."""
    matrix = np.asarray(weights[f"{name}.weight"], np.float64)[:, :, 0, 0] * scale
    return matrix, np.asarray(weights[f"{name}.bias"], np.float64)[:, None] * scale


def _opening(
    graph: Graph, weights: Weights, name: str, carried: int, below: str | None, side: int, pose: str
) -> str:
    """sin of a level's first layer: (channels, side * side).

    ``below``: what the features that are carried over from the level below add, (channels, side * side).
    """
    matrix, bias = _linear(weights, f"{name}.linear", layout.OMEGA)
    _, by_place, by_pose = np.split(matrix, [carried, carried + 2], axis=1)
    common = graph.op("Gemm", by_pose, pose, bias, transB=1)
    local = graph.op("Concat", graph.constant(by_place), common, axis=1)
    places = graph.constant(homogeneous_places(side))
    x = graph.op("MatMul", local, places) if below is None else graph.op("Gemm", local, places, below)
    return graph.op("Sin", x)


def _hidden(graph: Graph, x: str, weights: Weights, name: str) -> str:
    matrix, bias = _linear(weights, f"{name}.linear", layout.OMEGA)
    return graph.op("Sin", graph.op("Gemm", matrix, x, bias))


def _face(graph: Graph, weights: Weights, pose: str) -> str:
    """(1, 4, 128, 128), network space."""
    expression = graph.op("Slice", pose, [0], [layout.FACE_CHANNELS], [1])
    x = _opening(graph, weights, "siren.sine_layers.0", 0, None, layout.FACE_SIDE, expression)
    for layer in range(1, layout.FACE_SINES):
        x = _hidden(graph, x, weights, f"siren.sine_layers.{layer}")
    matrix, bias = _linear(weights, "siren.last_linear")
    return graph.op("Reshape", graph.op("Gemm", matrix, x, bias), [1, 4, layout.FACE_SIDE, layout.FACE_SIDE])


def _body(graph: Graph, weights: Weights, pose: str) -> tuple[str, str, str]:
    """Flow, alpha and the drawn image: (1, 2 | 1 | 4, 512, 512)."""
    below = None
    for level, (side, width) in enumerate(layout.LEVELS):
        carried = 0 if level == 0 else width
        x = _opening(graph, weights, f"siren_layers.{level}.0", carried, below, side, pose)
        for layer in (1, 2):
            x = _hidden(graph, x, weights, f"siren_layers.{level}.{layer}")
        if level + 1 < len(layout.LEVELS):
            below = _carried(graph, weights, level + 1, x)
    matrix, bias = _linear(weights, "last_linear")
    out = graph.op("Reshape", graph.op("Gemm", matrix, x, bias), [1, 7, layout.SIDE, layout.SIDE])
    flow, alpha, drawn = (graph.op("Slice", out, [a], [b], [1]) for a, b in ((0, 2), (2, 3), (3, 7)))
    return flow, alpha, drawn


def _carried(graph: Graph, weights: Weights, level: int, features: str) -> str:
    """What the features of the level below add to a level's first layer: (channels, pixels of this level).

    A 1x1 convolution commutes with bilinear up-sampling: it runs first, on a quarter of the pixels.
    """
    (below, _), (side, width) = layout.LEVELS[level - 1], layout.LEVELS[level]
    matrix, _ = _linear(weights, f"siren_layers.{level}.0.linear", layout.OMEGA)
    small = graph.op("MatMul", graph.constant(matrix[:, :width]), features)
    large = graph.op(
        "Resize",
        graph.op("Reshape", small, [1, width, below, below]),
        "",
        np.array([1, 1, 2, 2], np.float32),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    return graph.op("Reshape", large, [width, side * side])


def _with_face(graph: Graph, rest: str, face: str) -> str:
    """(1, 5, 512, 512): the picture with ``face``, (1, 5, 128, 128), in its place; 0 in the fifth plane around."""
    top, left, side = layout.FACE_TOP, layout.FACE_LEFT, layout.FACE_SIDE
    around = np.ones((1, 1, layout.SIDE, layout.SIDE), np.float32)
    around[..., top : top + side, left : left + side] = 0
    five = graph.op("Pad", graph.op("Mul", rest, around), [0, 0, 0, 0, 0, 1, 0, 0])
    bottom, right = layout.SIDE - top - side, layout.SIDE - left - side
    return graph.op("Add", five, graph.op("Pad", face, [0, 0, top, left, 0, 0, bottom, right]))


def _warped(graph: Graph, image: str, flow: str) -> str:
    """``image`` sampled where ``flow`` says, bilinear, the border clamped."""
    side = layout.SIDE
    identity = homogeneous_places(side)[:2].T.reshape(1, side, side, 2)
    grid = graph.op("Add", graph.op("Transpose", flow, perm=[0, 2, 3, 1]), identity)
    return graph.op("GridSample", image, grid, mode="bilinear", padding_mode="border", align_corners=0)


def _to_unit(graph: Graph, x: str) -> str:
    """Network space, [-1, 1], to [0, 1]."""
    return graph.op("Clip", graph.op("Add", graph.op("Mul", x, 0.5), 0.5), 0.0, 1.0)
