# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM as ONNX graphs: keypoints of a picture, what depends on the source alone, and one pose of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.checkpoint import Array
from keywarp.core.models.onnx_export import export_onnx
from keywarp.core.models.published import nested, shapes_of
from keywarp.core.models.tpsmm.layout import POINTS, REDUCTION, Form, form_of
from keywarp.core.models.tpsmm.loading import networks_of
from keywarp.core.models.tpsmm.networks import Tpsmm
from keywarp.core.models.tpsmm.tps import ThinPlateSpline, resized_grid

CHECKPOINT, CONFIGURATION = "trained.pth.tar", "trained.yaml"


class Source(nn.Module):
    """The source picture to what every pose of it needs: itself reduced, and the inpainting encoder's maps."""

    def __init__(self, networks: Tpsmm) -> None:
        super().__init__()
        self.down = networks.dense_motion_network.down
        self.inpainting = networks.inpainting_network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        return (self.down(picture), *self.inpainting.encode(picture))


class Pose(nn.Module):
    """Keypoints and the splines through them to the picture, the backward map, and the occlusion mask at its size."""

    def __init__(self, networks: Tpsmm) -> None:
        super().__init__()
        self.dense, self.inpainting = networks.dense_motion_network, networks.inpainting_network

    def forward(
        self,
        picture: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        weights: Tensor,
        affine: Tensor,
        reduced: Tensor,
        *maps: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        groups = (1, self.dense.form.splines, POINTS, 2)
        spline = ThinPlateSpline(driving_points.view(groups), weights, affine)
        motion = self.dense.combine(reduced, source_points, driving_points, spline)
        answer = self.inpainting(picture, list(maps), motion)
        size = (picture.shape[2], picture.shape[3])
        grid = resized_grid(motion.deformation, *size)
        mask = functional.interpolate(motion.masks[-1], size=size, mode="bilinear", align_corners=False)
        return answer.prediction, grid, mask


def map_names(form: Form) -> list[str]:
    """The graphs' names for the encoder's maps."""
    return [f"map_{i}" for i in range(form.inpainting_depth + 1)]


def write_graphs(state: Mapping[str, Mapping[str, Array]], side: int, folder: Path) -> None:
    """``keypoints.onnx``, ``source.onnx``, ``pose.onnx`` and, where there is one, ``avd.onnx``, for pictures of
    ``side`` x ``side``."""
    networks = networks_of(state)
    form, picture = networks.form, torch.zeros(1, 3, side, side)
    points = torch.rand(1, form.keypoints, 2)
    export_onnx(networks.kp_detector, {"picture": picture}, ["points"], folder / "keypoints.onnx")
    names = map_names(form)
    source = Source(networks)
    export_onnx(source, {"picture": picture}, ["reduced", *names], folder / "source.onnx")
    with torch.no_grad():
        maps = networks.inpainting_network.encode(picture)
    given = {
        "picture": picture,
        "source_points": points,
        "driving_points": points,
        "weights": torch.zeros(1, form.splines, POINTS, 2),
        "affine": torch.zeros(1, form.splines, 3, 2),
        "reduced": torch.zeros(1, 3, side // REDUCTION, side // REDUCTION),
        **dict(zip(names, maps, strict=True)),
    }
    export_onnx(Pose(networks), given, ["prediction", "grid", "mask"], folder / "pose.onnx")
    if networks.avd_network is not None:
        pair = {"source_points": points, "driving_points": points}
        export_onnx(networks.avd_network, pair, ["points"], folder / "avd.onnx")


def trained_files(weights: Mapping[str, Array], side: int) -> dict[str, bytes]:
    """Everything of a trained model by file name: the graphs; and the weights, given by ``NETWORK.TENSOR``, as
    the authors' program keeps them, with its configuration."""
    state = nested(weights)
    with TemporaryDirectory() as folder:
        write_graphs(state, side, Path(folder))
        files = {file.name: file.read_bytes() for file in sorted(Path(folder).glob("*.onnx"))}
    tensors = {n: {k: torch.from_numpy(np.array(v)) for k, v in each.items()} for n, each in state.items()}
    stored = io.BytesIO()
    torch.save(tensors, stored)
    form = form_of(shapes_of(state))
    assert form is not None
    return {**files, CHECKPOINT: stored.getvalue(), CONFIGURATION: configuration(form, side).encode()}


def configuration(form: Form, side: int) -> str:
    """The authors' YAML file for a form, as far as their program needs it to run the weights; a narrower
    ``encoder_width`` than the published one it does not know."""
    content = {
        "dataset_params": {"frame_shape": [side, side, 3]},
        "model_params": {
            "common_params": {
                "num_tps": form.splines,
                "num_channels": 3,
                "bg": form.background,
                "multi_mask": form.many_masks,
            },
            "generator_params": {
                "block_expansion": form.inpainting_width,
                "max_features": form.inpainting_limit,
                "num_down_blocks": form.inpainting_depth,
            },
            "dense_motion_params": {
                "block_expansion": form.motion_width,
                "max_features": form.motion_limit,
                "num_blocks": form.motion_depth,
                "scale_factor": 1 / REDUCTION,
            },
            "avd_network_params": {"id_bottle_size": form.bottleneck, "pose_bottle_size": form.bottleneck},
        },
    }
    return yaml.safe_dump(content, sort_keys=False)
