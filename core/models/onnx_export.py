# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch modules to ONNX files, for every family: static shapes, one file, nothing that a GPU's provider lacks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from keywarp.core.runtime.graph import DEVICE_OPSET


def export_onnx(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    """Trace ``module``, called with the values of ``inputs`` in order, and write it to ``path``.

    The graph's inputs and outputs have these names and the shapes of this one call.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns of itself, and of sizes that are constants here on purpose.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=DEVICE_OPSET,
            dynamo=False,
        )
