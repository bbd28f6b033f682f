# SPDX-License-Identifier: GPL-3.0-or-later
"""An endless, shuffled stream of examples, of which every place can be reached at once.

The order is a function of the seed and the epoch, the variation of an example one of the seed and its place. To
resume after n examples is to begin at place n, on however many processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from keywarp.core.training.augment import NONE, Augmentation, example
from keywarp.core.training.sample import Example, Sample
from keywarp.core.training.shards import index_of, shard_files
from keywarp.core.training.stages import Pair, between
from keywarp.keyframes.errors import KeywarpError

BUFFER = 4096
"""Samples among which the next one is drawn; reading stays near each shard's own order."""
_VARIATION = 1


class Stored(Protocol):
    """A sample that can be read when it is needed."""

    def read(self) -> Sample: ...


@runtime_checkable
class Drawn(Stored, Protocol):
    """One that stands for many, of which training takes one by chance."""

    def drawn(self, random: np.random.Generator) -> Sample: ...


class Listed(Protocol):
    """A known number of examples, each with the sample that it is made from."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> Example: ...

    def stored(self, within: int) -> Sample: ...


class Stream:
    """Examples of a data set, epoch after epoch."""

    def __init__(
        self,
        groups: Sequence[Sequence[Stored]],
        *,
        space: str,
        side: int,
        augmentation: Augmentation = NONE,
        seed: int = 0,
        buffer: int = BUFFER,
        shuffled: bool = True,
        domain: int = 0,
        pair: Pair | None = None,
    ) -> None:
        """``groups``: samples that lie together, such as those of a shard; whole groups change places first."""
        self._groups = [list(group) for group in groups if group]
        self._samples = [sample for group in self._groups for sample in group]
        if not self._samples:
            raise KeywarpError("there are no samples to read")
        self.space, self.side = space, side
        self._augmentation, self._seed, self._buffer = augmentation, seed, max(buffer, 1)
        self._shuffled, self._domain, self._pair = shuffled, domain, pair or Pair()
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self._samples)

    def __getitem__(self, place: int) -> Example:
        """The example at a place of the endless stream; the same whenever it is asked for."""
        epoch, within = divmod(place, len(self))
        stored = self._samples[self._order(epoch)[within]]
        random = _random(self._seed, _VARIATION, place)
        sample = stored.drawn(random) if self._shuffled and isinstance(stored, Drawn) else stored.read()
        if not self._pair.whole:
            sample = between(sample, self._pair)
        found = example(sample, self.space, self.side, self._augmentation, random, self._pair.layers)
        return replace(found, domain=self._domain) if self._domain else found

    def stored(self, within: int) -> Sample:
        """The sample itself, by its place in an unshuffled epoch."""
        return self._samples[within].read()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_order"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Samples by number, in the order of one epoch: groups shuffled, then drawn through a buffer."""
        if not self._shuffled:
            return np.arange(len(self))
        random = _random(self._seed, 0, epoch)
        first = np.cumsum([0, *(len(group) for group in self._groups)])
        numbers = [np.arange(first[g], first[g + 1]) for g in random.permutation(len(self._groups))]
        incoming = np.concatenate(numbers)
        size = min(self._buffer, len(incoming))
        waiting, out = list(incoming[:size]), np.empty(len(incoming), np.int64)
        for i in range(len(incoming)):
            drawn = int(random.integers(len(waiting)))
            out[i] = waiting[drawn]
            if size + i < len(incoming):
                waiting[drawn] = incoming[size + i]
            else:
                waiting[drawn] = waiting[-1]
                waiting.pop()
        return out


def _random(*words: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def shard_groups(paths: Iterable[Path]) -> list[Sequence[Stored]]:
    """The samples of shards, shard by shard; raises ``KeywarpError`` where there are none."""
    paths = list(paths)
    groups: list[Sequence[Stored]] = [index_of(path) for path in shard_files(paths)]
    if not any(groups):
        raise KeywarpError(f"there are no samples in {', '.join(map(str, paths))}; tar shards were expected")
    return groups
