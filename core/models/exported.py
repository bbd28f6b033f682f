# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained models as folders that any machine runs: a card, the graph of one pose, and where it pays one of what
depends on the picture alone.

``motion.onnx``: ``rest`` (1, 4, n, n) premultiplied, linear light, [0, 1], and ``pose`` (1, C) in the space's own
units, to ``image``, ``flow`` and ``painted`` as in ``Motion``, channels first. ``prepare.onnx``, where it is there,
makes from ``rest`` further inputs of the first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from keywarp.core.framing import Framing
from keywarp.core.head import THA_HEAD, HeadTarget
from keywarp.core.models.base import Animator, ModelInfo, Window
from keywarp.core.motion import Motion
from keywarp.core.picture import Picture
from keywarp.core.resample import square_picture
from keywarp.core.runtime.cache import content_hash
from keywarp.core.runtime.device import DeviceGraph, DeviceMotion, channels_first, channels_last, to_device
from keywarp.core.runtime.session import Device, open_session, worker_count
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

CARD_FILE, MOTION_FILE, PREPARE_FILE = "card.json", "motion.onnx", "prepare.onnx"
VERSION = 1
MAX_SIDE = 2048
MAX_CARD_BYTES = 1 << 20
MAX_GRAPH_BYTES = 1 << 31

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Card:
    """What ``card.json`` says."""

    family: str
    form: str
    space: str
    side: int
    parameters: int
    licence: str = ""
    credit: str = ""
    trained: Mapping[str, Any] | None = None
    """How the weights were made, for people."""
    head: Sequence[float] | None = None
    """Where the model expects the head: ``HeadTarget``'s cx, cy, side; ``None``: as Talking Head Anime does."""
    rest: Mapping[str, float] | None = None
    """Channels whose value in the pose of the picture is not the space's default."""

    def text(self) -> str:
        return json.dumps({"keywarp_model": VERSION, **vars(self)}, indent=1, ensure_ascii=False)

    def info(self, folder: Path, files: Iterable[str]) -> ModelInfo:
        """The model that lies in ``folder``: this card, and ``files`` beside it, which decide its answers."""
        return ModelInfo(
            family=self.family,
            form=self.form,
            space=self.space,
            side=self.side,
            parameters=self.parameters,
            licence=self.licence,
            credit=self.credit,
            source=folder.resolve().name,
            content=content_hash(folder / name for name in (CARD_FILE, *files)),
            head=THA_HEAD if self.head is None else HeadTarget(*self.head),
            rest=dict(self.rest or {}),
        )


def read_card(path: Path) -> Card | None:
    """``None`` for a JSON file of another kind; raises ``KeywarpError`` where it is a damaged card."""
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or "keywarp_model" not in content:
        return None
    if content["keywarp_model"] != VERSION:
        raise KeywarpError(
            f"{path} is of version {content['keywarp_model']!r}; this keywarp reads version {VERSION}"
        )
    names = Card.__dataclass_fields__
    try:
        card = Card(**{name: value for name, value in content.items() if name in names})
        texts = (card.family, card.form, card.space, card.licence, card.credit)
        numbers = (card.side, card.parameters)
    except TypeError as error:
        raise KeywarpError(f"{path} is no whole card of a model ({error})") from None
    if not all(isinstance(x, str) for x in texts) or not all(isinstance(x, int) and x > 0 for x in numbers):
        raise KeywarpError(
            f"{path}: family, form and space should be texts, side and parameters whole numbers"
        )
    if card.head is not None and not _is_target(card.head):
        raise KeywarpError(f"{path}: head should be three numbers, its middle and its side, the last above 0")
    if card.side > MAX_SIDE:
        raise KeywarpError(f"{path}: a square of {card.side} pixels is too large; at most {MAX_SIDE}")
    poses = space(card.space)
    if card.rest is not None and not (
        isinstance(card.rest, dict)
        and all(type(x) in (int, float) and math.isfinite(x) for x in card.rest.values())
    ):
        raise KeywarpError(f"{path}: rest should hold channels with finite numbers")
    for name in card.rest or {}:
        if name not in poses:
            raise KeywarpError(f"{path}: rest names {name!r}, which is no channel of {card.space}")
    return card


def _is_target(value: Any) -> bool:
    right = isinstance(value, list) and len(value) == 3 and all(type(x) in (int, float) for x in value)
    return right and all(map(math.isfinite, value)) and value[2] > 0


def find_exported(path: Path, family: str) -> ExportedSource | None:
    """The family's model in this folder, or in that of this ``card.json`` or ``.onnx`` file; else ``None``.

    Raises ``KeywarpError`` where the card names the family but a graph is missing or does not fit it.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name not in (CARD_FILE, MOTION_FILE, PREPARE_FILE):
        return None
    card = read_card(folder / CARD_FILE)
    if card is None or card.family != family:
        return None
    files = [folder / MOTION_FILE]
    if not files[0].is_file():
        raise KeywarpError(
            f"{folder} has a card of an {family} model, but {MOTION_FILE} beside it is missing"
        )
    if (folder / PREPARE_FILE).is_file():
        files.append(folder / PREPARE_FILE)
    made = graph_shapes(files[1])[1] if len(files) > 1 else {}
    _check_motion(files[0], card, made)
    info = card.info(folder, [file.name for file in files])
    return ExportedSource(info, files[0], files[1] if len(files) > 1 else None)


def odd_card(folder: Path, known: Collection[str]) -> str | None:
    """Why a folder that looks like an exported model is none of the ``known`` families; ``None``: it does not."""
    if not (folder / CARD_FILE).is_file():
        return f"{CARD_FILE} beside {MOTION_FILE} is missing" if (folder / MOTION_FILE).is_file() else None
    card = read_card(folder / CARD_FILE)
    if card is None:
        return f"its {CARD_FILE} is damaged, or no model's"
    return None if card.family in known else f"its {CARD_FILE} names the family {card.family!r}"


def _graph(path: Path) -> onnx.GraphProto:
    try:
        if path.stat().st_size > MAX_GRAPH_BYTES:
            raise KeywarpError(f"{path} is larger than {MAX_GRAPH_BYTES >> 30} GiB")
        return onnx.load(str(path), load_external_data=False).graph
    except KeywarpError:
        raise
    except Exception as error:  # protobuf raises several kinds for what is no graph
        raise KeywarpError(f"{path} is no whole ONNX file ({type(error).__name__})") from None


def _shapes(values: Any) -> dict[str, tuple[int, ...]]:
    return {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim) for value in values
    }


def graph_shapes(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Names and shapes of what a graph takes, and of what it gives; raises ``KeywarpError`` for what is none."""
    graph = _graph(path)
    if not graph.node:  # an empty file is an empty graph
        raise KeywarpError(f"{path} is no whole ONNX file (it is empty)")
    return _shapes(graph.input), _shapes(graph.output)


def check_graph(path: Path, takes: Mapping[str, Shape], gives: Mapping[str, Shape]) -> None:
    """Raises ``KeywarpError`` where a graph's inputs or outputs are not these."""
    for kind, wanted, there in zip(("takes", "gives"), (takes, gives), graph_shapes(path), strict=True):
        if wanted != there:
            raise KeywarpError(
                f"{path} {kind} {there}; the card beside it stands for a graph that {kind} {wanted}"
            )


def _check_motion(path: Path, card: Card, made: Mapping[str, Shape]) -> None:
    n = card.side
    takes = {"rest": (1, 4, n, n), "pose": (1, len(space(card.space))), **made}
    check_graph(path, takes, {"image": (1, 4, n, n), "flow": (1, 2, n, n), "painted": (1, 1, n, n)})


@dataclass(frozen=True)
class ExportedSource:
    """A model's folder, recognised."""

    info: ModelInfo
    motion: Path
    prepare: Path | None

    def open(self, device: Device) -> Animator:
        kind = ExportedDeviceAnimator if device == "cuda" else ExportedAnimator
        return kind(self.info, self.motion, self.prepare, device)


class ExportedAnimator:
    """Runs the graphs on the CPU."""

    def __init__(self, info: ModelInfo, motion: Path, prepare: Path | None, device: Device) -> None:
        self._info, self._device = info, device
        self._prepare = None if prepare is None else open_session(prepare, device, worker_count())
        self._open(motion)

    def _open(self, motion: Path) -> None:
        self._motion = open_session(motion, "cpu", worker_count())

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> dict[str, Array]:
        """The picture in the model's square, and what follows from it alone."""
        rest = channels_first(square_picture(picture, framing, self._info.side))
        state: dict[str, Array] = {"rest": rest}
        if self._prepare is not None:
            names = [out.name for out in self._prepare.get_outputs()]
            state.update(zip(names, self._prepare.run(names, {"rest": rest}), strict=True))
        return state

    def motion(self, state: dict[str, Array], pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``; a window costs as much as the whole."""
        names = ["image", "flow", "painted"]
        image, flow, painted = self._motion.run(names, {**state, "pose": _row(pose)})
        return Motion(*map(channels_last, (image, flow, painted)))


class ExportedDeviceAnimator(ExportedAnimator):
    """Runs them on a GPU, where the answers stay."""

    def _open(self, motion: Path) -> None:
        self._graph = DeviceGraph(motion, self._device)
        self._bound: dict[str, Array] | None = None

    def device_motion(self, state: dict[str, Array], pose: Poses) -> DeviceMotion:
        if self._bound is not state:
            self._graph.bind(**{name: to_device(value, self._device) for name, value in state.items()})
            self._bound = state
        self._graph.bind(pose=to_device(_row(pose), self._device))
        self._graph.run()
        out = self._graph.outputs
        return DeviceMotion(out["image"], out["flow"], out["painted"])

    def motion(self, state: dict[str, Array], pose: Poses, window: Window | None = None) -> Motion:
        return self.device_motion(state, pose).read()


def _row(pose: Poses) -> Array:
    return np.ascontiguousarray(np.asarray(pose, np.float32).reshape(1, -1))
