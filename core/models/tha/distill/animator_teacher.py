# SPDX-License-Identifier: GPL-3.0-or-later
"""Any other model as a teacher.

Of a model that is known only by its ``Motion`` the intermediate answers are taken from other poses: the face from the
pose without its head and body, the flow from the pose without its face. It draws nothing apart, and its flow counts
where it paints nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from keywarp.core.framing import Framing
from keywarp.core.models.base import Animator
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.teacher import Subject, Truth, face_of
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.opencv import cv2
from keywarp.core.render.performer import own_rest
from keywarp.core.resample import square_picture, square_to_pixels
from keywarp.core.reswarp import ResWarp
from keywarp.core.runtime.cache import content_hash
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings import convert
from keywarp.keyframes.spaces import space

BODY = slice(layout.FACE_CHANNELS, layout.POSE_CHANNELS)


class AnimatorTeacher:
    """A model of any family, driven in its own pose space."""

    draws = False

    def __init__(self, animator: Animator, subject: Subject) -> None:
        """Raises ``KeywarpError`` where its poses do not follow from ``tha45``."""
        info = animator.info
        self.name, self.subject = f"{info.form} {info.source}", subject
        self.content = content_hash([info.content.encode(), np.ascontiguousarray(subject.square).tobytes()])
        self._animator, self._space = animator, info.space
        framing = Framing.of_square(0, 0, layout.SIDE)
        self._state = animator.prepare(subject.square, framing)
        self._rest = space("tha45").pose(subject.defaults)
        seen = square_picture(subject.square, framing, info.side)
        rest = own_rest(self._motion(self._rest).image, seen)
        self._reswarp = ResWarp(subject.square, square_to_pixels(layout.SIDE), rest)

    def answer(self, poses: Tensor) -> Truth:
        answers = [self._one(pose) for pose in poses.cpu().numpy().astype(np.float64)]
        images, faces, flows, known = (
            torch.from_numpy(np.stack(planes).transpose(0, 3, 1, 2).copy()).to(poses.device)
            for planes in zip(*answers, strict=True)
        )
        return Truth(face_of(faces) * 2 - 1, images * 2 - 1, flows, known)

    def _motion(self, pose: Poses) -> Motion:
        return self._animator.motion(self._state, convert(pose, "tha45", self._space))

    def _one(self, pose: Poses) -> tuple[FloatImage, FloatImage, FloatImage, FloatImage]:
        """The posed picture, the one with the face alone, the flow of the body, and where that is known."""
        still, plain = pose.copy(), self._rest.copy()
        still[BODY], plain[BODY] = self._rest[BODY], pose[BODY]
        body = self._motion(plain)
        flow, painted = (cv2.resize(x, (layout.SIDE,) * 2) for x in (body.flow, body.painted))
        return self._frame(self._motion(pose)), self._frame(self._motion(still)), flow, 1 - painted[..., None]

    def _frame(self, motion: Motion) -> FloatImage:
        """The square of 512: of a smaller one with the picture's own detail."""
        if len(motion.image) == layout.SIDE:
            return motion.image.copy()
        return self._reswarp.frame(motion).copy()
