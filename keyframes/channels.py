# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose channels, and the pose spaces that they form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.unknown import suggestion

#: A pose, or N of them: (C,) or (N, C), float64, in the order of the space's channels.
Poses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """One number that a person can keyframe.

    Sides are the character's own: its left is on the picture's right.
    """

    name: str
    """Identifier: lower-case ASCII words joined by underscores, or the name that the field fixed."""
    minimum: float
    maximum: float
    default: float
    group: str
    """``Brows``, ``Eyes``, ``Gaze``, ``Mouth``, ``Head``, ``Body``, ``Shape``, ``Expression`` or ``Driving``."""
    side: Optional[str] = None
    """``left``, ``right`` or ``None`` (both, or in the middle)."""
    description: str = ""
    """What +1 means, in a few words."""
    pair: Optional[str] = None
    """The channel that takes this one's place in a mirrored picture; ``None``: the channel itself."""
    mirror_sign: int = 1
    """-1 where a mirrored picture shows the negated value (turning, leaning, looking aside)."""


@dataclass(frozen=True)
class PoseSpace:
    """An ordered set of channels: what the numbers of a pose vector mean."""

    name: str
    description: str
    channels: tuple[Channel, ...]
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {channel.name: i for i, channel in enumerate(self.channels)}
        if len(index) != len(self.channels):
            raise ValueError(f"pose space {self.name} names a channel twice")
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.channels)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)

    def index(self, name: str) -> int:
        """Column of the channel ``name``; raises ``KeywarpError`` where there is none."""
        try:
            return self._index[name]
        except KeyError:
            raise KeywarpError(
                f"pose space {self.name} has no channel named {name!r}{suggestion(name, self.names)}"
            ) from None

    def __getitem__(self, name: str) -> Channel:
        return self.channels[self.index(name)]

    @property
    def minimum(self) -> Poses:
        return np.array([channel.minimum for channel in self.channels])

    @property
    def maximum(self) -> Poses:
        return np.array([channel.maximum for channel in self.channels])

    def rest(self) -> Poses:
        """The defaults of all channels, (C,): the pose that shows the picture as it is."""
        return np.array([channel.default for channel in self.channels])

    def pose(self, values: Mapping[str, float]) -> Poses:
        """The rest pose, (C,), with ``values`` put in by name."""
        pose = self.rest()
        for name, value in values.items():
            pose[self.index(name)] = value
        return pose

    def clamp(self, poses: npt.ArrayLike) -> Poses:
        """``poses``, (..., C), with every channel held to its range."""
        return np.clip(np.asarray(poses, np.float64), self.minimum, self.maximum)

    def mirror(self, poses: npt.ArrayLike) -> Poses:
        """The poses, (..., C), that show the same in a picture mirrored left to right."""
        poses = np.asarray(poses, np.float64)
        source = [self._index[channel.pair or channel.name] for channel in self.channels]
        sign = np.array([channel.mirror_sign for channel in self.channels])
        mirrored: Poses = poses[..., source] * sign
        return mirrored
