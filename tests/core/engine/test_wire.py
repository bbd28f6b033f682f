# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages and the handshake: nothing that comes is believed."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from multiprocessing import Pipe
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywarp.core.engine import wire


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(body: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        assert isinstance(wire.parsed(body), dict)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"1", b"null", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b'{"a":' * 100_000, b"\xff"],
)
def test_what_is_no_object_of_finite_numbers_is_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.parsed(body)


def prove_both(ours: bytes, theirs: bytes) -> list[Any]:
    """What each end of a connection ends with."""
    ends, results = Pipe(), []

    def one(end: Any, key: bytes, first: bool) -> None:
        try:
            results.append(wire.prove(end, key, first, seconds=2))
        except wire.WireError as error:
            results.append(error)

    threads = [threading.Thread(target=one, args=[ends[0], ours, True])]
    threads.append(threading.Thread(target=one, args=[ends[1], theirs, False]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(results) == 2
    return results


def test_the_same_key_opens_and_another_does_not() -> None:
    assert prove_both(b"k" * 32, b"k" * 32) == [None, None]
    assert all(isinstance(result, wire.WireError) for result in prove_both(b"k" * 32, b"x" * 32))


def test_a_peer_that_says_nothing_is_not_waited_for_for_ever() -> None:
    ours, _theirs = Pipe()
    began = time.monotonic()
    with pytest.raises(wire.WireError):
        wire.prove(ours, b"k" * 32, True, seconds=0.3)
    assert time.monotonic() - began < 3


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    ours, theirs = Pipe()
    link = wire.Link(ours, 1000)
    threading.Thread(target=theirs.send_bytes, args=[b"x" * 5000], daemon=True).start()
    with pytest.raises(OSError, match="length"):
        link.receive()


def test_messages_arrive_as_they_were_sent() -> None:
    ours, theirs = Pipe()
    message = {"do": "exact", "pose": {"head_y": 0.1 + 0.2}, "name": "é漢字", "none": None}
    wire.Link(ours, 1000).send(message)
    assert wire.Link(theirs, 1000).receive() == message
    with pytest.raises(ValueError):
        wire.Link(ours, 1000).send({"x": float("nan")})
    wire.Link(ours, 1000).send({"x": 1})
    assert json.loads(theirs.recv_bytes()) == {"x": 1}


def test_silence_and_a_peer_that_goes_are_told_apart() -> None:
    ours, theirs = Pipe()
    link = wire.Link(ours, 1000)
    with pytest.raises(TimeoutError):
        link.receive(silence=0.6)
    theirs.close()
    with pytest.raises(EOFError):
        link.receive()
