# SPDX-License-Identifier: GPL-3.0-or-later
"""Chance that is the same everywhere: raw words of PCG64, which numpy promises never to change.

numpy's ``Generator`` may draw other numbers in another version, its bit generators may not (NEP 19). Each topic of a
seed has a stream of its own, so that a new topic leaves the others as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Chance:
    """A stream of numbers for one topic of one seed."""

    def __init__(self, seed: int, topic: str) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence((seed, zlib.crc32(topic.encode()))))

    def unit(self) -> float:
        """Uniform in [0, 1), on 53 bits."""
        return float(int(self._bits.random_raw()) >> 11) * 2.0**-53

    def within(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.unit()

    def about(self, middle: float, spread: float) -> float:
        """Near the middle, by a triangular distribution that ends at ``spread`` to each side."""
        return middle + spread * (self.unit() - self.unit())

    def whole(self, count: int) -> int:
        """Uniform among 0 .. count - 1."""
        return int(self.unit() * count)

    def pick(self, items: Sequence[Item]) -> Item:
        """One of some, all alike."""
        return items[self.whole(len(items))]

    def weighed(self, items: Sequence[tuple[Item, float]]) -> Item:
        """One of some, by their weights."""
        at = self.unit() * sum(weight for _, weight in items)
        for item, weight in items:
            at -= weight
            if at < 0:
                return item
        return items[-1][0]

    def happens(self, probability: float) -> bool:
        """Whether something of that probability happens."""
        return self.unit() < probability
