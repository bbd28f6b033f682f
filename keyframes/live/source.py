# SPDX-License-Identifier: GPL-3.0-or-later
"""What every live source of poses is: started, asked for its newest pose, stopped.

Times are seconds of one clock that never jumps, ``clock()``. Poses are of ``tha45``, (45,).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Optional, Protocol

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import tha45

SPACE = tha45.SPACE

clock = time.monotonic

OFF, WAITING, LIVE, LOST, FAILED = "off", "waiting", "live", "lost", "failed"


@dataclass(frozen=True)
class State:
    """How a source does, for a person to read."""

    phase: str
    """``off``, ``waiting`` (nothing has come yet), ``live``, ``lost`` (it has ceased) or ``failed``."""
    message: str
    """One line: what it listens to, what is wrong, what to check."""


class LiveSource(Protocol):
    """Something that has a pose at every moment, or none at present."""

    @property
    def channels(self) -> frozenset[str]:
        """The channels of ``tha45`` of which it speaks; it leaves the others to sources below it."""

    @property
    def state(self) -> State:
        """How it does."""

    def start(self) -> None:
        """Begin; raises ``KeywarpError`` where it cannot. Starting twice is starting once."""

    def stop(self) -> None:
        """End, and let go of sockets and threads; it may be started again."""

    def pose(self, now: float) -> Optional[Poses]:
        """The newest pose at ``now``, (45,), within the ranges; ``None`` where it has none."""


def columns(names: frozenset[str]) -> list[int]:
    """The places of channels in ``tha45``."""
    return [place for place, name in enumerate(SPACE.names) if name in names]


def of_groups(*groups: str) -> frozenset[str]:
    """The channels of some groups (``Mouth``, ``Head`` ...)."""
    return frozenset(channel.name for channel in SPACE.channels if channel.group in groups)
