# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as hosts send them, in the space of the model that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings import convert, route
from keywarp.keyframes.spaces import space


@cache
def copies(source: str, target: str) -> Mapping[str, str]:
    """By channel of ``target``: the one channel of ``source`` that it is a scaled copy of."""
    names = {name: name for name in space(source).names}
    for step in route(source, target):
        names = {
            name: names[scaled.source]
            for name, scaled in step.scaled_channels().items()
            if scaled.source in names
        }
    return names


def model_pose(values: Mapping[str, float], source: str, target: str, defaults: Mapping[str, float]) -> Poses:
    """The pose, (C,), of the space ``target``, within its ranges, that a host describes in ``source``.

    Names that only the target has are taken as they are. What the host does not move has the character's
    ``defaults``, as where a clip is rendered (see ``render.job.PoseTrack``). Raises ``KeywarpError`` for names that
    neither space has.
    """
    given, wanted = space(source), space(target)
    if given.name == wanted.name:
        return np.asarray(wanted.clamp(wanted.pose({**defaults, **values})))
    direct = {name: value for name, value in values.items() if name not in given and name in wanted}
    spoken = {name: value for name, value in values.items() if name not in direct}
    pose = convert(given.pose(spoken), given, wanted)
    origin = copies(given.name, wanted.name)
    moved = pose != wanted.rest()
    for name, value in defaults.items():
        column = wanted.index(name)
        if not moved[column] and origin.get(name) not in spoken:
            pose[column] = value
    for name, value in direct.items():
        pose[wanted.index(name)] = value
    return np.asarray(wanted.clamp(pose))
