# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings of frames: whole frames only, held ones stay, and no room is a sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.engine import ring_writer
from keywarp.core.engine.ring import SLOTS, Ring
from keywarp.core.engine.ring_writer import RingWriter
from keywarp.core.engine.storage import Storage
from keywarp.keyframes.errors import KeywarpError

WIDTH, HEIGHT = 300, 200
SIZE = WIDTH * HEIGHT * 4


def publish(ring: RingWriter, number: int, held: tuple[int, ...] = ()) -> int:
    slot = ring.choose(held)
    np.frombuffer(ring.begin(slot, SIZE), np.uint8)[:] = number % 251
    ring.publish(slot, number, WIDTH, HEIGHT, "rgba8_srgb", number, 5)
    return slot


def test_a_frame_is_read_as_it_was_written(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "a.ring", SIZE)
    reader = Ring(tmp_path / "a.ring")
    assert reader.newest() is None
    publish(writer, 7)
    publish(writer, 8)
    found = reader.newest()
    assert found is not None
    index, slot = found
    assert (slot.number, slot.width, slot.height, slot.stride, slot.size) == (
        8,
        WIDTH,
        HEIGHT,
        WIDTH * 4,
        SIZE,
    )
    assert slot.pose_hash == 8
    assert abs(slot.time_ns - time.time_ns()) < 60e9
    assert bytes(reader.pixels_of(index, slot)) == bytes([8]) * SIZE


def test_held_frames_and_the_newest_are_not_written_over(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path / "a.ring", SIZE)
    slots = [publish(ring, number) for number in range(10)]
    assert all(a != b for a, b in zip(slots, slots[1:], strict=False))
    for held in range(SLOTS):
        for number in range(10):
            assert publish(ring, number, (held,)) != held
    two = (0, 1)
    assert {publish(ring, number, two) for number in range(3)} == {2}
    with pytest.raises(KeywarpError, match="released"):
        ring.choose(range(SLOTS))


READER = """
import sys, time
from keywarp.core.engine.ring import Ring
ring, seen, torn = Ring(sys.argv[1]), set(), 0
print("ready", flush=True)
while len(seen) < int(sys.argv[2]):
    found = ring.newest()
    if found is None:
        continue
    index, slot = found
    copy = bytes(ring.pixels_of(index, slot))
    if not ring.still(index, slot.sequence):
        continue  # noticed: not shown
    if copy != bytes([slot.number % 251]) * slot.size:
        torn += 1
    seen.add(slot.number)
print(len(seen), torn, flush=True)
"""


def test_a_reader_never_takes_a_torn_frame_for_a_whole_one(tmp_path: Path, full: bool) -> None:
    """The writer never waits, and goes on until the reader has had enough of its frames."""
    ring = RingWriter(tmp_path / "a.ring", SIZE)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(ring.path), "2000" if full else "100"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
    number = 0
    while reader.poll() is None:
        number += 1
        publish(ring, number)
    seen, torn = map(int, reader.communicate()[0].split())
    assert torn == 0
    assert number > seen, "the reader was never behind, so that nothing was written over while it read"


@pytest.mark.parametrize("content", [b"", b"x" * 100, os.urandom(8192), bytes(4096)])
def test_a_file_that_is_no_ring_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ring"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no ring"):
        Ring(path)


def test_a_ring_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = RingWriter(tmp_path / "a.ring", SIZE).path
    with path.open("r+b") as file:
        file.truncate(SIZE)
    with pytest.raises(ValueError, match="no ring"):
        Ring(path)


def test_memory_that_runs_out_is_a_sentence_before_it_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = RingWriter(tmp_path / "a.ring", SIZE)

    def no_space(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ring_writer, "_reserve", no_space)
    with pytest.raises(KeywarpError, match="no room"):
        ring.choose(())
    with pytest.raises(KeywarpError, match="no room"):
        RingWriter(tmp_path / "b.ring", SIZE)
    assert not (tmp_path / "b.ring").exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves in another way")
def test_only_slots_in_use_take_memory(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path / "a.ring", 1 << 20)
    publish(ring, 1)
    assert 1 << 20 <= ring.path.stat().st_blocks * 512 < 2 << 20


def test_frames_for_which_there_is_no_room_anywhere(run: Path) -> None:
    storage = Storage(run, "0123456789ab")
    with pytest.raises(KeywarpError, match="smaller frames") as told:
        storage.ring(1 << 50)
    assert "MiB" in str(told.value)
    storage.clear()
