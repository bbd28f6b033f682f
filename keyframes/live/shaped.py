# SPDX-License-Identifier: GPL-3.0-or-later
"""A source made to fit: sensitivity and limits for each group, a mirror, smoothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import number
from keywarp.keyframes.live.one_euro import OneEuro
from keywarp.keyframes.live.source import SPACE, LiveSource, State
from keywarp.keyframes.spaces.rows import GAZE

GROUPS = tuple(dict.fromkeys(channel.group for channel in SPACE.channels))
MAX_SENSITIVITY = 4.0

#: Cutoff in hertz of a channel that rests, without smoothing and with all of it; between them as a power.
_LIGHTEST, _HEAVIEST = 10.0, 0.5
#: The pupils tremble more than the rest: their cutoff is lower by this factor.
_GAZE_CUTOFF = 0.5
#: Hertz by which the cutoff rises where a channel crosses its range within a second.
_BETA = 2.0
#: A pause after which the filter begins anew, in seconds.
_PAUSE = 0.5


@dataclass(frozen=True)
class Shape:
    """What a person tunes; raises ``KeywarpError`` for what is beyond its limits."""

    smoothing: float = 0.5
    """0: none; 1: the calmest and slowest."""
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    """By group: what the distance from neutral is multiplied with; 1 where it is not named."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """By group: how much of the range may be used, 0 to 1; 1 where it is not named."""
    mirror: bool = False
    """Left and right exchanged, as in a mirror."""

    def __post_init__(self) -> None:
        _within(self.smoothing, "smoothing", 1.0)
        for what, most in (("sensitivity", MAX_SENSITIVITY), ("limits", 1.0)):
            for group, value in getattr(self, what).items():
                if group not in GROUPS:
                    raise KeywarpError(
                        f"there is no group {group!r} of channels; there are {', '.join(GROUPS)}"
                    )
                _within(value, f"{what} of {group}", most)


def _within(value: object, what: str, most: float) -> None:
    if not 0.0 <= number(value, what, most) <= most:
        raise KeywarpError(f"{what} is from 0 to {most:g}, not {value}")


def _by_group(given: Mapping[str, float]) -> Poses:
    return np.array([float(given.get(channel.group, 1.0)) for channel in SPACE.channels])


class Shaped:
    """A live source with a ``Shape``. Neutral is 0 in every channel, which is a shut mouth."""

    def __init__(self, source: LiveSource, shape: Optional[Shape] = None) -> None:
        self.source = source
        self.reshape(shape or Shape())

    def reshape(self, shape: Shape) -> None:
        """Take other settings."""
        self.shape = shape
        self._gain, limit = _by_group(shape.sensitivity), _by_group(shape.limits)
        self._low, self._high = SPACE.minimum * limit, SPACE.maximum * limit
        self._filter: Optional[OneEuro] = None
        self._last = -np.inf
        if shape.smoothing > 0.0:
            rest = _LIGHTEST * (_HEAVIEST / _LIGHTEST) ** shape.smoothing
            gaze = np.array([channel.group == GAZE for channel in SPACE.channels])
            self._filter = OneEuro(np.where(gaze, _GAZE_CUTOFF * rest, rest), _BETA)

    def start(self) -> None:
        self.source.start()

    def stop(self) -> None:
        self.source.stop()
        if self._filter is not None:
            self._filter.reset()

    @property
    def channels(self) -> frozenset[str]:
        spoken = self.source.channels
        if not self.shape.mirror:
            return spoken
        return frozenset(SPACE[name].pair or name for name in spoken)

    @property
    def state(self) -> State:
        return self.source.state

    def pose(self, now: float) -> Optional[Poses]:
        """The source's pose, shaped and then smoothed."""
        pose = self.source.pose(now)
        if pose is None:
            return None
        if self.shape.mirror:
            pose = SPACE.mirror(pose)
        pose = np.clip(pose * self._gain, self._low, self._high)
        if self._filter is None:
            return pose
        if not 0.0 <= now - self._last <= _PAUSE:
            self._filter.reset()
        self._last = now
        return self._filter(pose, now)
