# SPDX-License-Identifier: GPL-3.0-or-later
"""Data of several domains, such as drawn and human heads, each with poses in a space of its own.

Which domain samples belong to, is told by the first of those that lie together: to the first of the recipe's spaces
that its poses are stored in, or follow for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from keywarp.core.training.augment import pose_of
from keywarp.core.training.recipe import Recipe
from keywarp.core.training.sample import Example, Sample
from keywarp.core.training.stream import Listed, Stored, Stream
from keywarp.keyframes.errors import KeywarpError


class Interleaved:
    """An endless stream of what several have, in turn: every domain has its share of a batch."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = list(streams)

    def __getitem__(self, place: int) -> Example:
        turn, which = divmod(place, len(self._streams))
        return self._streams[which][turn]


class Chained:
    """What several unshuffled streams have, one after the other."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = list(streams)
        self._ends = list(accumulate(len(stream) for stream in streams))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, place: int) -> Example:
        stream, within = self._at(place)
        return stream[within]

    def stored(self, within: int) -> Sample:
        """The sample itself."""
        stream, place = self._at(within)
        return stream.stored(place)

    def _at(self, place: int) -> tuple[Stream, int]:
        which = next(n for n, end in enumerate(self._ends) if place < end)
        return self._streams[which], place - (self._ends[which - 1] if which else 0)


def training_stream(recipe: Recipe, groups: Sequence[Sequence[Stored]], seed: int) -> Stream | Interleaved:
    """What a run learns from."""
    streams = _streams(recipe, groups, augmentation=recipe.augmentation, seed=seed)
    return streams[0] if len(streams) == 1 else Interleaved(streams)


def listed_stream(recipe: Recipe, groups: Sequence[Sequence[Stored]]) -> Listed:
    """Every sample once, as it is."""
    streams = _streams(recipe, groups, shuffled=False)
    return streams[0] if len(streams) == 1 else Chained(streams)


def _streams(recipe: Recipe, groups: Sequence[Sequence[Stored]], **options: Any) -> list[Stream]:
    spaces = [recipe.space, *([recipe.second_space] if recipe.second_space else [])]
    if len(spaces) == 1:
        return [Stream(groups, space=recipe.space, side=recipe.side, pair=recipe.pair, **options)]
    domains = [_domain(group, spaces) if group else -1 for group in groups]
    return [
        Stream(
            [group for group, at in zip(groups, domains, strict=True) if at == number],
            space=name,
            side=recipe.side,
            domain=number,
            **options,
        )
        for number, name in enumerate(spaces)
        if number in domains
    ]


def _domain(group: Sequence[Stored], spaces: Sequence[str]) -> int:
    sample = group[0].read()
    for number, name in enumerate(spaces):
        if name in sample.poses:
            return number
    for number, name in enumerate(spaces):
        try:
            pose_of(sample, name)
        except KeywarpError:
            continue
        return number
    known = ", ".join(sample.poses) or "no pose"
    raise KeywarpError(
        f"the sample {sample.key} has {known}, from which no pose of {' or '.join(spaces)} follows"
    )
