# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM with stand-in weights: of the published size, and a narrow one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

State = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def vox_state(recipe: ModuleType, reference: Path) -> State:
    """The published checkpoint's layout, filled."""
    state: State = recipe.state_dict(reference / "tpsmm_vox.keys.json")
    return state


@pytest.fixture(scope="session")
def narrow_state(recipe: ModuleType) -> State:
    """Every block of the paper, only narrower; for pictures of 128 pixels."""
    from keywarp.core.models.tpsmm.layout import Form, network_shapes

    form = Form(2, True, True, 8, 8, 32, 3, 8, 32, 3, True, 16)

    def filled(name: str, shape: tuple[int, ...]) -> np.ndarray:
        value: np.ndarray = recipe.fill(name, shape, "int64" if name.endswith("tracked") else "float32")
        return value

    return {
        network: {name: filled(name, shape) for name, shape in shapes.items()}
        for network, shapes in network_shapes(form).items()
    }


def as_checkpoint(path: Path, state: State, **more: Any) -> Path:
    """``state`` as the authors' program saves it."""
    import torch

    tensors = {n: {k: torch.from_numpy(np.asarray(v)) for k, v in each.items()} for n, each in state.items()}
    torch.save({**tensors, **more}, path)
    return path


@pytest.fixture(scope="session")
def narrow_file(narrow_state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow checkpoint with what a training run keeps beside the networks."""
    import torch

    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.ones(5)}}, "param_groups": [{"lr": 1e-4}]}
    folder = tmp_path_factory.mktemp("weights")
    return as_checkpoint(folder / "tiny.pth.tar", narrow_state, optimizer=optimizer, epoch=3)
