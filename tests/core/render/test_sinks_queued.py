# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoding beside rendering: order, bounds, errors."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from keywarp.core.picture import Picture
from keywarp.core.render.sinks.base import Output, Sink
from keywarp.core.render.sinks.queued import QueuedSink
from keywarp.keyframes.errors import KeywarpError

FRAME = np.zeros((2, 2, 4), np.float32)


class Recorder(Sink):
    """Remembers what it was told; may be slow, blocked, or fail at one frame."""

    def __init__(self, delay: float = 0.0, fail_at: int | None = None) -> None:
        super().__init__(Output(2, 2, Fraction(24)))
        self.delay, self.fail_at = delay, fail_at
        self.numbers: list[int] = []
        self.threads: set[int] = set()
        self.closed = self.aborted = False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, number: int, frame: Picture) -> None:
        self.gate.wait(10)
        self.threads.add(threading.get_ident())
        time.sleep(self.delay)
        if number == self.fail_at:
            raise KeywarpError("the disk is full")
        self.numbers.append(number)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


def test_one_worker_keeps_the_order_in_a_thread_of_its_own() -> None:
    recorder = Recorder()
    with QueuedSink(recorder) as sink:
        for number in range(50):
            sink.write(number, FRAME)
    assert recorder.numbers == list(range(50))
    assert threading.get_ident() not in recorder.threads
    assert recorder.closed
    assert not recorder.aborted


def test_several_workers_write_every_frame_once() -> None:
    recorder = Recorder(delay=0.001)
    with QueuedSink(recorder, workers=3) as sink:
        for number in range(60):
            sink.write(number, FRAME)
    assert sorted(recorder.numbers) == list(range(60))
    assert len(recorder.threads) == 3


def test_encoding_overlaps_rendering() -> None:
    recorder = Recorder(delay=0.02)
    with QueuedSink(recorder) as sink:
        for number in range(20):
            time.sleep(0.02)
            sink.write(number, FRAME)
        assert len(recorder.numbers) > 10


def test_at_most_so_many_frames_wait() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    sink = QueuedSink(recorder, workers=1, depth=2)
    accepted: list[int] = []

    def render() -> None:
        for number in range(10):
            sink.write(number, FRAME)
            accepted.append(number)

    renderer = threading.Thread(target=render, daemon=True)
    renderer.start()
    renderer.join(0.3)
    assert len(accepted) <= 3  # one being written, two waiting
    recorder.gate.set()
    renderer.join(10)
    sink.close()
    assert recorder.numbers == list(range(10))


def test_an_error_surfaces_at_a_later_write_and_nothing_hangs() -> None:
    recorder = Recorder(fail_at=2)
    with pytest.raises(KeywarpError, match="disk is full"), QueuedSink(recorder) as sink:
        for number in range(100):
            sink.write(number, FRAME)
    assert recorder.aborted
    assert not recorder.closed
    assert recorder.numbers == [0, 1]


def test_an_error_in_the_last_frame_surfaces_at_close() -> None:
    recorder = Recorder(delay=0.05, fail_at=0)
    sink = QueuedSink(recorder)
    sink.write(0, FRAME)
    with pytest.raises(KeywarpError, match="disk is full"):
        sink.close()
    assert recorder.aborted
    assert not recorder.closed


def test_an_exception_of_the_renderer_aborts() -> None:
    recorder = Recorder(delay=0.01)
    with pytest.raises(ZeroDivisionError), QueuedSink(recorder) as sink:
        sink.write(0, FRAME)
        raise ZeroDivisionError
    assert recorder.aborted
    assert not recorder.closed
