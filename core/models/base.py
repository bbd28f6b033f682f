# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the model families and everything that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from keywarp.core.driving import Driving
from keywarp.core.framing import Framing
from keywarp.core.head import THA_HEAD, HeadTarget
from keywarp.core.motion import Motion
from keywarp.core.picture import Picture
from keywarp.core.runtime.device import DeviceMotion
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses

#: A part of the model's square in its own pixels: (left, top, right, bottom), right and bottom exclusive.
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class ModelInfo:
    """What a caller must know about a model; nothing else depends on its family."""

    family: str
    """Folder under ``core/models``."""
    form: str
    """Which of the family's networks this is, in a few words."""
    space: str
    """Name of the pose space that it takes."""
    side: int
    """Pixels along a side of the square that it draws."""
    parameters: int
    licence: str
    """Licence of the weights as far as it is known."""
    credit: str
    source: str
    """Name of the folder or file that the weights were read from."""
    content: str
    """Hash of the weights: equal for equal models, wherever they lie."""
    picture: Path | None = None
    """The one picture that the model animates; ``None``: any picture."""
    head: HeadTarget | None = THA_HEAD
    """Where the model expects the head in its square; ``None``: it wants the whole picture."""
    rest: Mapping[str, float] = field(default_factory=dict)
    """Channels whose value in the pose of the picture is not the space's default."""


class Animator(Protocol):
    """A model, ready to animate pictures."""

    @property
    def info(self) -> ModelInfo: ...

    def prepare(self, picture: Picture, framing: Framing) -> Any:
        """What depends on the picture alone, computed once; to be handed to ``motion``.

        ``picture`` is the whole picture, any size; ``framing`` says where the model's square is.
        """
        ...

    def motion(self, state: Any, pose: Poses, window: Window | None = None) -> Motion:
        """The answer to one pose, (C,) in the model's space, for the whole square.

        With a ``window`` only that part is computed, at a cost proportional to its area; what lies outside
        of it is undefined.
        """
        ...


@runtime_checkable
class DeviceAnimator(Animator, Protocol):
    """An animator whose answers can stay on the device that it was opened on."""

    def device_motion(self, state: Any, pose: Poses) -> DeviceMotion:
        """As ``motion``, for the whole square; valid until the next call."""
        ...


class Family(Protocol):
    """A folder under ``core/models``: how its checkpoints are recognised and opened."""

    name: str

    def find(self, path: Path) -> ModelSource | None:
        """The model that ``path`` (a folder or a file) holds, judged by names and shapes; else ``None``.

        Raises ``KeywarpError`` where it is of this family but cannot be used, saying what is missing.
        """
        ...


class ModelSource(Protocol):
    """A model found on disk, not yet loaded."""

    @property
    def info(self) -> ModelInfo: ...

    def open(self, device: Device) -> Animator:
        """Export it if that has not been done, and open it on ``device``."""
        ...


@runtime_checkable
class DrivenSource(ModelSource, Protocol):
    """A model that takes its motion from a driving video, in the pose space ``driving``."""

    def driven(self, driving: Driving) -> ModelSource:
        """The same model with this video; without one it cannot be opened."""
        ...
