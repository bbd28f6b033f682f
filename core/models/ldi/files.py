# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of this family on disk: a network that any picture is given to, or one character's layers, ready made.

Both are a folder with a ``card.json``. ``prepare.onnx``: ``rest`` (1, 4, n, n), premultiplied, linear light, [0, 1],
to ``fields`` (1, OUTPUTS, n, n) and ``joints`` (1, JOINTS), see ``networks`` and ``answer``. ``layers.npz``: see
``core.layered_file``; the character's picture lies beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keywarp.core.framing import Framing
from keywarp.core.layered import Layered
from keywarp.core.layered_file import read_layered
from keywarp.core.models.base import Animator, ModelInfo, ModelSource, Window
from keywarp.core.models.exported import CARD_FILE, PREPARE_FILE, Card, check_graph, read_card
from keywarp.core.models.ldi.answer import layered_of
from keywarp.core.models.ldi.posing import Posing
from keywarp.core.models.ldi.settings import JOINTS, OUTPUTS
from keywarp.core.motion import Motion
from keywarp.core.picture import Picture
from keywarp.core.resample import square_picture
from keywarp.core.runtime.device import channels_first, channels_last
from keywarp.core.runtime.session import Device, open_session, worker_count
from keywarp.core.studio.actor import SPACES
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError

FAMILY_NAME = "ldi"
LAYERS_FILE, PICTURE_FILE = "layers.npz", "character.png"
MAX_LAYERS_BYTES = 1 << 28
FINER = 2
"""By how much colours are finer than depth and motion."""


def find_ldi(path: Path) -> ModelSource | None:
    """The model in this folder, or in that of this file; raises ``KeywarpError`` where files of it are missing."""
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name not in (CARD_FILE, PREPARE_FILE, LAYERS_FILE):
        return None
    card = read_card(folder / CARD_FILE)
    if card is None or card.family != FAMILY_NAME:
        return None
    if card.space not in SPACES:
        raise KeywarpError(
            f"{folder / CARD_FILE}: an ldi model is posed in {', '.join(SPACES)}, not in {card.space}"
        )
    if (folder / LAYERS_FILE).is_file():
        if not (folder / PICTURE_FILE).is_file():
            raise KeywarpError(
                f"{folder} has a character's layers, but {PICTURE_FILE} beside them is missing"
            )
        info = card.info(folder, [LAYERS_FILE])
        return LayersSource(replace(info, picture=folder / PICTURE_FILE), folder / LAYERS_FILE)
    if not (folder / PREPARE_FILE).is_file():
        raise KeywarpError(
            f"{folder} has a card of an ldi model, but neither {PREPARE_FILE} nor {LAYERS_FILE} beside it"
        )
    _check_graph(folder / PREPARE_FILE, card)
    return NetworkSource(card.info(folder, [PREPARE_FILE]), folder / PREPARE_FILE)


def _check_graph(path: Path, card: Card) -> None:
    n = card.side
    wanted = {"rest": (1, 4, n, n)}, {"fields": (1, OUTPUTS, n, n), "joints": (1, JOINTS)}
    check_graph(path, *wanted)


@dataclass(frozen=True)
class NetworkSource:
    """A network for any picture, recognised."""

    info: ModelInfo
    path: Path

    def open(self, device: Device) -> Animator:
        return NetworkAnimator(self.info, self.path)


@dataclass(frozen=True)
class LayersSource:
    """One character's layers, recognised."""

    info: ModelInfo
    path: Path

    def open(self, device: Device) -> Animator:
        if self.path.stat().st_size > MAX_LAYERS_BYTES:
            raise KeywarpError(f"{self.path} is larger than {MAX_LAYERS_BYTES >> 20} MiB")
        layered = read_layered(self.path.read_bytes(), str(self.path))
        if len(layered.layers[0].seen) != self.info.side:
            raise KeywarpError(
                f"{self.path} is {len(layered.layers[0].seen)} pixels wide, its card says {self.info.side}"
            )
        return LayersAnimator(self.info, layered)


class LayersAnimator:
    """Poses layers that are known. On whatever device the frames are finished, the layers are moved on the CPU."""

    def __init__(self, info: ModelInfo, layered: Layered) -> None:
        self._info, self._layered = info, layered

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> Posing:
        """The layers with the picture's own colours before them."""
        first = self._layered.layers[0]
        own = replace(first, colour=square_picture(picture, framing, FINER * self._info.side))
        return Posing(replace(self._layered, layers=(own, *self._layered.layers[1:])), self._info.space)

    def motion(self, state: Posing, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``."""
        return state.motion(np.asarray(pose, np.float64), window)


class NetworkAnimator(LayersAnimator):
    """Finds out a picture's layers, once."""

    def __init__(self, info: ModelInfo, path: Path) -> None:
        self._info = info
        # Once for a picture: on a CPU, too, that is less than a second.
        self._session = open_session(path, "cpu", worker_count())

    def prepare(self, picture: Picture, framing: Framing) -> Posing:
        """See ``Animator.prepare``."""
        square = square_picture(picture, framing, self._info.side)
        fields, joints = self._session.run(["fields", "joints"], {"rest": channels_first(square)})
        fine = square_picture(picture, framing, FINER * self._info.side)
        return Posing(layered_of(fine, channels_last(fields), joints[0]), self._info.space)
