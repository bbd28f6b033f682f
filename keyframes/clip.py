# SPDX-License-Identifier: GPL-3.0-or-later
"""``Clip``: the curves of a performance, in one pose space and at one frame rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import MAX_FRAME, MAX_KEYS, number, shown
from keywarp.keyframes.spaces import space as space_named

Array = npt.NDArray[np.float64]
FilePath = Union[str, "PathLike[str]"]

MIN_FPS, MAX_FPS = 0.001, 100_000.0


class Sampled(Protocol):
    """What can be rendered: poses over time. A ``Clip``, or several layered."""

    @property
    def space(self) -> str:
        """Name of the pose space."""

    @property
    def fps(self) -> float:
        """Frames a second."""

    @property
    def start(self) -> float:
        """First frame; fractions allowed."""

    @property
    def end(self) -> float:
        """Last frame, inclusive."""

    @property
    def animated(self) -> frozenset[str]:
        """The channels that are not simply at rest."""

    def sample(self, frames: npt.ArrayLike) -> Array:
        """The poses at ``frames``, (N,): (N, C) in the order of the space, not held to its ranges."""


@dataclass(frozen=True)
class Marker:
    """A named frame."""

    frame: float
    name: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", number(self.frame, "a marker's frame", MAX_FRAME))
        if not isinstance(self.name, str):
            raise KeywarpError(f"a marker's name must be text, not {shown(self.name)}")


def checked_rate(fps: object) -> float:
    rate = number(fps, "a clip's frame rate", MAX_FPS)
    if rate < MIN_FPS:
        raise KeywarpError(f"a clip's frame rate must be {MIN_FPS:g} at least, not {rate:g}")
    return rate


def checked_range(start: object, end: object) -> tuple[float, float]:
    first, last = number(start, "a clip's start", MAX_FRAME), number(end, "a clip's end", MAX_FRAME)
    if last < first:
        raise KeywarpError(f"a clip must not end (frame {last:g}) before it starts (frame {first:g})")
    return first, last


@dataclass(frozen=True)
class Clip:
    """Curves by channel name. Keys, markers, start and end are in frames at ``fps``; fractions are
    allowed, and the range is inclusive. Bad values raise ``KeywarpError``.
    """

    space: str
    """Name of the pose space that the channels belong to."""
    curves: Mapping[str, Curve]
    fps: float
    start: float
    end: float
    markers: tuple[Marker, ...] = ()
    title: str = ""
    author: str = ""
    licence: str = ""
    credit: str = ""
    """The line that the licence asks to be shown."""
    source: str = ""
    """Where it came from: an address, a file, a method."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What the clip's file says that this version does not know."""

    __hash__ = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        start, end = checked_range(self.start, self.end)
        for name, value in (("fps", checked_rate(self.fps)), ("start", start), ("end", end)):
            object.__setattr__(self, name, value)
        for name in METADATA:
            if not isinstance(getattr(self, name), str):
                raise KeywarpError(f"a clip's {name} must be text, not {shown(getattr(self, name))}")
        object.__setattr__(self, "curves", dict(self.curves))
        object.__setattr__(self, "markers", tuple(self.markers))
        for channel in self.curves:
            self.pose_space.index(channel)
        count = sum(map(len, self.curves.values()))
        if count > MAX_KEYS:
            raise KeywarpError(f"a clip has at most {MAX_KEYS:,} keys, not {count:,}")

    @property
    def pose_space(self) -> PoseSpace:
        return space_named(self.space)

    @property
    def animated(self) -> frozenset[str]:
        return frozenset(self.curves)

    @property
    def seconds(self) -> float:
        """Duration, from the first frame's time to the last's."""
        return (self.end - self.start) / self.fps

    def frames(self) -> Array:
        """The clip's own frames, from its start in steps of one: (N,)."""
        return np.arange(math.floor(self.end - self.start + 1e-6) + 1, dtype=np.float64) + self.start

    def sample(self, frames: npt.ArrayLike) -> Array:
        """The poses at ``frames``, (N,): (N, C) in the order of the space, not held to its ranges.

        Channels without a curve are at their default. Frames outside the range are extrapolated.
        """
        times = np.atleast_1d(np.asarray(frames, np.float64))
        space = self.pose_space
        poses: Array = np.repeat(space.rest()[None], len(times), axis=0)
        for channel, curve in self.curves.items():
            poses[:, space.index(channel)] = curve.sample(times)
        return poses

    @classmethod
    def load(cls, path: FilePath) -> Clip:
        """Read a clip file; raises ``KeywarpError`` that names the file and the fault."""
        from keywarp.keyframes.clip_file import load

        return load(path)

    def save(self, path: FilePath) -> None:
        """Write a clip file, whole or not at all; raises ``KeywarpError`` where that fails."""
        from keywarp.keyframes.clip_file import save

        save(self, path)


METADATA = ("title", "author", "licence", "credit", "source")
