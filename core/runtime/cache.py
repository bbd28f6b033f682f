# SPDX-License-Identifier: GPL-3.0-or-later
"""What keywarp keeps on disk between runs: models exported once, under the hash of their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from keywarp.core.runtime.digest import file_digest
from keywarp.keyframes.errors import KeywarpError

_SUMS = "sums.json"
"""In each entry: what its files hashed to when they were made."""


def _user_folder(windows: str, macos: str, variable: str, default: str) -> Path:
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "keywarp" / windows
    if sys.platform == "darwin":
        return home / "Library" / macos / "keywarp"
    return Path(os.environ.get(variable) or home / default) / "keywarp"


def cache_folder() -> Path:
    """A folder of our own in ``$KEYWARP_CACHE``, or the platform's, for files that can be made again."""
    chosen = os.environ.get("KEYWARP_CACHE")
    # Who clears the cache must not lose what else stands in the folder that was chosen.
    return Path(chosen) / "keywarp" if chosen else _user_folder("cache", "Caches", "XDG_CACHE_HOME", ".cache")


def data_folder() -> Path:
    """The user's own folder of models, characters and presets."""
    return _user_folder("data", "Application Support", "XDG_DATA_HOME", ".local/share")


def content_hash(parts: Iterable[bytes | Path]) -> str:
    """A hash of bytes and of whole files, in order: 32 hexadecimal digits. Those of large files are remembered."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            one = hashlib.sha256(part).digest()
        else:
            one = file_digest(part, cache_folder() / "hashes")
        total.update(one)
    return total.hexdigest()[:32]


def cached_folder(name: str, make: Callable[[Path], None]) -> Path:
    """The cache's folder ``name``, filled by ``make(empty folder)`` the first time.

    It appears under its name only when it is whole, also where two processes make it at once. One that has been
    damaged since is made anew.
    """
    final = cache_folder() / name
    if final.is_dir():
        if _is_whole(final):
            return final
        shutil.rmtree(final, ignore_errors=True)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=final.parent))
    except OSError as error:
        raise KeywarpError(
            f"the cache folder {final.parent} cannot be written ({error.strerror}); "
            "set KEYWARP_CACHE to a folder that can"
        ) from None
    try:
        make(unfinished)
        (unfinished / _SUMS).write_text(json.dumps(_sums(unfinished)), encoding="ascii")
        try:
            unfinished.rename(final)
        except OSError:
            if not final.is_dir():  # otherwise another process was first, with the same content
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return final


def _sums(folder: Path) -> dict[str, str]:
    """The hash of each file of an entry."""
    files = sorted(path for path in folder.iterdir() if path.name != _SUMS)
    return {path.name: content_hash([path]) for path in files}


def _is_whole(folder: Path) -> bool:
    try:
        told = json.loads((folder / _SUMS).read_text(encoding="ascii"))
        return bool(told == _sums(folder))
    except (OSError, ValueError):
        return False


def cache_entries() -> list[tuple[Path, int]]:
    """Every file in the cache with its size in bytes."""
    folder = cache_folder()
    return [(path, path.stat().st_size) for path in sorted(folder.rglob("*")) if path.is_file()]


def clear_cache() -> int:
    """Remove everything in the cache; the number of bytes that this freed. Raises ``KeywarpError`` where something
    could not be removed."""
    before = sum(size for _, size in cache_entries())
    shutil.rmtree(cache_folder(), ignore_errors=True)
    left = cache_entries()
    if left:
        raise KeywarpError(
            f"{left[0][0]} and {len(left) - 1} more could not be removed; close what uses them, or see whether the "
            "folder may be written"
        )
    return before
