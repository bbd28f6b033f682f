# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to learn from. The paper draws them from its teacher's training data, which were not published with it."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.studio.sampling import scheme
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

_MIXED = 0.3
"""Share of the poses whose face has features of several shapes at once, as trackers and blends of clips ask for."""
_ON = 0.2
"""Probability of each of their channels."""
_STILL = 0.1
"""Share of the poses whose face is at rest, and of those whose head and body are."""


def pose_at(seed: int, number: int) -> Poses:
    """Pose ``number`` of an endless sequence, (45,): a shape of brows, of eyes and of the mouth, gaze, head and
    body."""
    tha45 = space("tha45")
    chance = np.random.default_rng((seed, number))
    drawn = scheme("tha45").draws(set(tha45.names), 0, chance)
    pose = np.array(next(iter(itertools.islice(drawn, 1))).pose, np.float64)
    face = slice(0, layout.FACE_CHANNELS)
    if chance.uniform() < _MIXED:
        share = np.where(chance.uniform(size=len(tha45)) < _ON, chance.uniform(size=len(tha45)), 0.0)
        mixed = tha45.minimum + share * (tha45.maximum - tha45.minimum)
        mixed[tha45.minimum < 0] = pose[tha45.minimum < 0]
        pose[face] = mixed[face]
    still = chance.uniform()
    if still < _STILL:
        pose[face] = tha45.rest()[face] if chance.uniform() < 0.5 else 0.0
    elif still < 2 * _STILL:
        pose[layout.FACE_CHANNELS :] = tha45.rest()[layout.FACE_CHANNELS :]
    return pose


def poses(seed: int, count: int) -> npt.NDArray[np.float32]:
    """The first ``count`` of the sequence, (count, 45)."""
    drawn = [pose_at(seed, number) for number in range(count)]
    return np.array(drawn, np.float32).reshape(count, layout.POSE_CHANNELS)
