# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression categories to THA's parameters by keywarp's own ready-made expressions, and back by how much of each a
face holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.expressions import expression
from keywarp.keyframes.mappings.base import Mapping
from keywarp.keyframes.spaces import expressions7, tha45

#: Category to ready-made expression; contempt is the disapproving look.
_FACES = {
    "angry": "anger",
    "contemptuous": "disapproval",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "joy",
    "sad": "sadness",
    "surprised": "surprise",
}


@dataclass(frozen=True)
class CategorySettings:
    """How strong a face a category is, and when a face counts as one."""

    strength: float = 1.0
    """How much of the ready-made expression a weight of 1 shows."""
    threshold: float = 0.05
    """Weights below are no expression but a movement of something else."""


def _departures() -> Poses:
    """(7, 45): what each category's face adds to the rest; categories have no side, so both look alike."""
    faces = np.array([tha45.SPACE.pose(expression(_FACES[name]).pose()) for name in expressions7.NAMES])
    return (faces + tha45.SPACE.mirror(faces)) / 2 - tha45.SPACE.rest()


_DEPARTURES = _departures()
_UNUSED = tuple(name for i, name in enumerate(tha45.SPACE.names) if not _DEPARTURES[:, i].any())


def _to_tha45(poses: Poses, settings: CategorySettings) -> Poses:
    shown: Poses = tha45.SPACE.rest() + settings.strength * poses @ _DEPARTURES
    return shown


def _from_tha45(poses: Poses, settings: CategorySettings) -> Poses:
    """Least squares over all categories; what would be shown negatively is left out."""
    face = poses - tha45.SPACE.rest()
    weights = face @ np.linalg.pinv(settings.strength * _DEPARTURES)
    return np.where(weights < settings.threshold, 0.0, weights)


TO_THA45 = Mapping(
    expressions7.SPACE,
    tha45.SPACE,
    _to_tha45,
    cannot_carry=("several categories at once beyond what the face's channels can reach",),
    settings=CategorySettings(),
)
FROM_THA45 = Mapping(
    tha45.SPACE,
    expressions7.SPACE,
    _from_tha45,
    cannot_carry=(
        *_UNUSED,
        "blinks, speech, and whatever else is no expression of a category",
    ),
    settings=CategorySettings(),
)
