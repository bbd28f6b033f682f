# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mappings there are, and the way between any two pose spaces."""

from __future__ import annotations

from typing import Union

import numpy.typing as npt

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import animeceleb20, anitalk6, arkit52, au17, expressions7, mmd, vrm
from keywarp.keyframes.mappings.base import Mapping, checked_poses
from keywarp.keyframes.spaces import space, tha45

#: Every mapping by the names of its two spaces.
MAPPINGS: dict[tuple[str, str], Mapping] = {
    (each.source.name, each.target.name): each
    for each in (
        arkit52.TO_THA45,
        vrm.TO_THA45,
        mmd.TO_THA45,
        au17.TO_THA45,
        au17.WITH_HEAD_TO_THA45,
        anitalk6.TO_THA45,
        anitalk6.FROM_THA45,
        animeceleb20.TO_THA45,
        animeceleb20.FROM_THA45,
        animeceleb20.GAZE_TO_THA45,
        animeceleb20.GAZE_FROM_THA45,
        au17.FROM_THA45,
        expressions7.TO_THA45,
        expressions7.FROM_THA45,
    )
}

#: A pose space, or its name.
SpaceOrName = Union[PoseSpace, str]


def _named(given: SpaceOrName) -> PoseSpace:
    return space(given) if isinstance(given, str) else given


def mapping(source: SpaceOrName, target: SpaceOrName) -> Mapping:
    """The direct mapping between two spaces; raises ``KeywarpError`` naming those that exist."""
    source, target = _named(source), _named(target)
    try:
        return MAPPINGS[source.name, target.name]
    except KeyError:
        pass
    out = [b for a, b in MAPPINGS if a == source.name]
    into = [a for a, b in MAPPINGS if b == target.name]
    raise KeywarpError(
        f"there is no mapping from {source.name} to {target.name}; from {source.name} there are mappings to "
        f"{', '.join(out) or 'no space'}, to {target.name} from {', '.join(into) or 'no space'}"
    )


def route(source: SpaceOrName, target: SpaceOrName) -> tuple[Mapping, ...]:
    """The mappings to go through, in order: none, one, or two that meet in ``tha45``.

    Raises ``KeywarpError`` where there is no way.
    """
    source, target = _named(source), _named(target)
    if source.name == target.name:
        return ()
    if (source.name, target.name) in MAPPINGS or tha45.SPACE.name in (source.name, target.name):
        return (mapping(source, target),)
    return (mapping(source, tha45.SPACE), mapping(tha45.SPACE, target))


def cannot_carry(source: SpaceOrName, target: SpaceOrName) -> tuple[str, ...]:
    """What is lost between two spaces, each loss with the space in which it happens."""
    return tuple(
        f"{step.source.name}: {loss}" for step in route(source, target) for loss in step.cannot_carry
    )


def convert(poses: npt.ArrayLike, source: SpaceOrName, target: SpaceOrName) -> Poses:
    """``poses`` of one space, (C,) or (N, C), as poses of another, directly or through ``tha45``.

    The answer lies within the target's ranges. Raises ``KeywarpError`` where there is no way, or where
    the poses are not finite or not of the source.
    """
    steps = route(source, target)
    converted = checked_poses(_named(source), poses)
    for step in steps:
        converted = step(converted)
    return converted if steps else _named(source).clamp(converted)
