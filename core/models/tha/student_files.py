# SPDX-License-Identifier: GPL-3.0-or-later
"""Student models on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from keywarp.core.models.base import Animator, ModelInfo
from keywarp.core.models.checkpoint import SUFFIXES, Checkpoint, read_checkpoint, shapes
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.likeness import STUDENT, Likeness, is_tensor, likeness
from keywarp.core.models.tha.student_graph import (
    Weights,
    coarse_network,
    face_network,
    fine_network,
    middle_network,
)
from keywarp.core.models.tha.student_whole import whole_network
from keywarp.core.motion import FloatImage
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.progress import report
from keywarp.core.runtime.session import Device
from keywarp.core.runtime.sines import save_network
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

EXPORT = 7
"""Raised whenever the graphs change, so that older exports are not used."""
LICENCE = "not stated in the files; students of the published THA4 teacher derive from CC BY-NC 4.0 weights"
CREDIT = "Talking Head Anime 4 (Pramook Khungurn)"
FACE_FILE, BODY_FILE = "face_morpher.pt", "body_morpher.pt"
SETTINGS_FILE = "character_model.yaml"


@dataclass(frozen=True)
class StudentSource:
    """Two checkpoints, read and recognised."""

    info: ModelInfo
    face: Weights
    body: Weights

    def open(self, device: Device) -> Animator:
        if device == "cuda":
            from keywarp.core.models.tha.student_cuda import DeviceStudentAnimator

            return DeviceStudentAnimator(self.info, self.export_whole(), device)
        from keywarp.core.models.tha.student import StudentAnimator

        return StudentAnimator(self.info, self.export())

    def export(self) -> Path:
        """The folder of ONNX graphs of this model for a CPU, made when it is not there yet."""
        return cached_folder(f"tha-student-{EXPORT}-{self.info.content}", self._write)

    def export_whole(self) -> Path:
        """The folder of the one graph of this model for a GPU, made when it is not there yet."""
        return cached_folder(f"tha-student-whole-{EXPORT}-{self.info.content}", self._write_whole)

    def _write_whole(self, folder: Path) -> None:
        from keywarp.core.models.tha.student_cuda import WHOLE_FILE

        report("exporting", 0.0)
        onnx.save(whole_network(self.face, self.body), str(folder / WHOLE_FILE))

    def _write(self, folder: Path) -> None:
        from keywarp.core.models.tha import cover as tiles
        from keywarp.core.models.tha.student import FACE_CHUNK

        networks = {
            "face": face_network(self.face, FACE_CHUNK, cut=True),
            "coarse": coarse_network(self.body, tiles.COARSE_PIXELS, cut=True),
            "middle": middle_network(self.body, tiles.MIDDLE_TILE // 2, cut=True),
            "fine": fine_network(self.body, tiles.FINE_TILE // 2, cut=True),
        }
        for done, (name, network) in enumerate(networks.items()):
            report("exporting", done / len(networks))
            save_network(network, folder, name)
        np.savez(folder / "steps.npz", middle=place_step(self.body, 1), fine=place_step(self.body, 2))
        card = asdict(replace(self.info, picture=None))
        (folder / "card.json").write_text(json.dumps(card, indent=1, default=str), encoding="utf-8")


def place_step(body: Weights, level: int) -> FloatImage:
    """(2, channels): growth of a level's first layer over one pixel of the level below, along x and y."""
    width = layout.LEVELS[level][1]
    weight = np.asarray(body[f"siren_layers.{level}.0.linear.weight"])[:, width : width + 2, 0, 0]
    return (weight.T * layout.OMEGA * 2 / layout.LEVELS[level - 1][0]).astype(np.float32)


@dataclass(frozen=True)
class StudentSettings:
    """What THA4's ``character_model.yaml`` names."""

    picture: Path
    face: Path
    body: Path
    licence: str = LICENCE
    credit: str = CREDIT
    """Of the weights, where the file states them, which THA4's own do not."""


def read_settings(path: Path) -> StudentSettings | None:
    """THA4's settings file; its names are relative to it. ``None`` for a YAML file of another kind."""
    content = read_yaml(path)
    keys = ("character_image_file_name", "face_morpher_file_name", "body_morpher_file_name")
    if not any(key in content for key in keys):
        return None
    for key in keys:
        if not isinstance(content.get(key), str) or not content[key]:
            raise KeywarpError(f"{path} looks like a THA4 character, but {key} is missing from it")
    picture, face, body = (path.parent / content[key] for key in keys)
    licence, credit = content.get("licence"), content.get("credit")
    return StudentSettings(
        picture,
        face,
        body,
        licence if isinstance(licence, str) and licence else LICENCE,
        credit if isinstance(credit, str) and credit else CREDIT,
    )


def find_student(path: Path) -> StudentSource | None:
    """The student that ``path`` leads to: a ``character_model.yaml``, the folder that holds one or the two
    checkpoints by their usual names, or one of these two checkpoints."""
    folder = path if path.is_dir() else path.parent
    settings_file = folder / SETTINGS_FILE if path.is_dir() else path
    if settings_file.suffix in (".yaml", ".yml") and settings_file.is_file():
        settings = read_settings(settings_file)
        if settings is None:
            return None
        found = load_student(settings.face, settings.body, settings.picture)
        return replace(found, info=replace(found.info, licence=settings.licence, credit=settings.credit))
    face, body = folder / FACE_FILE, folder / BODY_FILE
    if path.is_dir() and not (face.is_file() or body.is_file()):
        return None
    if path.is_file() and not path.name.endswith(SUFFIXES):
        return None
    if path.is_file():
        state = read_checkpoint(path, is_tensor)
        kind, like = _kind(state), likeness(state)
        if like is not None and like.fault:  # of any of Talking Head Anime's networks
            raise KeywarpError(f"{path} looks like {like.words}, but {like.fault}")
        if kind is None:
            return None
        settings_file = folder / SETTINGS_FILE
        settings = read_settings(settings_file) if settings_file.is_file() else None
        if settings is not None and path.name in (settings.face.name, settings.body.name):
            return find_student(settings_file)  # which knows the picture and the licence
        other, other_kind = (body, "body rotator") if kind == "face morpher" else (face, "face morpher")
        if path.name == other.name:
            raise KeywarpError(
                f"{path} holds a THA4 student's {kind}, but its name is that of the {other_kind}"
            )
        face, body = (path, body) if kind == "face morpher" else (face, path)
    return load_student(face, body, None)


def load_student(face_file: Path, body_file: Path, picture: Path | None) -> StudentSource:
    """The student made of these two checkpoints, whichever of them is which."""
    found: dict[str, Weights] = {}
    files = ((face_file, "face morpher"), (body_file, "body rotator"))
    there = [file for file, _ in files if file.is_file()]
    for file, wanted in files:
        if there and not file.exists():
            raise KeywarpError(
                f"{there[0]} looks like half of a THA4 student; the {wanted} beside it, {file.name}, is missing"
            )
        state = read_checkpoint(file)
        kind, like = _kind(state), likeness(state)
        if kind is None or like is None or like.fault:
            raise KeywarpError(f"{file} is not a THA4 student's {wanted}: {_difference(like)}")
        found[kind] = {name: np.asarray(value) for name, value in state.items()}
    if len(found) < 2:
        raise KeywarpError(
            f"{face_file} and {body_file} both hold a {next(iter(found))}; one of each kind is needed"
        )
    face, body = found["face morpher"], found["body rotator"]
    info = ModelInfo(
        family="tha",
        form="THA4 student",
        space="tha45",
        side=layout.SIDE,
        parameters=sum(x.size for state in (face, body) for x in state.values()),
        licence=LICENCE,
        credit=CREDIT,
        source=face_file.parent.name,
        content=content_hash(_bytes(face) + _bytes(body)),
        picture=picture,
    )
    return StudentSource(info, face, body)


def _kind(state: Checkpoint) -> str | None:
    """Which of the student's networks has exactly these names and shapes."""
    return next((kind for kind, expected in STUDENT.items() if shapes(state) == expected), None)


def _difference(like: Likeness | None) -> str:
    """What a checkpoint is instead."""
    if like is None:
        return "it has next to none of its tensors, so these are another system's weights"
    return like.fault or f"it holds {like.words}"


def _bytes(state: Weights) -> list[bytes]:
    return [
        part
        for name in sorted(state)
        for part in (name.encode(), np.ascontiguousarray(state[name]).tobytes())
    ]
