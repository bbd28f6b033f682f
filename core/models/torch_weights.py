# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights, as arrays by network and name, into PyTorch modules of any family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from keywarp.core.models.checkpoint import Array

M = TypeVar("M", bound=nn.Module)


def with_weights(module: M, state: Mapping[str, Mapping[str, Array]]) -> M:
    """``module``, in evaluation mode, with the weights of its networks, {network: {tensor: array}}."""
    named = {f"{n}.{k}": torch.from_numpy(np.array(v)) for n, each in state.items() for k, v in each.items()}
    module.load_state_dict(named)
    return module.eval()
