# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyVtuber's exports of the five networks, cut where keywarp's pictures go in and come out.

Its first graph begins with eight-bit pixels and its last one ends with them, and the latter keeps to itself where
each pixel comes from. What is needed stands inside, in the form that the published networks have (see
``body_torch``): the prepared picture is an answer of the first graph, and the last one samples the picture at
``identity grid + flow``, times ``1 - alpha``, plus what it draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from onnx import helper, shape_inference

from keywarp.core.models.tha.teacher_layout import SIDE
from keywarp.keyframes.errors import KeywarpError

PREPARED = "image_prepared"
MAX_BYTES = 1 << 31
_SAME_NUMBERS = ("Cast", "Identity", "Reshape", "Transpose")
"""Operators that change how numbers are written or arranged, not what they are."""

Shapes = dict[str, tuple[int, ...]]


def read_graph(path: Path) -> onnx.ModelProto:
    """Raises ``KeywarpError`` where the file is no ONNX model, or too large for one."""
    if path.stat().st_size > MAX_BYTES:
        raise KeywarpError(f"{path} is larger than {MAX_BYTES >> 30} GiB")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises several kinds for what is no graph
        raise KeywarpError(f"{path} is no whole ONNX file ({type(error).__name__})") from None
    if not model.graph.node:
        raise KeywarpError(f"{path} is no ONNX file: it holds no graph")
    return model


def declared(values: Sequence[onnx.ValueInfoProto]) -> Shapes:
    return {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim) for value in values
    }


def from_prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The first graph from the prepared picture on; one that takes it as it is already stays so."""
    prepared = [value for value in model.graph.output if value.name == PREPARED]
    outputs = [value for value in model.graph.output if value.name != PREPARED]
    return _part(model, prepared, outputs) if prepared else model


def with_formation(model: onnx.ModelProto) -> onnx.ModelProto:
    """The last graph, answering with ``image``, ``warped`` and ``flow`` instead; raises ``ValueError`` where it forms
    no picture as these networks do."""
    names = _formation(model.graph)
    inferred = shape_inference.infer_shapes(model).graph
    types = {value.name: value.type for value in (*inferred.value_info, *inferred.output)}
    outputs = []
    out = onnx.ModelProto()
    out.CopyFrom(model)
    for name, inside in names.items():
        shape = (1, 2 if name == "flow" else 4, SIDE, SIDE)
        found = (
            tuple(side.dim_value for side in types[inside].tensor_type.shape.dim) if inside in types else ()
        )
        # 0 stands for a side that cannot be told from the graph alone.
        if len(found) != 4 or any(side not in (0, wanted) for side, wanted in zip(found, shape, strict=True)):
            raise ValueError
        out.graph.node.append(helper.make_node("Identity", [inside], [name], name=f"keywarp_{name}"))
        outputs.append(helper.make_tensor_value_info(name, types[inside].tensor_type.elem_type, shape))
    return _part(out, list(model.graph.input), outputs)


def _formation(graph: onnx.GraphProto) -> Mapping[str, str]:
    """Which tensors are the formed picture, the warped one, and the flow."""
    made_by = {name: node for node in graph.node for name in node.output}
    moving = _moving(graph)
    for node in graph.node:
        if node.op_type != "GridSample":
            continue
        grid = _origin(node.input[1], made_by)
        added = made_by.get(grid)
        flows = [name for name in added.input if name in moving] if added and added.op_type == "Add" else []
        images = [
            add.output[0]
            for warped in _rewritten(node.output[0], graph)
            for mul in _takers(warped, graph, "Mul")
            for product in _rewritten(mul.output[0], graph)
            for add in _takers(product, graph, "Add")
        ]
        if len(flows) == 1 and images:
            return {"image": images[0], "warped": node.output[0], "flow": _origin(flows[0], made_by)}
    raise ValueError


def _moving(graph: onnx.GraphProto) -> set[str]:
    """The tensors that depend on what is in an input of the graph; its shape is fixed."""
    moving = {value.name for value in graph.input} - {value.name for value in graph.initializer}
    for node in graph.node:
        if node.op_type != "Shape" and moving.intersection(node.input):
            moving.update(node.output)
    return moving


def _origin(name: str, made_by: Mapping[str, onnx.NodeProto]) -> str:
    """The tensor of which ``name`` is another arrangement."""
    while name in made_by and made_by[name].op_type in _SAME_NUMBERS:
        name = made_by[name].input[0]
    return name


def _rewritten(name: str, graph: onnx.GraphProto) -> Iterator[str]:
    """``name``, and what only writes its numbers in another precision."""
    yield name
    for cast in _takers(name, graph, "Cast"):
        yield from _rewritten(cast.output[0], graph)


def _takers(name: str, graph: onnx.GraphProto, operator: str) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type == operator and name in node.input]


def _part(
    model: onnx.ModelProto, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """The model between these tensors; inputs that nothing takes any more are left out."""
    given = {value.name for value in inputs}
    needed = {value.name for value in outputs}
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output) - given:
            nodes.append(node)
            needed.update(node.input)
    graph = helper.make_graph(
        nodes[::-1],
        model.graph.name or "part",
        [value for value in inputs if value.name in needed],
        list(outputs),
        [value for value in model.graph.initializer if value.name in needed],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
