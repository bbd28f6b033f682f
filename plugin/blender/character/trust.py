# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files the user has agreed to read: kept in the user's own folder, never in a .blend file.

A .blend file from somebody else may name any path. Until its user has allowed it, nothing is read there: not by
Blender and not by the engine. Typing or picking a path in the interface is consent; so is ``$KEYWARP_ALLOW``, files
and folders joined as in ``$PATH``, for render farms.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ..setup import preferences

ALLOW = "KEYWARP_ALLOW"
MOST = 10_000
"""Paths that are remembered; the oldest go first."""


def confirm(paths: Iterable[str]) -> None:
    """Remember that these absolute paths may be read."""
    new = [_plain(path) for path in paths if path]
    kept = [path for path in _kept() if path not in new]
    if new and [*kept, *new] != list(_kept()):
        _write([*kept, *new][-MOST:])


def is_confirmed(path: str) -> bool:
    """Whether this absolute path, or a folder that holds it, may be read. Looks at nothing on the disk."""
    plain = _plain(path)
    return plain in _kept_set() or any(_within(plain, _plain(folder)) for folder in _allowed())


def _plain(path: str) -> str:
    """One spelling of an absolute path, without asking the disk."""
    return os.path.normcase(os.path.normpath(path))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _allowed() -> list[str]:
    return [path for path in os.environ.get(ALLOW, "").split(os.pathsep) if path]


def _file() -> Path:
    return preferences.user_folder("trust") / "confirmed.json"


@lru_cache(maxsize=1)
def _kept() -> tuple[str, ...]:
    try:
        paths = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(str(path) for path in paths) if isinstance(paths, list) else ()


@lru_cache(maxsize=1)
def _kept_set() -> frozenset[str]:
    return frozenset(_kept())


def _write(paths: list[str]) -> None:
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(paths, indent=1), encoding="utf-8")
        beside.replace(file)
    finally:
        with suppress(OSError):
            beside.unlink()
    forget()


def forget() -> None:
    """Read the file anew at the next question."""
    _kept.cache_clear()
    _kept_set.cache_clear()
