# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM's checkpoints on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keywarp.core.driving import Driving
from keywarp.core.head import HeadTarget
from keywarp.core.models.base import Animator, ModelInfo, ModelSource
from keywarp.core.models.checkpoint import Array, read_checkpoint
from keywarp.core.models.tpsmm.layout import Form, Shape, form_of, network_shapes
from keywarp.core.models.weights import ask_for_torch, fault_in, weight_bytes
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.progress import report
from keywarp.core.runtime.session import Device
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

EXPORT = 1
"""Raised whenever the graphs change, so that older exports are not used."""
LICENCE = "not stated in the files; the authors' repository, which they come with, is MIT"
CREDIT = "Thin-Plate Spline Motion Model (Zhao and Zhang)"
SUFFIXES = (".pth.tar", ".pth", ".pt")
REQUIRED = ("kp_detector", "dense_motion_network", "inpainting_network")
OPTIONAL = ("bg_predictor", "avd_network")
SIDE = 256
"""Of the pictures that a checkpoint without a configuration is for."""
MAX_SIDE = 1024
FACE = HeadTarget(0.0, 0.05, 1.1)
"""Where VoxCeleb's crops have the head; other data (bodies, animals) fills its pictures."""
WHOLE_FIGURES = ("taichi", "ted", "mgif")

State = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class TpsmmSource:
    """A checkpoint, read and recognised."""

    info: ModelInfo
    form: Form
    state: State
    driving: Driving | None = None

    def driven(self, driving: Driving) -> ModelSource:
        if driving.mode == "avd" and not self.form.avd:
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
        name = f"tpsmm-{EXPORT}-{self.info.side}-{self.info.content}"
        return cached_folder(name, self._write)

    def _write(self, folder: Path) -> None:
        ask_for_torch(self.info.source)
        from keywarp.core.models.tpsmm.export import write_graphs

        report("exporting", 0.0)
        write_graphs(self.state, self.info.side, folder)


def find_tpsmm(path: Path) -> TpsmmSource | None:
    """The model that a checkpoint, or a folder with one, holds; ``None`` where it is of another kind."""
    if path.is_dir():
        files = sorted(path.glob("*.pth.tar"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            raise KeywarpError(f"{path} holds {len(files)} checkpoints ({names}); name one of them")
        return find_tpsmm(files[0]) if files else None
    if not path.name.endswith(SUFFIXES):
        return None
    content = read_checkpoint(path, lambda name: name in REQUIRED + OPTIONAL)
    state = {name: dict(value) for name, value in content.items() if isinstance(value, Mapping)}
    if not set(REQUIRED) & set(state):
        return None
    form = _checked(path, state)
    config = _configuration(path)
    info = ModelInfo(
        family="tpsmm",
        form=f"TPSMM with {form.splines} thin-plate splines",
        space="driving",
        side=_side(config),
        parameters=sum(np.size(x) for each in state.values() for x in each.values()),
        licence=LICENCE,
        credit=CREDIT,
        source=path.name,
        content=content_hash(weight_bytes(state)),
        head=None if config is not None and config.name.startswith(WHOLE_FIGURES) else FACE,
    )
    return TpsmmSource(info, form, state)


def _checked(path: Path, state: dict[str, dict[str, Array]]) -> Form:
    """The form of a checkpoint that is whole; raises ``KeywarpError`` that says what it looks like."""
    missing = [name for name in REQUIRED if name not in state]
    if missing == ["dense_motion_network", "inpainting_network"]:
        raise KeywarpError(
            f"{path} looks like a checkpoint of FOMM or MRAA, TPSMM's ancestors, which keywarp does not read: "
            "it has keypoints, but no inpainting_network"
        )
    if missing:
        raise KeywarpError(
            f"{path} looks like a TPSMM checkpoint, but its {' and '.join(missing)} is missing"
        )
    shapes: dict[str, dict[str, Shape]] = {
        network: {name: np.shape(value) for name, value in each.items()} for network, each in state.items()
    }
    form = form_of(shapes)
    if form is None:
        form = Form(background="bg_predictor" in state, avd="avd_network" in state)
    for network, expected in network_shapes(form).items():
        fault = fault_in(state[network], expected)
        if fault:
            raise KeywarpError(f"{path} looks like a TPSMM checkpoint, but in its {network} {fault}")
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


def _side(config: Path | None) -> int:
    """Side of the pictures that the configuration is for: ``frame_shape``, or the number in its name."""
    if config is None:
        return SIDE
    dataset = read_yaml(config).get("dataset_params")
    shape = dataset.get("frame_shape") if isinstance(dataset, dict) else None
    named = re.search(r"\d+", config.stem)
    side = shape[0] if isinstance(shape, list) and shape else int(named[0]) if named else SIDE
    if not isinstance(side, int) or not 64 <= side <= MAX_SIDE or side % 128:
        raise KeywarpError(
            f"{config} is for pictures of {side} pixels; a multiple of 128 up to {MAX_SIDE} is right"
        )
    return side
