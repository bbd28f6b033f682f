# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a student is to its teacher, on poses that it has not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.poses import poses
from keywarp.core.models.tha.distill.teacher import Teacher, Truth, network_picture
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, place_grid, sampled, with_face
from keywarp.core.motion import FloatImage
from keywarp.core.training.scores import means, picture_scores, seen
from keywarp.core.training.sheets import Row

UNSEEN = 1_000_003
"""Added to the seed of the poses that are learnt from."""


@dataclass(frozen=True)
class Check:
    """A pose with the teacher's answer, kept in memory; (h, w, 4) in [0, 1]."""

    pose: Tensor
    """(1, 45)"""
    truth: Truth


def checks(
    teacher: Teacher, seed: int, count: int, device: torch.device, advance: Callable[[int, int], None]
) -> list[Check]:
    """The teacher's answers to ``count`` poses that are in no bank."""
    found = []
    for pose in poses(seed + UNSEEN, count):
        one = torch.from_numpy(pose[None]).to(device)
        found.append(Check(one, teacher.answer(one)))
        advance(len(found), count)
    return found


def unit(image: Tensor) -> FloatImage:
    """The first of (N, C, h, w) in network space as (h, w, C) in [0, 1]."""
    return np.asarray((image[0].float().permute(1, 2, 0).cpu().numpy() * 0.5 + 0.5).clip(0, 1), np.float32)


@torch.no_grad()
def face_rows(face: FaceMorpher, subject: Tensor, checked: Sequence[Check]) -> list[Row]:
    """Lines of a sheet for the face morpher; ``subject``: the picture, (1, 4, 512, 512)."""
    rest = unit(
        subject[:, :, layout.FACE_TOP :, layout.FACE_LEFT :][:, :, : layout.FACE_SIDE, : layout.FACE_SIDE]
    )
    rows = []
    for number, each in enumerate(checked):
        image, truth = unit(face(each.pose[:, : layout.FACE_CHANNELS])), unit(each.truth.face)
        nothing = np.zeros((*image.shape[:2], 2), np.float32)
        rows.append(Row(_caption(number, image, truth), rest, truth, image, rest, nothing, nothing[..., :1]))
    return rows


@torch.no_grad()
def body_rows(
    body: BodyRotator, face: FaceMorpher | None, subject: Tensor, checked: Sequence[Check]
) -> list[Row]:
    """The same for the body rotator on the faces of ``face``, or on the teacher's."""
    rows = []
    for number, each in enumerate(checked):
        given = each.truth.face if face is None else face(each.pose[:, : layout.FACE_CHANNELS])
        out = body(with_face(subject, given), each.pose)
        image, truth = unit(out["image"]), unit(each.truth.image)
        nothing = torch.zeros_like(out["image"][:, :1])
        flow = out.get("flow", nothing.expand(-1, 2, -1, -1))[0].permute(1, 2, 0).cpu().numpy()
        alpha = out.get("alpha", nothing + 1)[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
        moved = unit(out.get("warped", sampled(subject, place_grid(layout.SIDE, each.pose))))
        rows.append(Row(_caption(number, image, truth), unit(subject), truth, image, moved, flow, alpha))
    return rows


def _caption(number: int, image: FloatImage, truth: FloatImage) -> str:
    return f"pose {number + 1} of those not learnt from: {picture_scores(seen(image), seen(truth))['psnr']:.2f} dB"


def scores(rows: Sequence[Row]) -> Mapping[str, Mapping[str, float]]:
    """Means over the rows: of the answer, and of the picture left as it is."""
    return {
        "answer": means(picture_scores(seen(row.image), seen(row.posed)) for row in rows),
        "unposed": means(picture_scores(seen(row.rest), seen(row.posed)) for row in rows),
    }


def network_subject(teacher: Teacher, device: torch.device) -> Tensor:
    """The teacher's picture, (1, 4, 512, 512)."""
    return network_picture(teacher.subject.square).to(device)
