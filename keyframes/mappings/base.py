# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mapping between two pose spaces is, and what the mappings are built from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.errors import KeywarpError


class Scaled(NamedTuple):
    """A channel of the target that is one channel of the source: ``value * scale + offset``."""

    source: str
    scale: float
    offset: float = 0.0


#: By channel of the target.
ScaledChannels = dict[str, Scaled]


def _none_scaled(settings: Any) -> ScaledChannels:
    return {}


@dataclass(frozen=True)
class Mapping:
    """From the poses of one space to poses of another that show the same, as far as the other can."""

    source: PoseSpace
    target: PoseSpace
    function: Callable[[Poses, Any], Poses]
    """``(poses (N, C of source), settings) -> poses (N, C of target)``; each row by itself."""
    cannot_carry: tuple[str, ...]
    """What is lost on the way: channels of the source by name, or a few words."""
    settings: Any
    """A frozen dataclass of what a person may tune."""
    scaled: Callable[[Any], ScaledChannels] = _none_scaled
    """``settings ->`` the channels that are scaled copies of one channel, while within their range."""

    def __call__(self, poses: npt.ArrayLike) -> Poses:
        """Poses of the target, (C,) or (N, C) as given, within the ranges of its channels.

        Values beyond the source's ranges count as the ends of these. Raises ``KeywarpError`` where a
        value is not finite or a pose has not as many values as the source has channels.
        """
        checked = checked_poses(self.source, poses)
        rows = self.source.clamp(checked.reshape(-1, len(self.source)))
        mapped = self.target.clamp(self.function(rows, self.settings))
        return mapped.reshape((*checked.shape[:-1], len(self.target)))

    def scaled_channels(self) -> ScaledChannels:
        """By channel of the target, those that are scaled copies of one channel of the source."""
        return self.scaled(self.settings)

    def tuned(self, **values: Any) -> Mapping:
        """This mapping with other settings; raises ``KeywarpError`` for one that it does not have."""
        names = [field.name for field in dataclasses.fields(self.settings)]
        for name in values:
            if name not in names:
                raise KeywarpError(
                    f"the mapping from {self.source.name} to {self.target.name} has no setting {name!r}; "
                    f"its settings: {', '.join(names)}"
                )
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, **values))


def checked_poses(space: PoseSpace, poses: npt.ArrayLike) -> Poses:
    """``poses`` as float64, (C,) or (N, C); raises ``KeywarpError`` where they are no poses of ``space``."""
    try:
        array = np.asarray(poses, np.float64)
    except (TypeError, ValueError):
        raise KeywarpError(f"a pose of {space.name} is {len(space)} numbers") from None
    if array.ndim not in (1, 2) or array.shape[-1] != len(space):
        raise KeywarpError(
            f"poses of {space.name} have {len(space)} values, in an array of shape ({len(space)},) or "
            f"(N, {len(space)}), not {array.shape}"
        )
    finite = np.isfinite(array)
    if not finite.all():
        *row, column = (int(i[0]) for i in np.nonzero(~finite))
        where = f" of row {row[0]}" if row else ""
        raise KeywarpError(
            f"{space.names[column]}{where} is {array[(*row, column)]}, where a finite number belongs"
        )
    return array


class Columns:
    """The columns of poses, (N, C), read and written by their channels' names."""

    def __init__(self, space: PoseSpace, poses: Poses) -> None:
        self.space = space
        self.poses = poses

    @classmethod
    def zeros(cls, space: PoseSpace, count: int) -> Columns:
        return cls(space, np.zeros((count, len(space))))

    def __getitem__(self, name: str) -> Poses:
        column: Poses = self.poses[:, self.space.index(name)]
        return column

    def __setitem__(self, name: str, values: npt.ArrayLike) -> None:
        self.poses[:, self.space.index(name)] = values

    def total(self, names: Iterable[str]) -> Poses:
        """The sum of several columns, (N,)."""
        total: Poses = self.poses[:, [self.space.index(name) for name in names]].sum(axis=1)
        return total


def ramp(values: Poses, low: float, high: float) -> Poses:
    """0 up to ``low``, 1 from ``high`` on, straight between them; 0 everywhere where high <= low."""
    if high <= low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0.0, 1.0)


#: A row of a table: a channel of the source, one of the target, and the weight. A name without its side
#: (``eye_wink``) stands for the left and the right channel.
Row = tuple[str, str, float]


def weights(source: PoseSpace, target: PoseSpace, rows: Sequence[Row]) -> Poses:
    """The matrix, (C of source, C of target), that a table describes: ``poses @ weights``."""
    matrix = np.zeros((len(source), len(target)))
    for row in rows:
        for channel, other, weight in with_sides(source, target, row):
            matrix[source.index(channel), target.index(other)] += weight
    return matrix


def with_sides(source: PoseSpace, target: PoseSpace, row: Row) -> Iterator[Row]:
    """A row without sides as one a side; a row with sides, or without any, as it is."""
    channel, other, weight = row
    channels, others = _sides(source, channel), _sides(target, other)
    if len(channels) == len(others):
        for one, same_side in zip(channels, others):
            yield one, same_side, weight
    elif len(channels) == 1:
        for side in others:
            yield channel, side, weight
    else:
        for side in channels:
            yield side, other, weight / 2


def _sides(space: PoseSpace, name: str) -> tuple[str, ...]:
    left_and_right = (f"{name}_left", f"{name}_right")
    if name not in space and all(side in space for side in left_and_right):
        return left_and_right
    return (name,)


def share(face: Columns, names: Sequence[str]) -> None:
    """Scale columns down where they sum to more than 1: shapes of one feature replace each other."""
    total = np.maximum(face.total(names), 1.0)
    for name in names:
        face[name] = face[name] / total
