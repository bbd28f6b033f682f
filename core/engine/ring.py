# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in a memory-mapped file: three slots, each under a sequence lock; the newest wins.

Standard library only, Python 3.9: hosts load this file. One page of 64-bit words in the machine's order comes first:

    0 magic, 1 version of this layout, 2 slots, 3 bytes from one slot's pixels to the next, 4 the newest slot + 1

then for each slot, ``SLOT_WORDS`` words from word ``FIRST_SLOT`` on: those of ``Slot`` in their order, the sequence
first. A sequence is odd while its slot is written and grows by two with every frame. Pixels begin after the page, and
are rows of RGBA or BGRA without padding.
"""

from __future__ import annotations

import mmap
import os
import threading
from pathlib import Path
from typing import NamedTuple, Optional, Union

PAGE = 4096
MAGIC = int.from_bytes(b"keywarp\n", "little")
VERSION = 1
SLOTS = 3
FIRST_SLOT, SLOT_WORDS = 16, 16
NEWEST = 4

PIXELS = {"rgba32f_linear": (1, 16), "rgba8_srgb": (2, 4), "bgra8_srgb": (3, 4)}
"""Number and bytes of each pixel format. ``rgba32f_linear``: float32, premultiplied, linear light, sRGB primaries;
``rgba8_srgb`` and ``bgra8_srgb``: 8 bit, sRGB, straight alpha."""

_barrier = threading.Lock()


def barrier() -> None:
    """What was written before is seen before what is written after, on every processor."""
    with _barrier:
        pass


class Slot(NamedTuple):
    """What a slot's header says about the frame in it."""

    sequence: int
    number: int
    """Of the request that the frame answers."""
    time_ns: int
    """Since 1970, when it was finished."""
    size: int
    """Bytes of its pixels."""
    width: int
    height: int
    stride: int
    """Bytes from one row to the next."""
    pixels: int
    """Number of the pixel format."""
    pose_hash: int
    """Of the pose in the model's space: the first 8 bytes of its BLAKE2b."""
    took_ns: int
    """That the engine took for the frame, without the time that the request waited."""


def file_size(capacity: int) -> int:
    """Bytes of a ring whose slots hold ``capacity`` bytes each."""
    return PAGE + SLOTS * whole_pages(capacity)


def whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class Ring:
    """A mapped ring; any thread may read from it."""

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        """Raises ``OSError`` where there is no such file, ``ValueError`` where it is no ring."""
        self.path = Path(path)
        with self.path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size < PAGE:
                raise ValueError(f"{path} is no ring of frames")
            self._map = mmap.mmap(file.fileno(), size)
        self.bytes = memoryview(self._map)
        self.words = self.bytes[:PAGE].cast("Q")
        self.step = self.words[3]
        if (
            self.words[0] != MAGIC
            or self.words[1] != VERSION
            or self.words[2] != SLOTS
            or size < PAGE + SLOTS * self.step
        ):
            self.close()
            raise ValueError(f"{path} is no ring of frames of version {VERSION}")

    def slot(self, index: int) -> Slot:
        """The header of a slot as it is; ``still`` says whether it can be believed."""
        start = FIRST_SLOT + index * SLOT_WORDS
        return Slot(*self.words[start : start + len(Slot._fields)])

    def still(self, index: int, sequence: int) -> bool:
        """Whether the slot still holds the frame that it held when its sequence was read."""
        barrier()
        return sequence % 2 == 0 and self.words[FIRST_SLOT + index * SLOT_WORDS] == sequence

    def newest(self) -> Optional[tuple[int, Slot]]:
        """The newest finished frame's slot and its header; ``None`` where there is none yet."""
        for _ in range(100):
            index = self.words[NEWEST] - 1
            if index < 0:
                return None
            barrier()
            slot = self.slot(index)
            if self.still(index, slot.sequence):
                return index, slot
        return None

    def pixels_of(self, index: int, slot: Slot) -> memoryview:
        """The bytes of the frame that a believed header describes."""
        if not 0 < slot.size <= self.step:
            raise ValueError(f"{self.path} holds a frame that it has no room for")
        start = PAGE + index * self.step
        return self.bytes[start : start + slot.size]

    def close(self) -> None:
        """Unmap the file; frames that are still looked at keep it mapped until they are let go."""
        try:
            self.words.release()
            self.bytes.release()
            self._map.close()
        except BufferError:
            pass  # a frame's memoryview refers to it; the last one to go unmaps it
