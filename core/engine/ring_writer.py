# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's end of a ring (see ``ring``): the file is made, its memory reserved, its slots are written."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from keywarp.core.engine.ring import (
    FIRST_SLOT,
    MAGIC,
    NEWEST,
    PAGE,
    PIXELS,
    SLOT_WORDS,
    SLOTS,
    VERSION,
    Ring,
    Slot,
    barrier,
    file_size,
    whole_pages,
)
from keywarp.keyframes.errors import KeywarpError

SPARE = 64 << 20
"""Bytes that are left to others where rings lie in memory."""


class RingWriter(Ring):
    """A ring that this process writes; for one thread at a time."""

    def __init__(self, path: Path, capacity: int) -> None:
        """A new file for frames of up to ``capacity`` bytes. Raises ``KeywarpError`` where the room does not
        suffice."""
        self._reserved: set[int] = set()
        self.capacity = capacity
        with path.open("x+b") as file:
            path.chmod(0o600)
            try:
                with _explained(path):
                    file.write(_first_words(capacity))
                    file.flush()
                    os.ftruncate(file.fileno(), file_size(capacity))
                    _reserve(file.fileno(), 0, PAGE)
            except KeywarpError:
                path.unlink()
                raise
        super().__init__(path)

    def choose(self, held: Collection[int]) -> int:
        """The slot to write next: never one that is held, and not the newest where another one is left.

        Raises ``KeywarpError`` where every slot is held, or where there is no memory for one more.
        """
        newest = self.words[NEWEST] - 1
        free = [index for index in range(SLOTS) if index not in held]
        if not free:
            raise KeywarpError(
                "three frames of this stream are being looked at; one of them has to be released"
            )
        # Memory that is there already, and of that the oldest frame.
        index = min(free, key=lambda i: (i == newest, i not in self._reserved, self.slot(i).time_ns))
        if index not in self._reserved:
            with self.path.open("r+b") as file, _explained(self.path):
                _reserve(file.fileno(), PAGE + index * self.step, self.step)
            self._reserved.add(index)
        return index

    def begin(self, index: int, size: int) -> memoryview:
        """Mark the slot as being written; the ``size`` bytes to write the pixels to."""
        start = FIRST_SLOT + index * SLOT_WORDS
        self.words[start] |= 1
        barrier()
        offset = PAGE + index * self.step
        return self.bytes[offset : offset + size]

    def publish(
        self, index: int, number: int, width: int, height: int, pixels: str, pose_hash: int, took_ns: int
    ) -> None:
        """The slot holds a finished frame, the newest."""
        code, depth = PIXELS[pixels]
        start = FIRST_SLOT + index * SLOT_WORDS
        barrier()
        size = width * height * depth
        header = (number, time.time_ns(), size, width, height, width * depth, code, pose_hash, took_ns)
        for i, word in enumerate(header, start + 1):
            self.words[i] = word
        barrier()
        self.words[start] += 1
        barrier()
        self.words[NEWEST] = index + 1

    def abandon(self, index: int) -> None:
        """The slot was begun, and holds nothing of use."""
        start = FIRST_SLOT + index * SLOT_WORDS
        for i in range(start + 1, start + len(Slot._fields)):
            self.words[i] = 0
        barrier()
        self.words[start] += 1


def _first_words(capacity: int) -> bytes:
    words = memoryview(bytearray(40)).cast("Q")
    words[0], words[1], words[2], words[3] = MAGIC, VERSION, SLOTS, whole_pages(capacity)
    return words.tobytes()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """A full disk or memory as a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG):
            raise
        raise KeywarpError(
            f"there is no room for frames in {path.parent}; free some, or ask for smaller frames"
        ) from None


def _reserve(handle: int, offset: int, size: int) -> None:
    """Take the memory or disk blocks now: where they are missing this fails, not a later access."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, offset, size)
    elif hasattr(os, "pwrite"):
        zeros = bytes(1 << 20)
        for start in range(offset, offset + size, len(zeros)):
            os.pwrite(handle, zeros[: offset + size - start], start)
    # Windows has given the file its blocks when it got its length.
