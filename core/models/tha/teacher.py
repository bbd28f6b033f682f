# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks as an Animator of any picture (papers: Talking Head Anime 4, section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelInfo, Window
from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.stage import STAGES, Arrays, Stage, StageFile
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import identity_map, square_picture
from keywarp.core.runtime.device import channels_first, channels_last
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space


@dataclass
class TeacherState:
    """One picture, and what the networks last made of it; for one caller at a time.

    Arrays are in network space, (1, C, H, W), under the names of ``teacher_export``'s graphs.
    """

    picture: Arrays
    """What depends on the picture alone."""
    brows_pose: FloatImage | None = None
    brows: Arrays = field(default_factory=dict)
    face_pose: FloatImage | None = None
    morphed: Arrays = field(default_factory=dict)
    rest: FloatImage | None = None
    """(S, S, 4) in [0, 1]: the picture with its face morphed to the rest pose."""
    face_newness: FloatImage | None = None
    """(S, S): how far each pixel of the morphed picture shows something else than ``rest``."""


class TeacherAnimator:
    """Runs four stages, each only when something that it depends on has changed.

    What they take and answer with is in the table of ``teacher_export``; what a stage answers beyond that is handed
    on to those after it.
    """

    def __init__(self, info: ModelInfo, stages: Mapping[str, Sequence[StageFile]], device: Device) -> None:
        self._info, self._square = info, layout.Square(info.side)
        self._layers, self._brows, self._face, self._body = (Stage(stages[x], device) for x in STAGES)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> TeacherState:
        """The picture in the networks' square, and its brows told from what is behind them."""
        side = self._square.side
        square = square_picture(picture, framing, side)
        network = {"picture": channels_first(square * 2 - 1).astype(np.float32)}
        state = TeacherState(network | self._layers.run(network))
        self._morph(state, space(self._info.space).rest().astype(np.float32)[None])
        state.rest = _unit(state.morphed["morphed"])
        state.face_newness = np.zeros((side, side), np.float32)
        return state

    def motion(self, state: TeacherState, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``. Always the whole square: every pixel of a convolutional network depends on all of
        the picture."""
        row = np.asarray(pose, np.float32).reshape(1, layout.BODY_POSE.stop)
        self._morph(state, row)
        out = self._body.run(state.morphed | {"pose": _part(row, layout.BODY_POSE)})
        return _formed(state, _unit(out["image"]), _unit(out["warped"]), channels_last(out["flow"]))

    def _morph(self, state: TeacherState, pose: FloatImage) -> None:
        """Brings the face up to the pose, (1, 45)."""
        brows, face = _part(pose, layout.BROW_POSE), _part(pose, layout.FACE_POSE)
        if state.brows_pose is None or not np.array_equal(state.brows_pose, brows):
            state.brows = self._brows.run(state.picture | {"pose": brows})
            state.brows_pose, state.face_pose = brows, None
        if state.face_pose is None or not np.array_equal(state.face_pose, face):
            state.morphed = self._face.run(state.picture | state.brows | {"pose": face})
            state.face_pose = face
            if state.rest is not None and state.face_newness is not None:
                face_square = self._square.face
                here = _unit(state.morphed["morphed"])[face_square]
                # The networks redraw a face at rest, too; only what differs from that is new.
                state.face_newness[face_square] = newness(here, state.rest[face_square])


def _part(pose: FloatImage, channels: slice) -> FloatImage:
    return np.ascontiguousarray(pose[:, channels])


def _unit(image: FloatImage) -> FloatImage:
    """Network space, (1, 4, H, W), to (H, W, 4) in [0, 1]."""
    unit: FloatImage = np.clip(channels_last(image) * np.float32(0.5) + np.float32(0.5), 0, 1)
    return unit


def _formed(state: TeacherState, image: FloatImage, warped: FloatImage, flow: FloatImage) -> Motion:
    """New is what the last network's alpha map puts over the warped picture, as far as it looks different from it,
    and what is new in the morphed face, wherever the flow takes it."""
    assert state.face_newness is not None
    side = len(image)
    where = flow * np.float32(side / 2) + identity_map(side, side)
    face = cv2.remap(state.face_newness, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    painted: FloatImage = np.maximum(face, newness(image, warped))[..., None]
    return Motion(image, flow, painted)
