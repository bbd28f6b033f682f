# SPDX-License-Identifier: GPL-3.0-or-later
"""Teachers that are networks of Talking Head Anime, with every intermediate answer that the losses ask for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.teacher import Subject, Truth, face_of, network_picture
from keywarp.core.models.tha.student_files import StudentSource
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, with_face
from keywarp.core.models.tha.teacher_files import TeacherSource
from keywarp.core.models.tha.teacher_torch import Teacher as Networks
from keywarp.core.runtime.cache import content_hash


def _content(model: str, subject: Subject) -> str:
    return content_hash([model.encode(), np.ascontiguousarray(subject.square).tobytes()])


class FiveNetworks:
    """THA3's or THA4's five networks (papers: Talking Head Anime 4, section 3): the paper's own teacher."""

    draws = True

    def __init__(self, source: TeacherSource, subject: Subject) -> None:
        self.name, self.subject = f"{source.info.form} {source.info.source}", subject
        self.content = _content(source.info.content, subject)
        self._networks = Networks(source.form).load(source.states())
        self._picture = network_picture(subject.square)

    @torch.no_grad()
    def answer(self, poses: Tensor) -> Truth:
        self._networks.to(poses.device)
        picture = self._picture.to(poses.device).expand(len(poses), -1, -1, -1)
        answers = self._networks(picture, poses)
        last = answers[self._networks.form.networks[-1]]
        drawn = last["direct"] if "direct" in last else last["color_change"]
        return Truth(face_of(answers["face_morphed"]["image"]), last["image"], last["flow"], drawn=drawn)


class AnotherStudent:
    """A student that is there already."""

    draws = True

    def __init__(self, source: StudentSource, subject: Subject) -> None:
        self.name, self.subject = f"{source.info.form} {source.info.source}", subject
        self.content = _content(source.info.content, subject)
        self._face, self._body = FaceMorpher(), BodyRotator()
        for network, weights in ((self._face, source.face), (self._body, source.body)):
            network.load_state_dict({name: torch.tensor(np.array(value)) for name, value in weights.items()})
        self._picture = network_picture(subject.square)

    @torch.no_grad()
    def answer(self, poses: Tensor) -> Truth:
        face = self._face.to(poses.device)(poses[:, : layout.FACE_CHANNELS])
        picture = with_face(self._picture.to(poses.device), face)
        out = self._body.to(poses.device)(picture, poses)
        return Truth(face, out["image"], out["flow"], drawn=out["drawn"])
