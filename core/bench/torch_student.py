# SPDX-License-Identifier: GPL-3.0-or-later
"""A THA4 student evaluated as published, to compare with. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.student_files import StudentSource
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, pose_picture
from keywarp.core.motion import FloatImage
from keywarp.core.render.stage import Stage
from keywarp.core.resample import square_picture
from keywarp.core.runtime.session import worker_count
from keywarp.keyframes.channels import Poses


def plain_evaluation(stage: Stage) -> Callable[[Poses], FloatImage] | None:
    """Pose, (45,), to image, (512, 512, 4) in [0, 1], one layer after another on as many threads as keywarp uses;
    ``None`` where the stage's model is no student."""
    source = stage.character.find_model()
    if not isinstance(source, StudentSource):
        return None
    torch.set_num_threads(worker_count())
    face, body = FaceMorpher(), BodyRotator()
    for network, weights in ((face, source.face), (body, source.body)):
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    art = stage.artwork
    square = square_picture(art.picture, art.framing, layout.SIDE)
    picture = torch.from_numpy(square.transpose(2, 0, 1)[None] * 2 - 1)

    def evaluate(pose: Poses) -> FloatImage:
        with torch.inference_mode():
            answer = pose_picture(face, body, picture, torch.from_numpy(pose[None]).float())["image"]
        unit: FloatImage = (answer[0].permute(1, 2, 0).numpy() * 0.5 + 0.5).clip(0, 1)
        return unit

    return evaluate
