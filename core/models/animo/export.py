# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's networks of one domain as ONNX graphs: what depends on the picture alone, and one pose of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from keywarp.core.models.animo.layout import COEFFICIENTS, DOMAINS, EXPRESSIONS, POSE
from keywarp.core.models.animo.loading import networks_of
from keywarp.core.models.animo.networks import AniMo, backward_map, resized_map
from keywarp.core.models.animo.pose_mapping import MAPPING_FILE
from keywarp.core.models.animo.settings import MAPPING
from keywarp.core.models.checkpoint import Array
from keywarp.core.models.onnx_export import export_onnx
from keywarp.core.models.published import nested

CHECKPOINT = "trained.ckpt"


class Pose(nn.Module):
    """A pose (1, 70) to the edited picture and the backward map at its size."""

    def __init__(self, networks: AniMo, domain: str) -> None:
        super().__init__()
        self.mapping = networks.mapping_net
        self.warping, self.editing = networks.warping(domain), networks.editing(domain)

    def forward(self, picture: Tensor, pose: Tensor, *maps: Tensor) -> tuple[Tensor, Tensor]:
        code = self.mapping(pose)
        grid = backward_map(self.warping(picture, code))
        output = self.editing(list(maps), grid, code)
        return output, resized_map(grid, picture.shape[2], picture.shape[3])


class Source(nn.Module):
    """A picture to the editing encoder's maps."""

    def __init__(self, networks: AniMo, domain: str) -> None:
        super().__init__()
        self.encoder = networks.editing(domain).encoder

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.encoder(picture))


def write_graphs(state: Mapping[str, Mapping[str, Array]], domain: str, side: int, folder: Path) -> None:
    """``source.onnx`` and ``pose.onnx`` for pictures of ``side`` x ``side``."""
    networks = networks_of(state)
    picture = torch.zeros(1, 3, side, side)
    names = [f"map_{i}" for i in range(networks.form.editing_layers + 1)]
    source = Source(networks, domain)
    export_onnx(source, {"picture": picture}, names, folder / "source.onnx")
    with torch.no_grad():
        maps = source(picture)
    given = {"picture": picture, "pose": torch.zeros(1, POSE), **dict(zip(names, maps, strict=True))}
    export_onnx(Pose(networks, domain), given, ["output", "grid"], folder / "pose.onnx")


def trained_files(weights: Mapping[str, Array], side: int) -> dict[str, bytes]:
    """Everything of a trained model by file name: the graphs of the anime domain, its pose mapping; and the weights
    of both domains, given by ``NETWORK.TENSOR``, as the authors' program keeps them."""
    state = nested(weights)
    matrix = state.pop(MAPPING)["matrix"][:EXPRESSIONS, :COEFFICIENTS]
    with TemporaryDirectory() as folder:
        write_graphs(state, DOMAINS[0], side, Path(folder))
        files = {file.name: file.read_bytes() for file in sorted(Path(folder).glob("*.onnx"))}
    flat = {f"{n}.{k}": torch.from_numpy(np.array(v)) for n, each in state.items() for k, v in each.items()}
    stored, mapped = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": flat}, stored)
    np.save(mapped, np.ascontiguousarray(matrix))
    return {**files, CHECKPOINT: stored.getvalue(), MAPPING_FILE: mapped.getvalue()}
