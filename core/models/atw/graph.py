# SPDX-License-Identifier: GPL-3.0-or-later
"""ATW's generator as ONNX, written from its weights: the same layers as in ``networks``, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from keywarp.core.models.atw.settings import (
    COMMON,
    EPSILON,
    MOTION_BLOCKS,
    REFINE_BLOCKS,
    Settings,
    pose_scale,
)
from keywarp.core.models.blocks_graph import identity_grid, to_linear, to_network, warp
from keywarp.core.models.exported import MOTION_FILE, PREPARE_FILE
from keywarp.core.newness_graph import newness
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph
from keywarp.core.training.recipe import Recipe

Weights = Mapping[str, Any]


def graphs(recipe: Recipe, weights: Weights) -> dict[str, onnx.ModelProto]:
    """The files of an exported model; see ``core.models.exported``.

    Where the poses are categories the motion fields of all depend on the picture alone: they are prepared, and a
    pose blends them (papers: ATW, section 4.1).
    """
    settings = Settings.of(recipe)
    writer = _Writer(recipe, settings, weights)
    if not settings.categories:
        return {MOTION_FILE: writer.motion(None)}
    return {PREPARE_FILE: writer.prepare(), MOTION_FILE: writer.motion("flows")}


class _Writer:
    def __init__(self, recipe: Recipe, settings: Settings, weights: Weights) -> None:
        self._side, self._settings, self._weights = recipe.side, settings, weights
        self._scale = pose_scale(recipe.space)
        self._learned_painting = bool(recipe.losses.get("painted", 0))

    def prepare(self) -> onnx.ModelProto:
        """``rest`` to ``flows``, (C, 2, n, n): the motion field of each category alone."""
        graph, n, count = Graph("atw_prepare", DEVICE_OPSET), self._side, len(self._scale)
        picture = to_network(graph, graph.input("rest", [1, 4, n, n]))
        pictures = graph.op("Expand", picture, [count, 4, n, n])
        flows = self._motion(graph, pictures, graph.constant(np.eye(count, dtype=np.float32)), count)
        graph.output("flows", flows, [count, 2, n, n])
        return graph.build()

    def motion(self, flows: str | None) -> onnx.ModelProto:
        """``rest`` and ``pose``, and ``flows`` where they are prepared, to a Motion."""
        graph, n, count = Graph("atw", DEVICE_OPSET), self._side, len(self._scale)
        picture = to_network(graph, graph.input("rest", [1, 4, n, n]))
        pose = graph.op("Mul", graph.input("pose", [1, count]), self._scale[None])
        if flows is None:
            flow = self._motion(graph, picture, pose)
        else:
            fields = graph.op("Reshape", graph.input(flows, [count, 2, n, n]), [count, 2 * n * n])
            flow = graph.op("Reshape", graph.op("MatMul", pose, fields), [1, 2, n, n])
        warped = warp(graph, picture, flow, n)
        change, painted = self._refinement(graph, warped, pose)
        image = to_linear(graph, graph.op("Add", warped, change))
        if not self._learned_painting:
            painted = newness(graph, image, to_linear(graph, warped))
        graph.output("image", image, [1, 4, n, n])
        graph.output("flow", flow, [1, 2, n, n])
        graph.output("painted", painted, [1, 1, n, n])
        return graph.build()

    def _array(self, name: str) -> Any:
        return np.asarray(self._weights[f"generator.{name}"], np.float32)

    def _conv(self, graph: Graph, x: str, name: str, *, stride: int = 1, up: bool = False) -> str:
        weight = self._array(f"{name}.weight")
        size = weight.shape[2]
        pad = (size - 1) // 2
        inputs = [x, weight]
        if f"generator.{name}.bias" in self._weights:
            inputs.append(self._array(f"{name}.bias"))
        if size == 7:
            inputs[0] = graph.op("Pad", x, [0, 0, pad, pad, 0, 0, pad, pad], mode="reflect")
            pad = 0
        kind = "ConvTranspose" if up else "Conv"
        return graph.op(kind, *inputs, kernel_shape=[size, size], strides=[stride] * 2, pads=[pad] * 4)

    def _norm(self, graph: Graph, x: str, name: str) -> str:
        weight, bias = self._array(f"{name}.weight"), self._array(f"{name}.bias")
        return graph.op("InstanceNormalization", x, weight, bias, epsilon=EPSILON)

    def _opening(self, graph: Graph, x: str, pose: str, name: str, side: int, count: int = 1) -> str:
        if self._settings.placed:
            places = identity_grid(side).transpose(0, 3, 1, 2)
            x = graph.op("Concat", x, np.repeat(places, count, 0), axis=1)
        plane = self._conv(graph, x, f"{name}.picture")
        signal = graph.op("MatMul", pose, self._array(f"{name}.pose.weight").T)
        return graph.op("Add", plane, graph.op("Unsqueeze", signal, [2, 3]))

    def _motion(self, graph: Graph, picture: str, pose: str, count: int = 1) -> str:
        """The flow of ``count`` pictures and poses."""
        scale = self._settings.motion_scale
        if scale > 1:
            picture = graph.op("AveragePool", picture, kernel_shape=[scale] * 2, strides=[scale] * 2)
        side = self._side // scale
        x = graph.op("Relu", self._opening(graph, picture, pose, "motion.opening", side, count))
        x = self._norm(graph, x, "motion.opening_norm")
        for i in range(2):
            x = self._conv(graph, x, f"motion.down.{i}", stride=2)
            x = graph.op("Relu", self._norm(graph, x, f"motion.down_norms.{i}"))
        for i in range(MOTION_BLOCKS):
            x = self._motion_block(graph, x, pose, f"motion.blocks.{i}")
        for i in range(2):
            x = self._conv(graph, x, f"motion.up.{i}", stride=2, up=True)
            x = graph.op("Relu", self._norm(graph, x, f"motion.up_norms.{i}"))
        x = self._conv(graph, x, "motion.closing")
        if self._settings.common:
            field = graph.op("MatMul", pose, self._array("motion.common.weight").T)
            field = graph.op("Reshape", field, [count, 2, COMMON, COMMON])
            x = graph.op("Add", x, _enlarged(graph, field, side // COMMON))
        return _enlarged(graph, graph.op("Mul", graph.op("Tanh", x), self._settings.reach), scale)

    def _motion_block(self, graph: Graph, x: str, pose: str, name: str) -> str:
        inner = self._norm(graph, self._conv(graph, x, f"{name}.first"), f"{name}.first_norm")
        if self._settings.modulated:
            weight = self._array(f"{name}.pose.weight")
            by_pose = graph.op("Gemm", pose, weight, self._array(f"{name}.pose.bias"), transB=1)
            half = weight.shape[0] // 2
            scale, shift = (
                graph.op("Unsqueeze", graph.op("Slice", by_pose, [a], [b], [1]), [2, 3])
                for a, b in ((0, half), (half, 2 * half))
            )
            inner = graph.op("Add", graph.op("Mul", inner, graph.op("Add", scale, 1.0)), shift)
        inner = self._conv(graph, graph.op("Relu", inner), f"{name}.second")
        return graph.op("Add", x, self._norm(graph, inner, f"{name}.second_norm"))

    def _refinement(self, graph: Graph, warped: str, pose: str) -> tuple[str, str]:
        """The change, (1, 4, n, n), and what is newly painted, (1, 1, n, n) in [0, 1]."""
        x = graph.op("Elu", self._opening(graph, warped, pose, "refinement.opening", self._side))
        for i in range(2):
            x = graph.op("Elu", self._conv(graph, x, f"refinement.down.{i}", stride=2))
        for i in range(REFINE_BLOCKS):
            name = f"refinement.blocks.{i}"
            inner = graph.op("Elu", self._conv(graph, x, f"{name}.first"))
            x = graph.op("Elu", graph.op("Add", x, self._conv(graph, inner, f"{name}.second")))
        for i in range(2):
            x = graph.op("Elu", self._conv(graph, x, f"refinement.up.{i}", stride=2, up=True))
        out = self._conv(graph, x, "refinement.closing")
        change = graph.op("Slice", out, [0], [4], [1])
        return change, graph.op("Sigmoid", graph.op("Slice", out, [4], [5], [1]))


def _enlarged(graph: Graph, x: str, factor: int) -> str:
    """Bilinearly, the border clamped."""
    if factor == 1:
        return x
    grown = np.array([1, 1, factor, factor], np.float32)
    return graph.op("Resize", x, "", grown, mode="linear", coordinate_transformation_mode="half_pixel")
