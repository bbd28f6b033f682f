# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of files, remembered: the weights of one model are half a gigabyte, and every start asks for their hash."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_WORTH = 1 << 20
"""Bytes from which on a hash is remembered; a smaller file is hashed faster than its memory is read."""
_SETTLED = 2.0
"""Seconds that a file must have rested: a file system that keeps coarse times may hide a change before that."""
_SAMPLES, _SAMPLE = 16, 4096


def file_digest(path: Path, memory: Path) -> bytes:
    """SHA-256 of the file; ``memory`` is the folder in which the hashes of large files are kept.

    A remembered one counts only for a file of the same place, size, times and inode, with the same bytes in sixteen
    samples over its whole length: one unpacked over another may have all but the last in common with it. Where
    ``memory`` cannot be written, the file is hashed each time.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size < _WORTH:
            return hashlib.file_digest(file, "sha256").digest()
        place = str(path.resolve())
        known = memory / f"{hashlib.sha256(os.fsencode(place)).hexdigest()[:32]}.json"
        times = (status.st_mtime_ns, status.st_ctime_ns)
        samples = hashlib.sha256()
        for i in range(_SAMPLES):
            file.seek((status.st_size - _SAMPLE) * i // (_SAMPLES - 1))
            samples.update(file.read(_SAMPLE))
        state = [place, status.st_size, *times, status.st_ino, samples.hexdigest()]
        remembered = _remembered(known, state)
        if remembered is not None:
            return remembered
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
    if time.time() - max(times) / 1e9 > _SETTLED:
        _remember(known, state, digest)
    return digest


def _remembered(known: Path, state: list[object]) -> bytes | None:
    try:
        told = json.loads(known.read_text(encoding="utf-8"))
        digest = bytes.fromhex(told["sha256"])
        return digest if told["state"] == state and len(digest) == hashlib.sha256().digest_size else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(known: Path, state: list[object], digest: bytes) -> None:
    text = json.dumps({"state": state, "sha256": digest.hex()})
    with suppress(OSError):  # a memory that cannot be kept costs time, nothing else
        known.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=known.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(unfinished).replace(known)
        finally:
            Path(unfinished).unlink(missing_ok=True)
