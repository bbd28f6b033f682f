# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview frames that have been made, by what they show, so that a second playback is smooth.

Kept in half precision, which is enough to look at (11 bits of each value) and half as large; a render never takes
its frames from here. A thread converts them, so that the interface does not wait for it.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.core.engine.client import Frame

Half = npt.NDArray[np.float16]
Pixels = npt.NDArray[np.float32]

AT_ONCE = 32 << 20
"""Bytes that are copied within a few milliseconds, before the engine can write over them."""


class FrameCache:
    """Flat RGBA frames by key, at most ``limit`` bytes of them; the one shown longest ago goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: OrderedDict[Hashable, Half] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Optional[tuple[Hashable, Frame, Optional[Pixels]]]] = (
            queue.SimpleQueue()
        )
        self._thread: Optional[threading.Thread] = None

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size

    def __contains__(self, key: Hashable) -> bool:
        return key in self._frames

    def get(self, key: Hashable) -> Optional[Pixels]:
        """The frame's values, flat, or ``None`` where it is not there."""
        with self._lock:
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
        return None if found is None else found.astype(np.float32)

    def keep(self, key: Hashable, frame: Frame) -> None:
        """Keep a frame from soon on; one that is larger than ``AT_ONCE``, unless the engine writes over it before."""
        if key in self._frames:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="keywarp-cache", daemon=True)
            self._thread.start()
        values = np.frombuffer(frame.pixels, np.float32) if len(frame.pixels) * 4 <= AT_ONCE else None
        self._queue.put((key, frame, None if values is None else values.copy()))

    def set_limit(self, limit: int) -> None:
        with self._lock:
            self._limit = limit
            self._shrink()

    def clear(self) -> None:
        with self._lock:
            self._frames.clear()
            self._size = 0

    def close(self) -> None:
        """Forget all, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(5.0)
        self.clear()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            key, frame, values = item
            try:
                half = (np.frombuffer(frame.pixels, np.float32) if values is None else values).astype(
                    np.float16
                )
            except ValueError:
                continue  # released meanwhile
            if values is not None or frame.intact:
                self._add(key, half)
            del item, frame, values

    def _add(self, key: Hashable, half: Half) -> None:
        with self._lock:
            if key not in self._frames:
                self._frames[key] = half
                self._size += half.nbytes
                self._shrink()

    def _shrink(self) -> None:
        while self._size > self._limit and self._frames:
            self._size -= self._frames.popitem(last=False)[1].nbytes
