# SPDX-License-Identifier: GPL-3.0-or-later
"""A teacher by formula: a drawing whose eyes close, whose head shifts, and into which a red sun rises."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from keywarp.core.models.tha.distill.teacher import Subject, Truth, face_of, network_picture
from keywarp.core.models.tha.student_torch import place_grid, sampled, with_face
from keywarp.keyframes.spaces import space

BLINK, TURN = space("tha45").index("eye_wink_left"), space("tha45").index("head_y")
LICENCE = "CC0"


class Puppet:
    """See ``distill.teacher.Teacher``."""

    name, draws = "a formula", True

    def __init__(self, content: str = "formula") -> None:
        self.content = content

    @cached_property
    def subject(self) -> Subject:
        axis = (2 * np.arange(512) + 1) / 512 - 1
        x, y = np.meshgrid(axis, axis)
        waves = [0.5 + 0.4 * np.sin(a * x + b * y) for a, b in ((7, 3), (2, 9), (5, -6))]
        alpha = np.clip((0.8 - np.hypot(x, y)) * 8, 0, 1)  # soft: OpenCV rounds places to 32nds of a pixel
        square = np.stack([*(wave * alpha for wave in waves), alpha], -1).astype(np.float32)
        return Subject("puppet", square, defaults={"mouth_aaa": 0.0}, licence=LICENCE, credit="a test")

    def answer(self, poses: Tensor) -> Truth:
        count = len(poses)
        picture = network_picture(self.subject.square)
        face = face_of(picture).repeat(count, 1, 1, 1)
        lid = torch.tensor([-0.8, -0.9, -1.0, 1.0])[:, None, None]
        share = poses[:, BLINK, None, None, None]
        face[:, :, 40:60, 20:50] = face[:, :, 40:60, 20:50] * (1 - share) + lid * share
        places = place_grid(512, poses)
        calm = torch.exp(-4 * (places**2).sum(1, keepdim=True))
        flow = torch.cat([0.1 * calm * poses[:, TURN, None, None, None], 0 * calm], 1)
        drawn = torch.tensor([1.0, -1.0, -1.0, 1.0])[:, None, None].expand(count, -1, 512, 512)
        sun = 0.8 * torch.exp(-60 * ((places - 0.5) ** 2).sum(1, keepdim=True))
        warped = sampled(with_face(picture, face), places + flow)
        return Truth(face, (1 - sun) * warped + sun * drawn, flow, drawn=drawn)
