# SPDX-License-Identifier: GPL-3.0-or-later
"""What a decoder makes of a packet, and what a protocol is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional, Protocol

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.mappings import Mapping as PoseMapping
from keywarp.keyframes.spaces import arkit52

#: By channel of the protocol's spaces.
Values = Mapping[str, float]
#: By the name of the source's space: the way to tha45.
Mappings = Mapping[str, PoseMapping]

#: A UDP datagram is never longer.
MAX_PACKET = 65_535
#: Of a channel's range: trackers exaggerate, and what goes further than this is no face.
_REACH = 2.0


class Reading(NamedTuple):
    """One moment of a face."""

    values: dict[str, float]
    """Numbers by channel, of any size; channels that a packet does not name are as they were."""
    time: Optional[float] = None
    """Seconds on the sender's clock, where it tells them."""
    found: bool = True
    """Whether the tracker sees a face."""


class Reach:
    """How far the channels of some spaces may go, so that no sum or share of readings is ever beyond all bounds."""

    def __init__(self, spaces: Iterable[PoseSpace]) -> None:
        self._most = {c.name: _REACH * max(-c.minimum, c.maximum) for space in spaces for c in space.channels}

    def held(self, values: Values) -> dict[str, float]:
        """``values`` within reach; without those that are no numbers or of no channel."""
        most = self._most
        return {
            name: min(max(value, -most[name]), most[name])
            for name, value in values.items()
            if name in most and not math.isnan(value)
        }

    def usable(self, values: Values) -> dict[str, float]:
        """Those of ``values`` that lie within reach."""
        return {name: value for name, value in values.items() if abs(value) <= self._most.get(name, -1.0)}


class Decoder(Protocol):
    """Packets to readings. Any bytes are allowed: what is not understood is passed over."""

    def feed(self, packet: bytes) -> Optional[Reading]:
        """What the packet says, or ``None`` where it says nothing that is wanted."""


@dataclass(frozen=True)
class TrackerProtocol:
    """How one kind of tracker speaks, as data."""

    name: str
    """The word on the command line."""
    title: str
    port: int
    """Where we listen, and where a phone does."""
    spaces: tuple[PoseSpace, ...]
    """The pose spaces whose channels its readings name."""
    decoder: Callable[[], Decoder]
    pose: Callable[[Values, Mappings], Poses]
    """Values to a pose of tha45, (45,)."""
    channels: Callable[[Values], frozenset[str]]
    """The channels of tha45 that these values speak of."""
    check: str
    """What a person checks in the sending program when nothing arrives, from "that" on."""
    hello: Optional[Callable[[int], bytes]] = None
    """For a phone: the packet that asks it to send to a port of ours."""
    hello_seconds: float = 1.0
    """How often a phone is asked; those that go on by themselves are asked only while they are silent."""
    hello_always: bool = False


def finite(number: object) -> Optional[float]:
    """A number as float, ``None`` for anything else and for what is not finite."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    try:
        value = float(number)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def parsed(text: str) -> Optional[float]:
    """The number that a text is, where it is finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _arkit_names() -> dict[str, str]:
    """ARKit's coefficients by their spellings in lower case: ``eyeBlinkLeft``, ``EyeBlinkLeft``, ``eyeBlink_L``."""
    names = {}
    for name in arkit52.SPACE.names:
        if name.startswith("head_"):
            continue
        names[name.lower()] = name
        for side in ("Left", "Right"):
            if name.endswith(side):
                names[f"{name[: -len(side)]}_{side[0]}".lower()] = name
    return names


ARKIT_NAMES: Mapping[str, str] = _arkit_names()


def arkit_pose(values: Values, mappings: Mappings) -> Poses:
    """Readings of ARKit's coefficients and head as a pose of tha45."""
    return mappings["arkit52"](arkit52.SPACE.pose(values))
