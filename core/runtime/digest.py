# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of files, and what else takes reading them whole, remembered: the weights of one model are half a gigabyte,
and every start asks for their hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_WORTH = 1 << 20
"""Bytes from which on something is remembered; a smaller file is hashed faster than its memory is read."""
_SETTLED = 2.0
"""Seconds that a file must have rested: a file system that keeps coarse times may hide a change before that."""
_SAMPLES, _SAMPLE = 16, 4096


def file_digest(path: Path, memory: Path) -> bytes:
    """SHA-256 of the file; ``memory`` is the folder in which the hashes of large files are kept.

    See ``file_facts`` for when a remembered one counts.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _WORTH:
            return hashlib.file_digest(file, "sha256").digest()

    def made() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    told = file_facts(path, memory, "", made, _is_digest)
    return bytes.fromhex(told)


def file_facts(
    path: Path, memory: Path, kind: str, make: Callable[[], Any], fits: Callable[[Any], bool]
) -> Any:
    """What ``make`` finds out about the file, as JSON or ``None``, kept in the folder ``memory`` under ``kind`` where
    the file is large.

    What is remembered counts only if it ``fits``, and for a file of the same place, size, times and inode, with the
    same bytes in sixteen samples over its whole length: one unpacked over another may have all but the last in common
    with it. Where ``memory`` cannot be written, ``make`` is asked each time.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        place = str(path.resolve())
        times = (status.st_mtime_ns, status.st_ctime_ns)
        samples = hashlib.sha256()
        for i in range(_SAMPLES):
            file.seek(max(status.st_size - _SAMPLE, 0) * i // (_SAMPLES - 1))
            samples.update(file.read(_SAMPLE))
    state = [place, status.st_size, *times, status.st_ino, samples.hexdigest()]
    named = hashlib.sha256(os.fsencode(f"{place}{kind}")).hexdigest()[:32]
    known = memory / f"{named}.json"
    remembered = _remembered(known, state)
    if remembered is not None and fits(remembered):
        return remembered
    facts = make()
    if facts is not None and status.st_size >= _WORTH and time.time() - max(times) / 1e9 > _SETTLED:
        _remember(known, state, facts)
    return facts


def _is_digest(found: Any) -> bool:
    return isinstance(found, str) and re.fullmatch("[0-9a-f]{64}", found) is not None


def _remembered(known: Path, state: list[object]) -> Any:
    try:
        told = json.loads(known.read_text(encoding="utf-8"))
        return told["facts"] if told["state"] == state else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(known: Path, state: list[object], facts: Any) -> None:
    text = json.dumps({"state": state, "facts": facts})
    with suppress(OSError):  # a memory that cannot be kept costs time, nothing else
        known.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=known.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(unfinished).replace(known)
        finally:
            Path(unfinished).unlink(missing_ok=True)
