# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks with stand-in weights, as folders that users have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.tha.teacher_layout import SEPARABLE, Form

State = dict[str, dict[str, np.ndarray]]
FAR = 0.045
"""Root mean square of a flow, in units in which the picture is 2 wide: as far as the published student ``lambda_00``
moves its figure when the body leans all the way, the farthest that any of its six channels takes it."""


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
def moving(recipe: ModuleType) -> Callable[[Form, State, float], Any]:
    """The networks with such weights, except that those that make a flow are scaled until it is so far."""
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tha.teacher_torch import Teacher

    def make(form: Form, state: State, far: float = FAR) -> Any:
        def scale(module: Any, inputs: Any, answer: Any) -> Any:
            flow = slice(4, 6) if module.out_channels == 7 else slice(0, 2)
            share = far / answer[:, flow].square().mean().sqrt()
            for parameter in module.parameters():
                parameter[flow] *= share
            answer[:, flow] *= share
            return answer

        teacher = Teacher(form).load(state)
        heads = [x for x in teacher.modules() if isinstance(x, torch.nn.Conv2d) and x.out_channels in (2, 7)]
        assert len(heads) == 4
        hooks = [head.register_forward_hook(scale) for head in heads]
        with torch.no_grad():
            teacher(torch.from_numpy(recipe.image(512, 4)[None]), torch.from_numpy(recipe.pose(45, 1)[None]))
        for hook in hooks:
            hook.remove()
        return teacher

    return make


@pytest.fixture(scope="session")
def calmed(moving: Callable[[Form, State, float], Any]) -> Callable[[Form, State], Any]:
    """The networks with such weights, except that they draw next to nothing, and move the picture by little, as
    stand-in weights give each pixel a flow of its own: what comes out is the picture, not in shreds."""

    def make(form: Form, state: State) -> Any:
        state = {network: dict(tensors) for network, tensors in state.items()}
        for tensors in state.values():
            for name, value in tensors.items():
                if "alpha" in name and name.endswith("weight"):
                    tensors[name] = value * np.float32(0.05)
                if "alpha" in name and name.endswith("bias"):
                    # The decomposer's alpha says how much of the picture the brows' layer keeps.
                    tensors[name] = np.full_like(value, 12 if name.startswith("eyebrow_layer") else -12)
                if name in ("body.last.2.weight", "body.last.2.bias"):  # THA4: the last of seven channels
                    tensors[name] = np.concatenate([value[:6], value[6:] * np.float32(0.05)])
                if name == "body.last.2.bias":
                    tensors[name][6] = -12
        return moving(form, state, FAR / 10)

    return make


@pytest.fixture(scope="session")
def calm_teacher(separable: State, calmed: Callable[[Form, State], Any]) -> Any:
    return calmed(SEPARABLE, separable)


@pytest.fixture(scope="session")
def calm(calm_teacher: Any) -> State:
    """Its weights."""
    networks = {name: calm_teacher.get_submodule(name) for name in SEPARABLE.networks}
    return {
        name: {k: v.numpy() for k, v in network.state_dict().items()} for name, network in networks.items()
    }


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
