# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's checkpoints on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keywarp.core.head import HeadTarget
from keywarp.core.models.animo.layout import DOMAINS, Form, Shape, form_of, network_shapes
from keywarp.core.models.animo.pose_mapping import PoseMapping, mapping_for
from keywarp.core.models.base import Animator, ModelInfo
from keywarp.core.models.checkpoint import Array, Checkpoint, read_checkpoint
from keywarp.core.models.weights import ask_for_torch, fault_in, weight_bytes
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.progress import report
from keywarp.core.runtime.session import Device
from keywarp.keyframes.errors import KeywarpError

EXPORT = 1
"""Raised whenever the graphs change, so that older exports are not used."""
LICENCE = "not stated by the authors"
CREDIT = "AniMo of AnimeCeleb (Kim, Park, Lee et al.)"
SUFFIXES = (".ckpt", ".pt", ".pth")
SIDE = 256
HEAD = HeadTarget(0.0, 0.0, 1.1)
"""Where AnimeCeleb's pictures have the head."""
ANIME = DOMAINS[0]

State = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class AniMoSource:
    """A checkpoint, read and recognised."""

    info: ModelInfo
    form: Form
    state: State
    mapping: PoseMapping

    def open(self, device: Device) -> Animator:
        from keywarp.core.models.animo.animator import AniMoAnimator

        return AniMoAnimator(self.info, self.export(), device, self.mapping)

    def export(self) -> Path:
        """The folder of ONNX graphs of the anime domain, made when it is not there yet."""
        return cached_folder(f"animo-{EXPORT}-{ANIME}-{self.info.side}-{self.info.content}", self._write)

    def _write(self, folder: Path) -> None:
        ask_for_torch(self.info.source)
        from keywarp.core.models.animo.export import write_graphs

        report("exporting", 0.0)
        write_graphs(self.state, ANIME, self.info.side, folder)


def find_animo(path: Path) -> AniMoSource | None:
    """The model that a checkpoint, or a folder with one, holds; ``None`` where it is of another kind."""
    if path.is_dir():
        files = sorted(path.glob("*.ckpt"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            raise KeywarpError(f"{path} holds {len(files)} checkpoints ({names}); name one of them")
        return find_animo(files[0]) if files else None
    if not path.name.endswith(SUFFIXES) or path.name.endswith(".pth.tar"):
        return None
    networks = tuple(network_shapes(Form()))
    content = read_checkpoint(path, lambda name: name == "state_dict" or name.startswith(networks))
    state = _by_network(content, networks)
    if len(state) < 2 and "mapping_net" not in state:
        return None
    form = _checked(path, state, networks)
    mapping = mapping_for(path)
    info = ModelInfo(
        family="animo",
        form=f"AniMo, anime domain, pose mapping: {mapping.origin}",
        space="animeceleb20",
        side=SIDE,
        parameters=sum(np.size(x) for each in state.values() for x in each.values()),
        licence=LICENCE,
        credit=CREDIT,
        source=path.name,
        content=content_hash([*weight_bytes(state), np.ascontiguousarray(mapping.matrix).tobytes()]),
        head=HEAD,
    )
    return AniMoSource(info, form, state, mapping)


def _by_network(content: Checkpoint, networks: tuple[str, ...]) -> dict[str, dict[str, Array]]:
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


def _checked(path: Path, state: dict[str, dict[str, Array]], networks: tuple[str, ...]) -> Form:
    """The form of a checkpoint that is whole; raises ``KeywarpError`` that says what it looks like."""
    missing = [name for name in networks if name not in state]
    if missing:
        raise KeywarpError(
            f"{path} looks like an AniMo checkpoint, but its {' and '.join(missing)} is missing"
        )
    shapes: dict[str, dict[str, Shape]] = {
        network: {name: np.shape(value) for name, value in each.items()} for network, each in state.items()
    }
    form = form_of(shapes) or Form()
    for network, expected in network_shapes(form).items():
        fault = fault_in(state[network], expected)
        if fault:
            raise KeywarpError(f"{path} looks like an AniMo checkpoint, but in its {network} {fault}")
    return form
