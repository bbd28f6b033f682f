# SPDX-License-Identifier: GPL-3.0-or-later
"""What families share whose authors published checkpoints of several networks: one file, tensors by network; and the
folders of graphs that ``keywarp export`` makes of the same networks trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.core.models.checkpoint import Array, Checkpoint
from keywarp.core.models.exported import CARD_FILE, Card, graph_shapes, read_card
from keywarp.core.models.weights import Shape, ask_for_torch, fault_in
from keywarp.core.runtime.cache import cache_folder, cached_folder
from keywarp.core.runtime.digest import file_facts
from keywarp.core.runtime.progress import report
from keywarp.keyframes.errors import KeywarpError

#: Tensors by name, by network.
State = Mapping[str, Mapping[str, Array]]


def one_checkpoint(folder: Path, pattern: str) -> Path | None:
    """The folder's checkpoint, if it has any; raises ``KeywarpError`` where it has several."""
    files = sorted(folder.glob(pattern))
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise KeywarpError(f"{folder} holds {len(files)} checkpoints ({names}); name one of them")
    return files[0] if files else None


def by_network(content: Checkpoint, networks: Sequence[str]) -> dict[str, dict[str, Array]]:
    """The tensors of a Lightning checkpoint, or of a plain or nested state dict, by network; others are left out."""
    flat = content.get("state_dict", content)
    state: dict[str, dict[str, Array]] = {}
    for name, value in flat.items() if isinstance(flat, Mapping) else ():
        network, _, tensor = str(name).partition(".")
        if network in networks and isinstance(value, Mapping):
            state[network] = {str(k): v for k, v in value.items() if isinstance(v, np.ndarray)}
        elif network in networks and isinstance(value, np.ndarray):
            state.setdefault(network, {})[tensor] = value
    return state


def shapes_of(state: State) -> dict[str, dict[str, Shape]]:
    """Names and shapes by network."""
    return {
        network: {name: np.shape(value) for name, value in each.items()} for network, each in state.items()
    }


def parameters_of(state: State) -> int:
    """How many numbers there are."""
    return sum(int(np.size(value)) for each in state.values() for value in each.values())


def expect_whole(path: Path, system: str, state: State, expected: Mapping[str, Mapping[str, Shape]]) -> None:
    """Raises ``KeywarpError`` where a network lacks tensors, has others, or wrong shapes."""
    missing = [network for network in expected if network not in state]
    if missing:
        raise KeywarpError(f"{path} looks like {system}, but its {' and '.join(missing)} is missing")
    for network, shapes in expected.items():
        fault = fault_in(state[network], shapes)
        if fault:
            raise KeywarpError(f"{path} looks like {system}, but in its {network} {fault}")


@dataclass(frozen=True)
class Recognised:
    """What is known of a checkpoint that is whole."""

    settings: Mapping[str, Any]
    """Of its networks: what the family's form is made from."""
    parameters: int
    content: str
    """Hash of the networks' tensors."""


def recognised(path: Path, kind: str, recognise: Callable[[], Recognised | None]) -> Recognised | None:
    """What ``recognise`` reads of a checkpoint, which takes reading all of it; it is kept (``core.runtime.digest``).
    ``None``: it is another system's.

    ``kind``: the family, and a number that is raised whenever it would read something else.
    """

    def fits(told: Any) -> bool:
        try:
            _recalled(told)
        except (KeyError, TypeError):
            return False
        return True

    def made() -> dict[str, Any] | None:
        found = recognise()
        return None if found is None else vars(found)

    told = file_facts(path, cache_folder() / "hashes", kind, made, fits)
    return None if told is None else _recalled(told)


def _recalled(told: Any) -> Recognised:
    return Recognised(dict(told["settings"]), int(told["parameters"]), str(told["content"]))


def graphs_of(name: str, source: str, write: Callable[[Path], None]) -> Path:
    """The folder of graphs called ``name`` in the cache, filled by ``write``, with PyTorch, where it is not there."""

    def make(folder: Path) -> None:
        ask_for_torch(source)
        report("exporting", 0.0)
        write(folder)

    return cached_folder(name, make)


def trained_folder(path: Path, family: str, files: Mapping[str, Sequence[str]]) -> tuple[Path, Card] | None:
    """The folder that ``keywarp export`` made of a run of this family, and its card; else ``None``.

    ``files``: those that belong there, and what those that are graphs answer with at least. Raises ``KeywarpError``
    where one is missing or another.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name not in (CARD_FILE, *files):
        return None
    card = read_card(folder / CARD_FILE)
    if card is None or card.family != family:
        return None
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise KeywarpError(f"{folder} has a card of {family}, but {missing[0]} beside it is missing")
    for name, answers in files.items():
        if answers:
            _expect_graph(folder / name, card, answers)
    return folder, card


def _expect_graph(path: Path, card: Card, answers: Sequence[str]) -> None:
    """Raises ``KeywarpError`` where the graph does not answer so, or is for other pictures than the card."""
    takes, gives = graph_shapes(path)
    if not set(answers) <= gives.keys():
        raise KeywarpError(
            f"{path} is not that of {card.family}: it gives {', '.join(gives) or 'nothing'} instead of "
            f"{', '.join(answers)}"
        )
    size = takes.get("picture", ())[2:]
    if size not in ((), (card.side, card.side)):
        raise KeywarpError(f"{path} is for pictures of {size[0]} pixels, the card beside it for {card.side}")


def nested(weights: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Weights by ``NETWORK.TENSOR`` as tensors by name, by network."""
    state: dict[str, dict[str, Array]] = {}
    for name, value in weights.items():
        network, _, tensor = name.partition(".")
        state.setdefault(network, {})[tensor] = value
    return state
