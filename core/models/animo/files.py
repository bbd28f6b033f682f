# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's checkpoints on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from keywarp.core.head import HeadTarget
from keywarp.core.models.animo.layout import DOMAINS, Form, form_of, network_shapes
from keywarp.core.models.animo.pose_mapping import MAPPING_FILE, PoseMapping, mapping_for, read_matrix
from keywarp.core.models.base import Animator, ModelInfo
from keywarp.core.models.checkpoint import SUFFIXES, read_checkpoint
from keywarp.core.models.published import (
    Recognised,
    State,
    by_network,
    expect_whole,
    graphs_of,
    one_checkpoint,
    parameters_of,
    recognised,
    shapes_of,
    trained_folder,
)
from keywarp.core.models.weights import weight_bytes
from keywarp.core.runtime.cache import content_hash
from keywarp.core.runtime.session import Device

READING = 1
"""Raised whenever something else is read of a checkpoint, so that what was kept of it is not used."""
EXPORT = 1
"""Raised whenever the graphs change, so that older exports are not used."""
LICENCE = "not stated by the authors"
CREDIT = "AniMo of AnimeCeleb (Kim, Park, Lee et al.)"
SIDE = 256
HEAD = HeadTarget(0.0, 0.0, 1.1)
"""Where AnimeCeleb's pictures have the head."""
ANIME = DOMAINS[0]
GRAPHS: Mapping[str, tuple[str, ...]] = {"source.onnx": ("map_0",), "pose.onnx": ("output", "grid")}
"""What each of them answers with at least."""


@dataclass(frozen=True)
class AniMoSource:
    """A checkpoint, recognised."""

    info: ModelInfo
    checkpoint: Path | None
    """``None`` where there are graphs."""
    mapping: PoseMapping
    graphs: Path | None = None
    """A folder of graphs that were trained here, which need no export."""

    def open(self, device: Device) -> Animator:
        from keywarp.core.models.animo.animator import AniMoAnimator

        return AniMoAnimator(self.info, self.export(), device, self.mapping)

    def export(self) -> Path:
        """The folder of ONNX graphs of the anime domain, made when it is not there yet."""
        if self.graphs is not None:
            return self.graphs
        name = f"animo-{EXPORT}-{ANIME}-{self.info.side}-{self.info.content}"
        return graphs_of(name, self.info.source, self._write)

    @property
    def state(self) -> State:
        """The checkpoint's weights, read."""
        return {} if self.checkpoint is None else _weights(self.checkpoint)

    def _write(self, folder: Path) -> None:
        from keywarp.core.models.animo.export import write_graphs

        write_graphs(self.state, ANIME, self.info.side, folder)


def find_animo(path: Path) -> AniMoSource | None:
    """The model that a checkpoint, or a folder with one, holds; ``None`` where it is of another kind."""
    trained = trained_folder(path, "animo", {**GRAPHS, MAPPING_FILE: ()})
    if trained is not None:
        folder, card = trained
        info = card.info(folder, (*GRAPHS, MAPPING_FILE))
        return AniMoSource(info, None, read_matrix(folder / MAPPING_FILE), folder)
    if path.is_dir():
        file = one_checkpoint(path, "*.ckpt")
        return find_animo(file) if file else None
    if not path.name.endswith(SUFFIXES):
        return None
    found = recognised(path, f"animo {READING}", lambda: _recognise(path))
    if found is None:
        return None
    mapping = mapping_for(path)
    info = ModelInfo(
        family="animo",
        form=f"AniMo, anime domain, pose mapping: {mapping.origin}",
        space="animeceleb20",
        side=SIDE,
        parameters=found.parameters,
        licence=LICENCE,
        credit=CREDIT,
        source=path.name,
        content=content_hash([found.content.encode(), np.ascontiguousarray(mapping.matrix).tobytes()]),
        head=HEAD,
    )
    return AniMoSource(info, path, mapping)


def _weights(path: Path) -> State:
    networks = tuple(network_shapes(Form()))
    content = read_checkpoint(path, lambda name: name == "state_dict" or name.startswith(networks))
    return by_network(content, networks)


def _recognise(path: Path) -> Recognised | None:
    """Raises ``KeywarpError`` where the checkpoint looks like this system's but is not whole."""
    state = _weights(path)
    if len(state) < 2 and "mapping_net" not in state:
        return None
    form = form_of(shapes_of(state)) or Form()
    expect_whole(path, "an AniMo checkpoint", state, network_shapes(form))
    return Recognised(asdict(form), parameters_of(state), content_hash(weight_bytes(state)))
