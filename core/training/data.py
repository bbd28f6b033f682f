# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--data`` may name: shards, folders with a table of pictures, folders of videos or of frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from keywarp.core.training.clips import Clip, clip_groups, find_clips
from keywarp.core.training.labelled import table_at, table_groups
from keywarp.core.training.shards import shard_files
from keywarp.core.training.stream import Stored, shard_groups
from keywarp.keyframes.errors import KeywarpError


def _has_shards(path: Path) -> bool:
    return path.suffix == ".tar" or (path.is_dir() and any(path.glob("*.tar")))


def data_files(paths: Iterable[Path]) -> list[Path]:
    """The shards, tables and videos that are meant; of a folder of frames the first one.

    Raises ``KeywarpError`` for a path that is none of these.
    """
    found: list[Path] = []
    for path in paths:
        table = table_at(path)
        if table is not None:
            found.append(table)
        elif _has_shards(path):
            found += shard_files([path])
        else:
            found += [clip.files[0] for clip in _clips(path)]
    return found


def data_groups(paths: Iterable[Path]) -> list[Sequence[Stored]]:
    """The samples that are meant, those that lie together together; raises ``KeywarpError`` where there are none."""
    groups: list[Sequence[Stored]] = []
    for path in paths:
        table = table_at(path)
        if table is not None:
            groups += table_groups(table)
        elif _has_shards(path):
            groups += shard_groups([path])
        else:
            groups += clip_groups(_clips(path))
    return groups


def _clips(path: Path) -> list[Clip]:
    clips = find_clips(path)
    if not clips:
        raise KeywarpError(
            f"{path} is neither a shard (.tar) nor a video, nor a folder of these, of frames, or with labels.csv or "
            "combined_pose.csv"
        )
    return clips
