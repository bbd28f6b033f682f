# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of distillation looks at: poses with the teacher's answers, whole or in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.bank import Bank
from keywarp.core.models.tha.distill.poses import pose_at
from keywarp.core.models.tha.distill.settings import FACE, Settings

_ANYWHERE = 0.1
"""Share of the tiles that lie anywhere; the others lie where some pose shows something."""

L = TypeVar("L", bound="Lesson")


@dataclass
class Lesson:
    """N poses of which nothing more is known yet: the teacher is to be asked."""

    pose: Tensor
    """(N, 45)"""

    def pin_memory(self: L) -> L:
        return type(self)(**{f.name: getattr(self, f.name).pin_memory() for f in fields(self)})

    def to(self: L, device: torch.device) -> L:
        return type(self)(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )


@dataclass
class Taught(Lesson):
    """The same with the teacher's answers."""

    face: Tensor
    """(N, 4, 128, 128)"""
    corners: Tensor
    """(N, T, 2): (left, top) of the tiles that are looked at; T = 0: of the body nothing is."""
    planes: Tensor
    """(N, C, T * side, side): the planes of a ``Bank`` on these tiles, below each other."""


class BankLessons:
    """Lessons from a bank, endless, each epoch in an order of its own."""

    def __init__(self, bank: Bank, settings: Settings, seed: int) -> None:
        self._bank, self._settings, self._seed = bank, settings, seed
        self._order = lru_cache(maxsize=2)(self._epoch)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_order": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._order = lru_cache(maxsize=2)(self._epoch)

    def _epoch(self, epoch: int) -> npt.NDArray[np.intp]:
        return np.random.default_rng((self._seed, epoch)).permutation(self._bank.count)

    def __getitem__(self, place: int) -> Taught:
        epoch, within = divmod(place, self._bank.count)
        number = int(self._order(epoch)[within])
        face = self._bank.face(number).astype(np.float32).transpose(2, 0, 1)
        corners, planes = np.zeros((0, 2), np.int64), np.zeros((0, 0, 0), np.float32)
        if self._settings.part != FACE:
            corners, planes = self._tiles(number, np.random.default_rng((self._seed, place, 1)))
        parts = (self._bank.poses[number], np.ascontiguousarray(face), corners, planes)
        return Taught(*(torch.from_numpy(part.copy())[None] for part in parts))

    def _tiles(
        self, number: int, chance: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        planes, side = self._bank.planes(number), self._settings.tile
        if not self._settings.tiles:
            return np.zeros((1, 2), np.int64), np.asarray(planes, np.float32).transpose(2, 0, 1).copy()
        busy, last = self._bank.busy, layout.SIDE - side
        corners = []
        for _ in range(self._settings.tiles):
            middle = busy[chance.integers(len(busy))] if chance.uniform() > _ANYWHERE else None
            corner = (
                chance.integers(0, last + 1, 2) if middle is None else middle - chance.integers(0, side, 2)
            )
            corners.append(np.clip(corner, 0, last) // layout.TILE_STEP * layout.TILE_STEP)
        windows = [planes[top : top + side, left : left + side] for left, top in corners]
        column = np.concatenate(windows).astype(np.float32).transpose(2, 0, 1)
        return np.stack(corners).astype(np.int64), np.ascontiguousarray(column)


class NewPoses:
    """Lessons that ask the teacher every time: for one that is as fast as the student learns."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __getitem__(self, place: int) -> Lesson:
        return Lesson(torch.from_numpy(pose_at(self._seed, place).astype(np.float32))[None])


def put_together(lessons: Sequence[L]) -> L:
    """One lesson of several."""
    first = lessons[0]
    return type(first)(
        **{f.name: torch.cat([getattr(each, f.name) for each in lessons]) for f in fields(first)}
    )
