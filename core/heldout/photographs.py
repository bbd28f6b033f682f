# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of held-out characters, kept in the cache: they cost far more than what is judged by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keywarp.core.heldout.subjects import Subject
from keywarp.core.render.sinks.png import encode_png
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.studio.actor import read_pose
from keywarp.core.studio.dataset import masks
from keywarp.core.studio.sampling import Draw
from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import Entry, ShardWriter, index_of, shard_files
from keywarp.keyframes.errors import KeywarpError

Advance = Callable[[int, int], None]
_REST = "rest.png"
_WORKERS, _LARGE = 2, 1024
"""Photographs at a time, and the side from which it is one: it takes gigabytes."""


@dataclass(frozen=True)
class Photographs:
    """What a subject looks like."""

    rest: Path
    """The rest picture, a PNG file."""
    posed: Sequence[Entry]
    """A sample for each pose, to be read."""


def photographs(
    subject: Subject, side: int, exact: bool = True, advance: Advance = lambda done, of: None
) -> Photographs:
    """The subject in all of its poses, ``side`` pixels wide, from the cache where they have been taken before.

    ``exact``: with the true flow, its visibility and the regions. Raises ``KeywarpError`` where nothing is seen.
    """
    poses = np.array([subject.rest, *(draw.pose for draw in subject.draws)], np.float64)
    said = f"{subject.key} {subject.style} {subject.space} {side} {exact}"
    key = content_hash([said.encode(), poses.tobytes()])
    folder = cached_folder(f"photographs-{key}", lambda empty: _take(empty, subject, side, exact, advance))
    entries = [entry for shard in shard_files([folder]) for entry in index_of(shard)]
    return Photographs(folder / _REST, entries)


def _take(folder: Path, subject: Subject, side: int, exact: bool, advance: Advance) -> None:
    actor, at_rest = subject.actor(side), read_pose(subject.space, subject.rest)
    studio = actor.studio(side, subject.style, at_rest)
    rest = studio.rest
    if not rest[..., 3].any():
        raise KeywarpError(f"{subject.name}: the rest picture shows nothing")
    (folder / _REST).write_bytes(encode_png(rest, {}))
    if not exact:  # what was drawn at rest is needed no more
        studio = actor.studio(side, subject.style, at_rest)

    def taken(numbered: tuple[int, Draw]) -> Sample:
        number, draw = numbered
        placed = actor.placed(read_pose(subject.space, draw.pose))
        about, poses = {"group": draw.group}, {subject.space: draw.pose}
        key = f"pose-{number:05d}"
        if not exact:
            return Sample(key, subject.name, studio.picture(placed), poses, about=about)
        shot = studio.shot(placed)
        return Sample(
            key, subject.name, shot.picture, poses, None, shot.flow, shot.visible, masks(shot), about=about
        )

    with (
        ShardWriter(folder, "poses", len(subject.draws)) as writer,
        ThreadPoolExecutor(_WORKERS if side < _LARGE else 1) as pool,
    ):
        for number, sample in enumerate(pool.map(taken, enumerate(subject.draws))):
            writer.add(sample)
            advance(number + 1, len(subject.draws))
