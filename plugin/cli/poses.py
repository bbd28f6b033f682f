# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from files and from the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

MAX_BYTES = 64 << 20
MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class PoseFile:
    """Values by channel, or a table of whole poses."""

    values: Mapping[str, float]
    table: Poses | None = None
    """(N, C) in the space's order."""


def read_poses(path: Path, space_name: str) -> PoseFile:
    """A JSON or YAML file of channel names and values, or ``.npy`` of shape (C,) or (N, C).

    Raises ``KeywarpError`` where it is none of these, or not of this pose space.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".json", ".yaml", ".yml"):
        raise KeywarpError(
            f"{path}: a pose is read from .json, .yaml or .npy, not from {suffix or 'such a file'}"
        )
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise KeywarpError(f"{path} is not a file")
    try:
        limit = MAX_BYTES if suffix == ".npy" else MAX_TEXT_BYTES
        if path.stat().st_size > limit:
            raise KeywarpError(f"{path} is too large for poses (more than {limit >> 20} MiB)")
        if suffix == ".npy":
            return PoseFile({}, _table(path, space_name))
        return PoseFile(_named(path, space_name))
    except OSError as error:
        raise KeywarpError(f"{path} cannot be read: {error.strerror or error}") from None


def _table(path: Path, space_name: str) -> Poses:
    poses = space(space_name)
    right = f"numbers of shape ({len(poses)},) or (N, {len(poses)}), the channels of {poses.name}"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception:  # numpy raises many kinds for damaged files
        raise KeywarpError(f"{path} is no complete NumPy array; expected {right}") from None
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in "fiu"
        or array.ndim not in (1, 2)
        or array.shape[-1] != len(poses)
        or not array.size
    ):
        shape = getattr(array, "shape", "no array")
        raise KeywarpError(f"{path} holds {getattr(array, 'dtype', '')} {shape}; expected {right}")
    table = np.array(array, np.float64).reshape(-1, len(poses))
    if not np.isfinite(table).all():
        raise KeywarpError(f"{path} holds numbers that are not finite; expected {right}")
    return table


def _named(path: Path, space_name: str) -> dict[str, float]:
    if path.suffix.lower() == ".json":
        content = _json(path)
    else:
        from keywarp.core.yamlfile import read_yaml

        content = read_yaml(path)
    for name, value in content.items():
        space(space_name).index(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            raise KeywarpError(f"{path}: {name} should be a finite number, not {str(value)[:40]!r}")
    return {name: float(value) for name, value in content.items()}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _json(path: Path) -> dict[str, Any]:
    def refuse(word: str) -> NoReturn:
        raise ValueError(word)

    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise KeywarpError(f"{path} is no JSON text of channel names and finite numbers") from None
    if not isinstance(content, dict):
        raise KeywarpError(f"{path} should be a JSON object of channel names and numbers")
    return content


def assembled(
    space_name: str, defaults: Mapping[str, float], file: PoseFile | None, spoken: Mapping[str, float]
) -> tuple[Poses, list[str]]:
    """(N, C) poses within their ranges, and what had to be changed: ``spoken`` over ``file`` over the
    character's ``defaults`` over the rest pose."""
    poses = space(space_name)
    if file is not None and file.table is not None:
        table = file.table.copy()
        for name, value in spoken.items():
            table[:, poses.index(name)] = value
    else:
        named = {**defaults, **(file.values if file is not None else {}), **spoken}
        table = poses.pose(named)[None]
    held = poses.clamp(table)
    changed = np.flatnonzero((held != table).any(axis=0))
    remarks = []
    for column in changed:
        channel = poses.channels[column]
        remarks.append(f"{channel.name} was held to its range, {channel.minimum:g} to {channel.maximum:g}")
    return held, remarks
