# SPDX-License-Identifier: GPL-3.0-or-later
"""What families ask of weights that they have recognised: are they whole, and which are they."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

import numpy as np

from keywarp.core.models.checkpoint import Array
from keywarp.keyframes.errors import MissingExtraError

Shape = tuple[int, ...]


def fault_in(tensors: Mapping[str, Array], expected: Mapping[str, Shape]) -> str | None:
    """What keeps a network's tensors from having these names and shapes, and finite numbers; ``None``: nothing."""
    missing = [name for name in expected if name not in tensors]
    if missing:
        return f"{len(missing)} of {len(expected)} tensors are missing, the first is {missing[0]}"
    for name, shape in expected.items():
        if np.shape(tensors[name]) != shape:
            return f"{name} has the shape {np.shape(tensors[name])} instead of {shape}"
    if len(tensors) > len(expected):
        return f"there are {len(tensors) - len(expected)} tensors too many"
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            return f"{name} holds numbers that are not finite"
    return None


def weight_bytes(state: Mapping[str, Mapping[str, Array]]) -> Iterator[bytes]:
    """Names and contents of all tensors, by network, in an order of their own: what a content hash is made of."""
    for network in sorted(state):
        for name in sorted(state[network]):
            yield f"{network}.{name}".encode()
            yield np.ascontiguousarray(state[network][name]).tobytes()


def ask_for_torch(source: str) -> None:
    """Raises ``MissingExtraError`` where there is no PyTorch to turn the weights of ``source`` into graphs with."""
    if find_spec("torch") is None:
        raise MissingExtraError(
            f"{source} has to be turned into ONNX graphs once, which needs PyTorch: install keywarp[torch]; it runs "
            "without from then on",
            "torch",
        )
