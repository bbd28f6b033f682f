# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp listen``: what comes over a real socket, and what is said where nothing does."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import pytest

Runner = Callable[..., object]


def osc(address: str, *arguments: str | float) -> bytes:
    def text(text: str) -> bytes:
        return text.encode() + bytes(4 - len(text) % 4)

    data = b"".join(text(a) if isinstance(a, str) else struct.pack(">f", a) for a in arguments)
    return text(address) + text("," + "".join("s" if isinstance(a, str) else "f" for a in arguments)) + data


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_meter_for_each_channel_that_comes(keywarp: Runner, port: int) -> None:
    ending = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ending.wait(0.02):
                sender.sendto(osc("/VMC/Ext/Blend/Val", "Joy", 0.5), ("127.0.0.1", port))
                sender.sendto(osc("/VMC/Ext/Blend/Val", "A", 0.0), ("127.0.0.1", port))
                sender.sendto(osc("/VMC/Ext/Blend/Apply"), ("127.0.0.1", port))

    helper = threading.Thread(target=send)
    helper.start()
    try:
        done = keywarp("listen", f"vmc:{port}", "--seconds", "0.6")
    finally:
        ending.set()
        helper.join()
    assert done.status == 0, done.err
    meters = [line.split() for line in done.out.splitlines() if line.startswith("  ")]
    assert ["happy", "0.50", "#" * 12 + "-" * 12] in meters
    assert all(meter[0] == "happy" for meter in meters)  # what is at rest takes no line
    assert f"127.0.0.1 port {port}" in done.err


@pytest.mark.parametrize("word", ["mic", "MIC:2", "clip:walk.json", "mouse", "idle:7"])
def test_what_is_no_tracker_is_for_other_commands(keywarp: Runner, word: str) -> None:
    sentence = keywarp("listen", word).sentence
    assert "openseeface" in sentence and "`keywarp live`" in sentence and "did you mean" not in sentence


def test_silence_is_explained(keywarp: Runner, port: int) -> None:
    done = keywarp("listen", f"openseeface:{port}", "--seconds", "0.2")
    assert done.status == 2
    last = done.err.splitlines()[-1]
    assert last.startswith("keywarp: nothing came") and "check" in last and "facetracker" in last


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("vnc",), "vmc"),
        (("ifacialmocap",), "192.168.1.7"),
        (("vmc:99999",), "99999"),
        (("vmc", "--seconds", "0"), "--seconds"),
    ],
)
def test_what_cannot_be_listened_to(keywarp: Runner, arguments: tuple[str, ...], word: str) -> None:
    assert word in keywarp("listen", *arguments).sentence
