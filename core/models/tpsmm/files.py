# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM's checkpoints on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from keywarp.core.driving import Driving
from keywarp.core.head import HeadTarget
from keywarp.core.models.base import Animator, ModelInfo, ModelSource
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
from keywarp.core.models.tpsmm.layout import REDUCTION, Form, form_of, network_shapes
from keywarp.core.models.weights import weight_bytes
from keywarp.core.runtime.cache import content_hash
from keywarp.core.runtime.session import Device
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

READING = 1
"""Raised whenever something else is read of a checkpoint, so that what was kept of it is not used."""
EXPORT = 2
"""Raised whenever the graphs change, so that older exports are not used."""
LICENCE = "not stated in the files; the authors' repository, which they come with, is MIT"
CREDIT = "Thin-Plate Spline Motion Model (Zhao and Zhang)"
REQUIRED = ("kp_detector", "dense_motion_network", "inpainting_network")
NETWORKS = (*REQUIRED, "bg_predictor", "avd_network")
SIDE = 256
"""Of the pictures that a checkpoint without a configuration is for."""
MAX_SIDE = 1024
FACE = HeadTarget(0.0, 0.05, 1.1)
"""Where VoxCeleb's crops have the head; other data (bodies, animals) fills its pictures."""
WHOLE_FIGURES = ("taichi", "ted", "mgif")

GRAPHS: Mapping[str, tuple[str, ...]] = {
    "keypoints.onnx": ("points",),
    "source.onnx": ("reduced",),
    "pose.onnx": ("prediction", "grid", "mask"),
}
"""What each of them answers with at least."""
AVD_GRAPH = "avd.onnx"


@dataclass(frozen=True)
class TpsmmSource:
    """A checkpoint, recognised."""

    info: ModelInfo
    avd: bool
    """Whether it has an avd network."""
    checkpoint: Path | None
    """``None`` where there are graphs."""
    driving: Driving | None = None
    graphs: Path | None = None
    """A folder of graphs that were trained here, which need no export."""

    def driven(self, driving: Driving) -> ModelSource:
        if driving.mode == "avd" and not self.avd:
            raise KeywarpError(
                f"{self.info.source} has no avd_network, which the mode avd needs; use relative"
            )
        if driving.best_frame and driving.mode != "relative":
            raise KeywarpError(f"the best frame is for the mode relative; {driving.mode} has no use for it")
        return replace(self, driving=driving)

    def open(self, device: Device) -> Animator:
        from keywarp.core.models.tpsmm.animator import TpsmmAnimator

        if self.driving is None:
            raise KeywarpError(
                f"{self.info.source} takes its motion from a driving video: name it with --driving, as `driving:` in "
                "the character file, or render a video in place of a clip"
            )
        return TpsmmAnimator(self.info, self.export(), device, self.driving)

    def export(self) -> Path:
        """The folder of ONNX graphs of this model, made when it is not there yet."""
        if self.graphs is not None:
            return self.graphs
        name = f"tpsmm-{EXPORT}-{self.info.side}-{self.info.content}"
        return graphs_of(name, self.info.source, self._write)

    @property
    def state(self) -> State:
        """The checkpoint's weights, read."""
        return {} if self.checkpoint is None else _weights(self.checkpoint)

    def _write(self, folder: Path) -> None:
        from keywarp.core.models.tpsmm.export import write_graphs

        write_graphs(self.state, self.info.side, folder)


def find_tpsmm(path: Path) -> TpsmmSource | None:
    """The model that a checkpoint, or a folder with one, holds; ``None`` where it is of another kind."""
    trained = trained_folder(path, "tpsmm", GRAPHS)
    if trained is not None:
        folder, card = trained
        files = [name for name in (*GRAPHS, AVD_GRAPH) if (folder / name).is_file()]
        return TpsmmSource(card.info(folder, files), AVD_GRAPH in files, None, graphs=folder)
    if path.is_dir():
        file = one_checkpoint(path, "*.pth.tar")
        return find_tpsmm(file) if file else None
    if not path.name.endswith(SUFFIXES):
        return None
    found = recognised(path, f"tpsmm {READING}", lambda: _recognise(path))
    if found is None:
        return None
    form = Form(**found.settings)
    config = _configuration(path)
    info = ModelInfo(
        family="tpsmm",
        form=f"TPSMM with {form.splines} thin-plate splines",
        space="driving",
        side=_side(config, REDUCTION << form.motion_depth),
        parameters=found.parameters,
        licence=LICENCE,
        credit=CREDIT,
        source=path.name,
        content=found.content,
        head=None if config is not None and config.name.startswith(WHOLE_FIGURES) else FACE,
    )
    return TpsmmSource(info, form.avd, path)


def _weights(path: Path) -> State:
    return by_network(read_checkpoint(path, lambda name: name in NETWORKS), NETWORKS)


def _recognise(path: Path) -> Recognised | None:
    """Raises ``KeywarpError`` where the checkpoint looks like one of these but is not whole."""
    state = _weights(path)
    if not set(REQUIRED) & set(state):
        return None
    form = _checked(path, state)
    return Recognised(asdict(form), parameters_of(state), content_hash(weight_bytes(state)))


def _checked(path: Path, state: State) -> Form:
    """The form of a checkpoint that is whole; raises ``KeywarpError`` that says what it looks like."""
    if [name for name in REQUIRED if name not in state] == ["dense_motion_network", "inpainting_network"]:
        raise KeywarpError(
            f"{path} looks like a checkpoint of FOMM or MRAA, TPSMM's ancestors, which keywarp does not read: "
            "it has keypoints, but no inpainting_network"
        )
    form = form_of(shapes_of(state))
    if form is None:
        form = Form(background="bg_predictor" in state, avd="avd_network" in state)
    expected = network_shapes(form)
    expect_whole(
        path, "a TPSMM checkpoint", state, {name: expected[name] for name in NETWORKS if name in expected}
    )
    return form


def _configuration(path: Path) -> Path | None:
    """The authors' YAML file beside a checkpoint, or in the folder ``config`` beside its own: ``vox-256.yaml`` for
    ``vox.pth.tar``."""
    stem = path.name.split(".")[0]
    for folder in (path.parent, path.parent / "config", path.parent.parent / "config"):
        for file in sorted(folder.glob("*.yaml")):
            if file.stem == stem or file.stem.startswith(f"{stem}-"):
                return file
    return None


def _side(config: Path | None, step: int) -> int:
    """Side of the pictures that the configuration is for, a multiple of ``step``: ``frame_shape``, or the number in
    its name."""
    if config is None:
        return SIDE
    dataset = read_yaml(config).get("dataset_params")
    shape = dataset.get("frame_shape") if isinstance(dataset, dict) else None
    named = re.search(r"\d+", config.stem)
    side = shape[0] if isinstance(shape, list) and shape else int(named[0]) if named else SIDE
    if not isinstance(side, int) or not 2 * step <= side <= MAX_SIDE or side % step:
        raise KeywarpError(
            f"{config} is for pictures of {side} pixels; a multiple of {step} up to {MAX_SIDE} is right"
        )
    return side
