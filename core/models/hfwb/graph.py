# SPDX-License-Identifier: GPL-3.0-or-later
"""HFWB as ONNX: both stages in one graph, from a picture and a pose to a Motion. Needs PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from keywarp.core.models.blocks import to_linear, to_network
from keywarp.core.models.exported import MOTION_FILE
from keywarp.core.models.hfwb.answer import painted
from keywarp.core.models.hfwb.networks import Hfwb
from keywarp.core.models.hfwb.settings import Settings
from keywarp.core.models.onnx_export import export_onnx
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.spaces import space


class _Whole(nn.Module):
    def __init__(self, model: Hfwb) -> None:
        super().__init__()
        self.model = model

    def forward(self, rest: Tensor, pose: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        picture = to_network(rest)
        out = self.model(picture, pose)
        return to_linear(out["image"]), out["flow"], painted(picture, out["face"], out["flow"])


def graphs(recipe: Recipe, weights: Mapping[str, Any]) -> dict[str, onnx.ModelProto]:
    """The files of an exported model (see ``core.models.exported``); ``weights``: by ``NETWORK.TENSOR``."""
    poses = space(recipe.space)
    model = Hfwb(Settings.of(recipe), recipe.space, torch.from_numpy(poses.rest()).float())
    state = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    model.load_state_dict(state)
    inputs = {
        "rest": torch.zeros(1, 4, recipe.side, recipe.side),
        "pose": model.rest[None].clone(),  # type: ignore[index]
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MOTION_FILE
        export_onnx(_Whole(model), inputs, ("image", "flow", "painted"), path)
        return {MOTION_FILE: onnx.load(str(path))}
