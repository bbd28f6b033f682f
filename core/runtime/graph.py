# SPDX-License-Identifier: GPL-3.0-or-later
"""A small hand for writing ONNX graphs node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

#: The oldest operator set with every operator that is used here (GridSample in its final form).
OPSET = 20
DEVICE_OPSET = 17
"""For graphs that run on a GPU: kernels of the CUDA provider are tied to versions of their operators, and for these
versions every release that is supported has them (for Pad and AveragePool of opset 20 some have none)."""
_IR_VERSION = 9


class Graph:
    """An ONNX graph under construction; operators return the name of their output."""

    def __init__(self, name: str, opset: int = OPSET) -> None:
        self._name, self._opset = name, opset
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> str:
        """An input; a name in place of a number leaves that dimension open."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, value: npt.ArrayLike) -> str:
        """``value`` as an initializer (floats as float32, bytes as they are, other whole numbers as int64), stored
        once."""
        array = np.ascontiguousarray(value)
        if array.dtype != np.uint8:
            array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        array = array.reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def op(self, kind: str, *inputs: str | npt.ArrayLike, **attributes: Any) -> str:
        """One operator; inputs are names, or values that become constants."""
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        output = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def output(
        self, name: str, value: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT
    ) -> None:
        """Hand ``value`` out under ``name``."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def build(self) -> onnx.ModelProto:
        """The finished, checked model."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self._opset)], producer_name="keywarp"
        )
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        return model
