# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained network as an ONNX file. Needs PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from keywarp.core.models.blocks import to_network
from keywarp.core.models.exported import PREPARE_FILE
from keywarp.core.models.ldi.learner import LEARNING
from keywarp.core.models.ldi.networks import RigNet
from keywarp.core.models.ldi.settings import Settings
from keywarp.core.models.onnx_export import export_onnx
from keywarp.core.models.torch_weights import with_weights
from keywarp.core.training.recipe import Recipe

_SMALL = 1024
"""Numbers of a tensor up to which it stays in single precision."""


class _Prepare(nn.Module):
    def __init__(self, rig: RigNet) -> None:
        super().__init__()
        self.rig = rig

    def forward(self, rest: Tensor) -> tuple[Tensor, Tensor]:
        out = self.rig(to_network(rest))
        return out["fields"], out["joints"]


def graphs(recipe: Recipe, weights: Mapping[str, Any]) -> dict[str, onnx.ModelProto]:
    """The files of an exported model; see ``files``."""
    own = {name.removeprefix(f"{LEARNING}."): np.asarray(value) for name, value in weights.items()}
    module = with_weights(_Prepare(RigNet(Settings.of(recipe))), {LEARNING: own})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PREPARE_FILE
        rest = torch.zeros(1, 4, recipe.side, recipe.side)
        export_onnx(module, {"rest": rest}, ["fields", "joints"], path)
        return {PREPARE_FILE: _halved(onnx.load(str(path)))}


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with its weights stored in half precision and computed in single: half the file."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) <= _SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half")
        )
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    return model
