# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources that need no tracker: a clip that plays, idle motion, the mouse."""

from __future__ import annotations

import math
from typing import Callable, Optional

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import MAX_SECONDS, Idle
from keywarp.keyframes.keys import number
from keywarp.keyframes.live.pointer import pointer
from keywarp.keyframes.live.source import LIVE, OFF, SPACE, WAITING, State
from keywarp.keyframes.mappings import convert_clip

MAX_SPEED = 10.0
#: A clip whose last frame is this near to its first, in every channel, meets itself there.
_SEAMLESS = 1e-3


class ClipSource:
    """A clip, from its first frame at the first pose asked for after ``start``; looped, or held at its end."""

    def __init__(self, clip: Clip, loop: bool = True, speed: float = 1.0) -> None:
        """Raises ``KeywarpError`` where the clip's space has no way to tha45 or the speed is beyond 10."""
        self.clip = convert_clip(clip, SPACE.name)
        self.loop = loop
        self.speed = number(speed, "a clip's speed", MAX_SPEED)
        if self.speed <= 0.0:
            raise KeywarpError(f"a clip's speed is above 0 and at most {MAX_SPEED:g}, not {speed:g}")
        ends = self.clip.sample([self.clip.start, self.clip.end])
        span = self.clip.end - self.clip.start
        # A timeline shows each frame once, but one that ends as it began would stand still for a frame.
        self._period = span if span >= 1.0 and np.abs(ends[1] - ends[0]).max() <= _SEAMLESS else span + 1.0
        self._running, self._began = False, math.nan

    def start(self) -> None:
        if not self._running:
            self._running, self._began = True, math.nan

    def stop(self) -> None:
        self._running = False

    @property
    def channels(self) -> frozenset[str]:
        return self.clip.animated

    @property
    def state(self) -> State:
        name = self.clip.title or self.clip.source or "the clip"
        return State(LIVE, f"{name} plays") if self._running else State(OFF, f"{name} is stopped")

    def pose(self, now: float) -> Optional[Poses]:
        if not self._running:
            return None
        if math.isnan(self._began):
            self._began = now
        frame = (now - self._began) * self.clip.fps * self.speed
        frame = frame % self._period if self.loop else min(frame, self.clip.end - self.clip.start)
        pose = self.clip.sample([self.clip.start + frame])[0]
        return np.asarray(SPACE.clamp(pose))


class IdleSource:
    """Blinks, breath and sway, for layers below all others."""

    def __init__(self, idle: Optional[Idle] = None) -> None:
        self.idle = idle or Idle()
        self._running = False

    def start(self) -> None:
        self._running = True

    def stop(self) -> None:
        self._running = False

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self.idle.channels)

    @property
    def state(self) -> State:
        return State(LIVE, "idle motion") if self._running else State(OFF, "idle motion is off")

    def pose(self, now: float) -> Optional[Poses]:
        if not self._running:
            return None
        return np.asarray(self.idle.over(np.zeros((1, len(SPACE))), [now % MAX_SECONDS])[0])


#: What the pointer at the picture's edge does, by channel: how much of its place across, and up.
POINTER = {
    "iris_rotation_y": (-1.0, 0.0),
    "iris_rotation_x": (0.0, 1.0),
    "head_y": (-0.6, 0.0),
    "head_x": (0.0, 0.5),
    "body_y": (-0.3, 0.0),
}


class MouseSource:
    """The character looks at the pointer: the host tells where that is by ``move``, or else the system does."""

    def __init__(self, ask: Callable[[], Optional[tuple[float, float]]] = pointer) -> None:
        """``ask``: where the pointer is on the screen, while no host has said so."""
        self._ask = ask
        self._told = False
        self._place: Optional[tuple[float, float]] = None
        self._running = False

    def move(self, across: float, up: float) -> None:
        """The pointer's place: -1 to 1 from the left edge to the right and from the lower to the upper."""
        if math.isfinite(across) and math.isfinite(up):
            self._told = True
            self._place = (min(max(across, -1.0), 1.0), min(max(up, -1.0), 1.0))

    def start(self) -> None:
        self._running = True

    def stop(self) -> None:
        self._running, self._place, self._told = False, None, False

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(POINTER)

    @property
    def state(self) -> State:
        if not self._running:
            return State(OFF, "the mouse is off")
        if self._place is None:
            return State(WAITING, "this system does not tell where the pointer is, and the host has not yet")
        return State(LIVE, "the character looks at the mouse")

    def pose(self, now: float) -> Optional[Poses]:
        if not self._running:
            return None
        if not self._told:
            self._place = self._ask()
        if self._place is None:
            return None
        across, up = self._place
        return SPACE.pose({name: x * across + y * up for name, (x, y) in POINTER.items()})
