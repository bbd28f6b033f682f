# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches from a stream, prepared ahead by other processes where that pays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Sampler

from keywarp.core.opencv import cv2
from keywarp.core.training.learner import Portion

MOST_WORKERS = 14


class Examples(Protocol):
    """An endless sequence, of which every place can be reached at once."""

    def __getitem__(self, place: int) -> Any: ...


class _Places(Sampler[list[int]]):
    """The places of this process's parts of each batch, one list a part, from an example on without an end."""

    def __init__(self, start: int, batch: int, parts: int, rank: int, world: int) -> None:
        self._start, self._batch, self._parts, self._rank, self._world = start, batch, parts, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        first = self._start
        while True:
            mine = list(range(first + self._rank, first + self._batch, self._world))
            for part in range(self._parts):
                yield mine[part :: self._parts]
            first += self._batch


def batches(
    stream: Examples,
    collate: Callable[[Sequence[Any]], Portion],
    start: int,
    batch: int,
    parts: int,
    rank: int,
    world: int,
    device: torch.device,
    workers: int,
) -> Iterator[Any]:
    """Parts of batches, for ever: ``parts`` of them make this process's share of a batch of ``batch`` examples.

    ``collate`` makes one of the examples at several places; ``workers``: processes that prepare; 0: none. What is
    answered does not depend on their number.
    """
    loader: DataLoader[Portion] = DataLoader(
        stream,  # type: ignore[arg-type]
        batch_sampler=_Places(start, batch, parts, rank, world),
        collate_fn=collate,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        multiprocessing_context="spawn" if workers else None,  # PyTorch's threads do not survive a fork
        worker_init_fn=_alone if workers else None,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # its own: what a step draws must not depend on when the loader began
    )
    for part in loader:
        yield part.to(device)


def default_workers(device: torch.device) -> int:
    """On a GPU every core prepares; on a CPU the cores have enough to do."""
    return min(max((os.cpu_count() or 2) - 2, 1), MOST_WORKERS) if device.type == "cuda" else 0


def _alone(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
