# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoding beside rendering: a sink that works in threads of its own."""

from __future__ import annotations

import queue
import threading
from typing import Optional

from keywarp.core.picture import Picture
from keywarp.core.render.sinks.base import Sink


class QueuedSink(Sink):
    """Hands frames to another sink in ``workers`` threads.

    At most ``depth`` frames wait, so that memory stays bounded: ``write`` blocks while the encoder
    is behind. An error in a thread is raised by the next ``write`` or by ``close``. With one worker
    frames arrive in the order in which they were written.
    """

    def __init__(self, sink: Sink, workers: int = 1, depth: int = 1) -> None:
        super().__init__(sink.output)
        self._sink = sink
        self.notes = sink.notes
        self._error: Optional[BaseException] = None
        self._stopping = False
        self._queue: queue.Queue[Optional[tuple[int, Picture]]] = queue.Queue(depth)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def has(self, number: int) -> bool:
        return self._sink.has(number)

    def write(self, number: int, frame: Picture) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put((number, frame))

    def close(self) -> None:
        self._join()
        if self._error is not None:
            self._sink.abort()
            raise self._error
        self._sink.close()

    def abort(self) -> None:
        self._stopping = True
        self._join()
        self._sink.abort()

    def _join(self) -> None:
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._error is not None or self._stopping:
                continue  # keep emptying the queue: a blocked writer must come free
            try:
                self._sink.write(*item)
            except BaseException as error:
                self._error = error
            del item  # not held while waiting for the next
