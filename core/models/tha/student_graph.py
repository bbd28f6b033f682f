# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student as ONNX graphs that work on tiles.

The networks are functions of a pixel's place and the pose, so any tile can be computed alone (papers: THA4,
section 4). Three exact rewrites make a tile cheap:

* a first layer's part that depends on the pose is one vector, its part that depends on the place is one small
  product; they are never tiled over the pixels;
* a 1x1 convolution commutes with bilinear up-sampling, so what opens a level is computed on the level below,
  on a quarter of the pixels (and since up-sampling keeps linear functions, the place's part goes with it);
* the factor OMEGA is part of the weights.

Features are pixel-major, (pixels, channels), which turns every layer into one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.runtime.graph import Graph
from keywarp.core.runtime.sines import SineNetwork

Weights = Mapping[str, npt.NDArray[Any]]


def up_matrix(n: int) -> npt.NDArray[np.float32]:
    """(2n, n + 2): bilinear up-sampling by 2 (align_corners False) of n samples with one neighbour each side."""
    matrix = np.zeros((2 * n, n + 2), np.float32)
    for i in range(n):
        matrix[2 * i, i : i + 2] = 0.25, 0.75
        matrix[2 * i + 1, i + 1 : i + 3] = 0.75, 0.25
    return matrix


def _linear(weights: Weights, name: str, scale: float = 1.0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A 1x1 convolution as (inputs, outputs) matrix and bias."""
    matrix = np.asarray(weights[f"{name}.weight"], np.float64)[:, :, 0, 0].T * scale
    return matrix, np.asarray(weights[f"{name}.bias"], np.float64) * scale


def _hidden(net: SineNetwork, x: str, weights: Weights, name: str, pixels: int) -> str:
    """sin(OMEGA (W x + b)) for (pixels, inputs)."""
    matrix, bias = _linear(weights, f"{name}.linear", layout.OMEGA)
    return net.sine(net.graph.op("Gemm", x, matrix, bias), [pixels, matrix.shape[1]])


def _opening(
    graph: Graph, weights: Weights, name: str, carried: int, features: str | None, place: str, pose: str
) -> str:
    """A level's first layer before its sine: features, place and pose each by their part of the matrix."""
    matrix, bias = _linear(weights, f"{name}.linear", layout.OMEGA)
    by_feature, by_place, by_pose = np.split(matrix, [carried, carried + 2])
    common = graph.op("Gemm", pose, by_pose, bias)
    local = graph.op("Add", graph.op("MatMul", place, by_place), common)
    return local if features is None else graph.op("Gemm", features, by_feature, local)


def face_network(weights: Weights, pixels: int, cut: bool) -> SineNetwork:
    """The face morpher on ``pixels`` places.

    Inputs: ``place`` (pixels, 2) in [-1, 1], ``pose`` (1, 39). Output: ``rgba`` (pixels, 4) in network
    space (premultiplied, linear light, [-1, 1]).
    """
    net = SineNetwork("face_morpher", cut)
    place = net.graph.input("place", [pixels, 2])
    pose = net.graph.input("pose", [1, layout.FACE_CHANNELS])
    x = _opening(net.graph, weights, "siren.sine_layers.0", 0, None, place, pose)
    x = net.sine(x, [pixels, layout.FACE_WIDTH])
    for layer in range(1, layout.FACE_SINES):
        x = _hidden(net, x, weights, f"siren.sine_layers.{layer}", pixels)
    last = net.graph.op("Gemm", x, *_linear(weights, "siren.last_linear"))
    net.graph.output("rgba", last, [pixels, 4])
    return net


def _close(net: SineNetwork, weights: Weights, level: int, x: str, pixels: int) -> None:
    """Hand out what opens the next level, computed on this one."""
    width = layout.LEVELS[level + 1][1]
    place = net.graph.input("place", [pixels, 2])
    pose = net.graph.input("pose", [1, layout.POSE_CHANNELS])
    z = _opening(net.graph, weights, f"siren_layers.{level + 1}.0", width, x, place, pose)
    net.graph.output("z", z, [pixels, width])


def coarse_network(weights: Weights, pixels: int, cut: bool) -> SineNetwork:
    """The body rotator's first substep on ``pixels`` places of the 128x128 field.

    Inputs: ``first_place`` and ``place`` (pixels, 2), equal but for their segment; ``first_pose`` and ``pose``
    (1, 45) likewise. Output: ``z`` (pixels, 180), which opens the next substep once it is
    up-sampled.
    """
    net = SineNetwork("body_rotator_coarse", cut)
    place = net.graph.input("first_place", [pixels, 2])
    pose = net.graph.input("first_pose", [1, layout.POSE_CHANNELS])
    x = _opening(net.graph, weights, "siren_layers.0.0", 0, None, place, pose)
    x = net.sine(x, [pixels, layout.LEVELS[0][1]])
    for layer in (1, 2):
        x = _hidden(net, x, weights, f"siren_layers.0.{layer}", pixels)
    _close(net, weights, 0, x, pixels)
    return net


def _up_sampled(graph: Graph, z: str, n: int, channels: int) -> str:
    """(n + 2, n + 2, channels) with its ring of neighbours to (4 n n, channels), bilinear by 2.

    As two matrix products, which on a tile is faster than the Resize operator.
    """
    matrix = graph.constant(up_matrix(n))
    rows = graph.op("MatMul", matrix, graph.op("Reshape", z, [n + 2, (n + 2) * channels]))
    both = graph.op("MatMul", matrix, graph.op("Reshape", rows, [2 * n, n + 2, channels]))
    return graph.op("Reshape", both, [4 * n * n, channels])


def _raised(net: SineNetwork, weights: Weights, level: int, n: int) -> str:
    """The three layers of a level above the first, on a tile of 2n x 2n pixels."""
    width = layout.LEVELS[level][1]
    z = net.graph.input("below", [n + 2, n + 2, width])
    x = net.sine(_up_sampled(net.graph, z, n, width), [4 * n * n, width])
    for layer in (1, 2):
        x = _hidden(net, x, weights, f"siren_layers.{level}.{layer}", 4 * n * n)
    return x


def middle_network(weights: Weights, n: int, cut: bool) -> SineNetwork:
    """The second substep on a tile of 2n x 2n pixels of the 256x256 field.

    Inputs: ``below`` (n + 2, n + 2, 180), the tile's part of the coarse field with a ring of neighbours;
    ``place`` (4 n n, 2), ``pose`` (1, 45). Output: ``z`` for the last substep, (4 n n, 90).
    """
    net = SineNetwork("body_rotator_middle", cut)
    _close(net, weights, 1, _raised(net, weights, 1, n), 4 * n * n)
    return net


def fine_network(weights: Weights, n: int, cut: bool) -> SineNetwork:
    """The last substep on a tile of 2n x 2n pixels of the 512x512 frame.

    Input: ``below`` (n + 2, n + 2, 90). Output: ``raw`` (4 n n, 7): flow (2), alpha (1) and the directly drawn
    RGBA (4) in [0, 1], from which ``student.formed`` makes the image.
    """
    net = SineNetwork("body_rotator_fine", cut)
    x = _raised(net, weights, 2, n)
    matrix, bias = _linear(weights, "last_linear")
    matrix[:, 3:], bias[3:] = matrix[:, 3:] * 0.5, bias[3:] * 0.5 + 0.5
    net.graph.output("raw", net.graph.op("Gemm", x, matrix, bias), [4 * n * n, 7])
    return net
