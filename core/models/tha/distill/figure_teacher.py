# SPDX-License-Identifier: GPL-3.0-or-later
"""A 3D character as the teacher: photographs and true motion instead of a network's answers.

Nothing of the losses falls away: the rasteriser knows the flow from every pose into the picture with the same
face and the body at rest. Where that picture does not show what a pose does, flow and warped picture are unknown
and do not count. It draws nothing apart: the student's drawing learns the photograph.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from keywarp.core.color import from_srgb8
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.aim import aimed
from keywarp.core.models.tha.distill.teacher import Subject, Truth, face_of
from keywarp.core.motion import FloatImage
from keywarp.core.runtime.cache import content_hash
from keywarp.core.studio.actor import read_pose
from keywarp.core.studio.dataset import Character
from keywarp.core.studio.sampling import scheme
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError

_CLOSED = {"mouth_aaa": 0.0}
"""A 3D character rests with its mouth closed, where Talking Head Anime's pictures have it open."""


class FigureTeacher:
    """A figure before the camera, framed as Talking Head Anime wants a picture."""

    draws = False

    def __init__(
        self, character: Character, style: str = "cel", hd_side: int = 1024, workers: int = 2
    ) -> None:
        """``hd_side``: pixels of the large picture. Raises ``KeywarpError`` where the character has no face that
        moves."""
        self.name = f"3D character {character.identity}"
        self._actor = aimed(character)
        self._style, self._workers = style, workers
        self._rest = scheme("tha45").rest()
        rest = read_pose("tha45", self._rest)
        square, hd = (
            from_srgb8(self._actor.studio(side, style, rest).rest) for side in (layout.SIDE, hd_side)
        )
        if not square[..., 3].any():
            raise KeywarpError(f"{character.identity}: the rest picture shows nothing")
        self.subject = Subject(character.identity, square, hd, _CLOSED, character.licence, character.credit)
        # The picture at rest stands for the figure and its placement; the annotation for what moves.
        said = repr(sorted((name, tuple(parts)) for name, parts in character.annotation.items()))
        self.content = content_hash([np.ascontiguousarray(hd).tobytes(), said.encode(), style.encode()])

    def answer(self, poses: Tensor) -> Truth:
        with ThreadPoolExecutor(self._workers) as pool:
            answers = list(pool.map(self._one, poses.cpu().numpy().astype(np.float64)))
        images, faces, flows, known = (
            torch.from_numpy(np.stack(planes).transpose(0, 3, 1, 2).copy()).to(poses.device)
            for planes in zip(*answers, strict=True)
        )
        return Truth(face_of(faces) * 2 - 1, images * 2 - 1, flows, known)

    def _one(self, pose: Poses) -> tuple[FloatImage, FloatImage, FloatImage, FloatImage]:
        """The photograph, the one with the body at rest, the flow between them, and where it is known."""
        still = pose.copy()
        still[layout.FACE_CHANNELS :] = self._rest[layout.FACE_CHANNELS :]
        studio = self._actor.studio(layout.SIDE, self._style, read_pose("tha45", still))
        shot = studio.shot(self._actor.placed(read_pose("tha45", pose)))
        return _linear(shot.picture), _linear(studio.rest), shot.flow, shot.visible[..., None]


def _linear(pixels: npt.NDArray[np.uint8]) -> FloatImage:
    return np.asarray(from_srgb8(pixels), np.float32)
