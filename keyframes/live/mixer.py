# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sources layered into one pose: a tracker for the head, a clip for the mouth, idle motion below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import number, one_of
from keywarp.keyframes.layers import MODES
from keywarp.keyframes.live.shaped import GROUPS
from keywarp.keyframes.live.source import FAILED, LIVE, OFF, SPACE, LiveSource, State, columns, of_groups

#: How long a source takes to come in, and to leave the pose to those below, in seconds.
FADE_SECONDS = 0.3
MAX_WEIGHT = 4.0


@dataclass(frozen=True)
class Layer:
    """One source among others."""

    source: LiveSource
    priority: int = 0
    """Higher ones lie above lower ones; of equal ones the later above the earlier."""
    parts: Optional[tuple[str, ...]] = None
    """Groups and channels that it may move; ``None``: all of which it speaks."""
    weight: float = 1.0
    """1: all of it; 0: nothing; more exaggerates."""
    mode: str = "REPLACE"
    """``REPLACE`` goes from the layers below towards this pose; ``ADD`` adds what it differs from the rest."""

    def __post_init__(self) -> None:
        one_of(self.mode, MODES, "a layer's mode")
        if not number(self.weight, "a layer's weight", MAX_WEIGHT) >= 0.0:
            raise KeywarpError(f"a layer's weight is from 0 to {MAX_WEIGHT:g}, not {self.weight}")
        for part in self.parts or ():
            if part not in GROUPS:
                SPACE.index(part)

    @property
    def channels(self) -> frozenset[str]:
        """What it moves at present."""
        if self.parts is None:
            return self.source.channels
        groups = of_groups(*(part for part in self.parts if part in GROUPS))
        return self.source.channels & (groups | set(self.parts))


@dataclass
class _Presence:
    """How far a layer has come in, and what it showed last."""

    share: float = 0.0
    pose: Optional[Poses] = None
    columns: tuple[int, ...] = ()


class Mixer:
    """Layers over the rest pose, as one live source. A layer that cannot start leaves the others running."""

    def __init__(
        self,
        layers: Iterable[Layer],
        rest: Optional[Mapping[str, float]] = None,
        fade_seconds: float = FADE_SECONDS,
    ) -> None:
        """``rest``: the character's defaults, where they are not those of tha45."""
        self.layers = tuple(sorted(layers, key=lambda layer: layer.priority))
        self._rest = SPACE.pose(rest or {})
        self._fade = number(fade_seconds, "the time of a fade", 60.0)
        self._presences = [_Presence() for _ in self.layers]
        self._last: Optional[float] = None
        self._running = False
        self._failures: dict[int, str] = {}

    def start(self) -> None:
        self._failures = {}
        for place, layer in enumerate(self.layers):
            try:
                layer.source.start()
            except KeywarpError as error:
                self._failures[place] = str(error)
        self._running = True

    def stop(self) -> None:
        for layer in self.layers:
            layer.source.stop()
        self._presences = [_Presence() for _ in self.layers]
        self._last = None
        self._running = False

    @property
    def channels(self) -> frozenset[str]:
        return frozenset().union(*(layer.channels for layer in self.layers))

    @property
    def states(self) -> list[State]:
        """How each layer does, in the order of ``layers``."""
        states = [layer.source.state for layer in self.layers]
        for place, failure in self._failures.items():
            states[place] = State(FAILED, failure)
        return states

    @property
    def state(self) -> State:
        """Failed where any layer has, live where any is; the message has a part for each."""
        if not self._running:
            return State(OFF, "nothing runs")
        states = self.states
        phases = [state.phase for state in states]
        phase = next((each for each in (FAILED, LIVE) if each in phases), phases[-1] if phases else OFF)
        return State(phase, "; ".join(state.message for state in reversed(states)))

    def pose(self, now: float) -> Poses:
        """The pose of all layers at ``now``, (45,), within the ranges."""
        step = 0.0 if self._last is None else max(now - self._last, 0.0)
        first, self._last = self._last is None, now
        mixed = self._rest.copy()
        for layer, presence in zip(self.layers, self._presences):
            self._advance(layer, presence, now, step, first)
            if presence.pose is None or presence.share == 0.0:
                continue
            at = list(presence.columns)
            below = mixed[at] if layer.mode == "REPLACE" else self._rest[at]
            mixed[at] += layer.weight * presence.share * (presence.pose[at] - below)
        return SPACE.clamp(mixed)

    def _advance(self, layer: Layer, presence: _Presence, now: float, step: float, first: bool) -> None:
        pose = layer.source.pose(now)
        change = step / self._fade if self._fade > 0.0 else 1.0
        if pose is not None:
            presence.pose, presence.columns = pose, tuple(columns(layer.channels))
            presence.share = 1.0 if first else min(presence.share + change, 1.0)
        else:
            presence.share = max(presence.share - change, 0.0)
