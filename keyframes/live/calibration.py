# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's neutral face, taken off what a tracker reads.

What runs from 0 up is stretched, so that its far end stays in reach; what runs both ways (angles) is shifted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Optional

from keywarp.keyframes.channels import Channel, PoseSpace
from keywarp.keyframes.live.reading import Reach

#: The neutral face is the mean over so many seconds before it is taken.
SECONDS = 0.5
_MOST = 64  # at 120 frames a second
#: A coefficient that is this near to its end when the face is neutral is no measure of anything: it is left.
_HIGHEST = 0.9


class Calibration:
    """Remembers the newest readings, and the neutral face once ``take`` has been called."""

    def __init__(self, spaces: Iterable[PoseSpace]) -> None:
        spaces = tuple(spaces)
        self._channels: dict[str, Channel] = {c.name: c for space in spaces for c in space.channels}
        self._reach = Reach(spaces)
        self._recent: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=_MOST)
        self._neutral: dict[str, float] = {}

    @property
    def neutral(self) -> dict[str, float]:
        """By channel; may be set to what was kept from another day, of which what no face reads is left out."""
        return self._neutral

    @neutral.setter
    def neutral(self, face: Mapping[str, float]) -> None:
        self._neutral = self._reach.usable(face)

    def add(self, values: Mapping[str, float], now: float) -> None:
        """Remember a reading."""
        self._recent.append((now, values))

    def take(self) -> bool:
        """Make the mean of the last half second the neutral face; whether there was any."""
        if not self._recent:
            return False
        newest = self._recent[-1][0]
        rows = [values for time, values in self._recent if newest - time <= SECONDS]
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for values in rows:
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + 1
        self.neutral = {name: sums[name] / counts[name] for name in sums}
        return True

    def forget(self) -> None:
        """Take nothing off any more."""
        self.neutral = {}

    def __call__(self, values: Mapping[str, float]) -> dict[str, float]:
        """``values`` as though the neutral face had read 0 throughout."""
        if not self._neutral:
            return dict(values)
        return {name: self._corrected(name, value) for name, value in values.items()}

    def _corrected(self, name: str, value: float) -> float:
        neutral: Optional[float] = self._neutral.get(name)
        channel = self._channels.get(name)
        if neutral is None or channel is None:
            return value
        if channel.minimum < 0.0:
            return value - neutral
        share = neutral / channel.maximum
        if not 0.0 < share < _HIGHEST:
            return value
        return max(value - neutral, 0.0) / (1.0 - share)
