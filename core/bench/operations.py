# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a graph computes: the multiply-adds of its convolutions and matrix products, and of every run of it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

Shape = tuple[int, ...]
_PLAIN = ort.InferenceSession


def multiply_adds(model: Path | bytes) -> int:
    """Of one run of the graph: a multiplication and the addition after it are one.

    Resampling, norms and functions of single numbers are left out. Raises ``ValueError`` for a product whose size the
    graph leaves open.
    """
    graph = onnx.shape_inference.infer_shapes(_folded(model), data_prop=True).graph
    known = _shapes(graph)
    return sum(_of_node(node, known) for node in graph.node)


def _folded(model: Path | bytes) -> onnx.ModelProto:
    """The graph with what is constant computed, among it the sizes that an export works out as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        options.log_severity_level = 3
        given = model if isinstance(model, bytes) else str(model)
        _PLAIN(given, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Of everything whose shape is certain."""
    known = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(side.HasField("dim_value") for side in tensor.shape.dim):
            known[value.name] = tuple(side.dim_value for side in tensor.shape.dim)
    for node in graph.node:
        if node.op_type == "Constant":
            known[node.output[0]] = tuple(onnx.helper.get_node_attr_value(node, "value").dims)
    return known


def _of_node(node: onnx.NodeProto, known: Mapping[str, Shape]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        return 0
    one, other, out = node.input[0], node.input[1], node.output[0]
    try:
        if node.op_type == "Conv":  # weights (outputs, inputs of a group, kernel)
            return prod(known[out]) * prod(known[other][1:])
        if node.op_type == "ConvTranspose":  # weights (inputs, outputs of a group, kernel)
            return prod(known[one]) * prod(known[other][1:])
        turned = node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute)
        return prod(known[out]) * known[one][0 if turned else -1]
    except KeyError as error:
        raise ValueError(
            f"the graph leaves the shape of {error} open, which {node.name} multiplies"
        ) from None


class Tally:
    """What the runs of all sessions have come to."""

    def __init__(self) -> None:
        self.multiply_adds = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:  # tiles run on several threads
            self.multiply_adds += count


@contextmanager
def counted() -> Iterator[Tally]:
    """Whatever sessions are opened in the context add their graphs' multiply-adds with each of their runs."""
    tally = Tally()

    class Counting(_PLAIN):  # type: ignore[misc, valid-type]
        def __init__(self, model: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(model, *args, **kwargs)
            self._count = multiply_adds(model if isinstance(model, bytes) else Path(model))

        def run(self, *args: Any, **kwargs: Any) -> Any:
            tally.add(self._count)
            return super().run(*args, **kwargs)

        def run_with_iobinding(self, *args: Any, **kwargs: Any) -> None:
            tally.add(self._count)
            super().run_with_iobinding(*args, **kwargs)

    ort.InferenceSession = Counting
    try:
        yield tally
    finally:
        ort.InferenceSession = _PLAIN
