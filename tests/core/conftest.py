# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operators ONNX Runtime's CUDA provider implements, as far as keywarp uses them.

From docs/OperatorKernels.md of ONNX Runtime, domain ai.onnx: versions of the operator's definition, the last one
``None`` where the table has a plus sign. Such an open entry stands for its first version alone: the provider refuses
newer definitions (kernel_registry.cc).
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

KERNELS: dict[str, list[tuple[int, int | None]]] = {
    "Abs": [(6, 12), (13, None)],
    "Add": [(7, 12), (13, 13), (14, None)],
    "AveragePool": [(7, 9), (10, 10), (11, None)],
    "Cast": [(6, 8), (9, 12), (13, 18), (19, 20)],
    "Clip": [(6, 10), (11, 11), (12, 12), (13, None)],
    "Concat": [(4, 10), (11, 12), (13, None)],
    "Conv": [(1, 10), (11, 21), (22, None)],
    "ConvTranspose": [(1, 10), (11, 21), (22, None)],
    "Div": [(7, 12), (13, 13), (14, None)],
    "Elu": [(6, None)],
    "Expand": [(8, 12), (13, None)],
    "Gather": [(1, 10), (11, 12), (13, None)],
    "Gemm": [(7, 8), (9, 10), (11, 12), (13, None)],
    "GridSample": [(16, 19), (20, 21), (22, None)],
    "Identity": [(1, 12), (13, 13), (14, 18), (19, None)],
    "InstanceNormalization": [(6, None)],
    "Less": [(7, 8), (9, 12), (13, None)],
    "MatMul": [(1, 8), (9, 12), (13, None)],
    "Max": [(6, 11), (12, 12), (13, None)],
    "MaxPool": [(1, 7), (8, 9), (10, 10), (11, 11), (12, None)],
    "Min": [(6, 11), (12, 12), (13, None)],
    "Mul": [(7, 12), (13, 13), (14, None)],
    "Neg": [(6, 12), (13, None)],
    "Pad": [(2, 10), (11, 12), (13, 17), (18, None)],
    "Pow": [(7, 11), (12, 12), (13, 14), (15, None)],
    "ReduceMax": [(1, 17), (18, None)],
    "Relu": [(6, 12), (13, 13), (14, None)],
    "Reshape": [(1, 4), (5, 12), (13, 13), (14, 18), (19, 20), (21, 22), (23, None)],
    "Resize": [(10, 10), (11, 12), (13, 17), (18, 18), (19, None)],
    "Round": [(11, None)],
    "Sigmoid": [(6, 12), (13, None)],
    "Sin": [(7, None)],
    "Slice": [(1, 9), (10, 10), (11, 12), (13, None)],
    "Sqrt": [(6, 12), (13, None)],
    "Sub": [(7, 12), (13, 13), (14, None)],
    "Tanh": [(6, 12), (13, None)],
    "Transpose": [(1, 12), (13, 20), (21, 22), (23, None)],
    "Unsqueeze": [(1, 10), (11, 12), (13, 20), (21, 22), (23, None)],
    "Where": [(9, 15), (16, None)],
}


def _refused(model: onnx.ModelProto) -> list[str]:
    """What the CUDA provider would not run: operators without a kernel, shapes that are not fixed, GridSample on
    anything but float32."""
    opset = model.opset_import[0].version
    faults = []
    for kind in sorted({node.op_type for node in model.graph.node}):
        version = onnx.defs.get_schema(kind, opset).since_version
        entries = KERNELS.get(kind, [])
        if not any(first == version or (last and first <= version <= last) for first, last in entries):
            faults.append(f"{kind} of version {version}")
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = {value.name: value.type.tensor_type for value in [*inferred.value_info, *inferred.input]}
    for name, kind in values.items():
        if not all(side.HasField("dim_value") for side in kind.shape.dim):
            faults.append(f"{name} has no fixed shape")
    floats = {name for name, kind in values.items() if kind.elem_type == onnx.TensorProto.FLOAT}
    floats |= {x.name for x in inferred.initializer if x.data_type == onnx.TensorProto.FLOAT}
    for node in inferred.node:
        if node.op_type == "GridSample" and not floats.issuperset(node.input):
            faults.append(f"{node.output[0]} samples something else than float32")
    return faults


@pytest.fixture(scope="session")
def refused_by_cuda() -> Callable[[onnx.ModelProto], list[str]]:
    """A model to what the CUDA provider would not run of it."""
    return _refused
