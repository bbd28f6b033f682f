# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks with stand-in weights, as folders that users have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

State = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def stand_in(recipe: ModuleType, reference: Path) -> Callable[[str], State]:
    """The published layout of this name, filled."""

    def fill(name: str) -> State:
        state: State = recipe.state_dict(reference / f"{name}.keys.json")
        return state

    return fill


@pytest.fixture(scope="session")
def separable(stand_in: Callable[[str], State]) -> State:
    return stand_in("tha3_separable")


@pytest.fixture(scope="session")
def calm(separable: State) -> State:
    """Weights whose flows are small, as trained ones' are, and that draw next to nothing: what comes out is the
    picture, moved."""
    state = {network: dict(tensors) for network, tensors in separable.items()}
    for tensors in state.values():
        for name, value in tensors.items():
            if "grid_change" in name:
                tensors[name] = value * np.float32(0.005)
            if "alpha" in name and name.endswith("weight"):
                tensors[name] = value * np.float32(0.05)
            if "alpha" in name and name.endswith("bias"):
                # The decomposer's alpha says how much of the picture the brows' layer keeps.
                tensors[name] = np.full_like(value, 12 if name.startswith("eyebrow_layer") else -12)
    return state


@pytest.fixture(scope="session")
def write_folder() -> Callable[[Path, State], Path]:
    """Saves networks as the authors' program does: a file each."""
    torch = pytest.importorskip("torch")

    def write(folder: Path, state: State) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for network, tensors in state.items():
            torch.save(
                {k: torch.from_numpy(np.array(v)) for k, v in tensors.items()}, folder / f"{network}.pt"
            )
        return folder

    return write


@pytest.fixture(scope="session")
def calm_folder(
    calm: State, write_folder: Callable[[Path, State], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write_folder(tmp_path_factory.mktemp("models") / "calm", calm)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
