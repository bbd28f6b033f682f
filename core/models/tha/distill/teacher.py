# SPDX-License-Identifier: GPL-3.0-or-later
"""What a student needs of its teacher: answers to poses. Images in network space: premultiplied, linear, [-1, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.motion import FloatImage
from keywarp.core.picture import Picture

FACE = (
    slice(layout.FACE_TOP, layout.FACE_TOP + layout.FACE_SIDE),
    slice(layout.FACE_LEFT, layout.FACE_LEFT + layout.FACE_SIDE),
)
"""Rows and columns of the student's face in the square."""


@dataclass(frozen=True)
class Truth:
    """A teacher's answers to N poses."""

    face: Tensor
    """(N, 4, 128, 128): the face with its expression, the body at rest."""
    image: Tensor
    """(N, 4, 512, 512): the posed picture (the paper's I_fin)."""
    flow: Tensor
    """(N, 2, 512, 512): backward, into the picture with that face (I_flow; see ``Motion`` for its units)."""
    known: Tensor | None = None
    """(N, 1, 512, 512) in [0, 1]: where the flow is true, and with it the warped picture (I_warp); ``None``:
    everywhere. The losses of both count as far as this says."""
    drawn: Tensor | None = None
    """(N, 4, 512, 512): what the teacher draws apart from warping (I_dir); ``None``: it draws nothing apart, and the
    student's drawing learns the posed picture."""


@dataclass(frozen=True)
class Subject:
    """Whom a teacher animates."""

    name: str
    square: Picture
    """(512, 512, 4), linear, premultiplied, [0, 1]: the picture that the student warps."""
    hd: Picture | None = None
    """The same artwork, larger."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Channels of the pose that the picture shows, where they are not those of the rest pose."""
    licence: str = ""
    credit: str = ""


class Teacher(Protocol):
    """Anything that can say how one character looks in a pose."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def content(self) -> str:
        """A hash of whatever decides its answers."""
        ...

    @property
    def subject(self) -> Subject: ...

    @property
    def draws(self) -> bool:
        """Whether its answers have ``drawn``."""
        ...

    def answer(self, poses: Tensor) -> Truth:
        """For poses of ``tha45``, (N, 45), on the device on which they are."""
        ...


def network_picture(square: FloatImage) -> Tensor:
    """(h, w, 4) in [0, 1] to (1, 4, h, w) in network space."""
    return torch.from_numpy(square.transpose(2, 0, 1)[None].copy()).float() * 2 - 1


def face_of(images: Tensor) -> Tensor:
    """The student's face in squares, (N, 4, 128, 128)."""
    return images[:, :, FACE[0], FACE[1]]
