# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that tracks a face and sends it by VMC."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def osc(address: str, *arguments: object) -> bytes:
    """A message of Open Sound Control 1.0."""

    def padded(text: str) -> bytes:
        raw = text.encode() + b"\0"
        return raw + b"\0" * (-len(raw) % 4)

    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, str):
            tags, body = tags + "s", body + padded(argument)
        elif isinstance(argument, int):
            tags, body = tags + "i", body + struct.pack(">i", argument)
        else:
            tags, body = tags + "f", body + struct.pack(">f", argument)
    return padded(address) + padded(tags) + body


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Tracker:
    """Sends VRM expressions by VMC, sixty times a second and at each change, until it is told to end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._face: dict[str, float] = {}
        self._changed = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self._over:
                self._changed.wait(1 / 60)
                self._changed.clear()
                messages = [osc("/VMC/Ext/OK", 1)]
                messages += [osc("/VMC/Ext/Blend/Val", name, value) for name, value in self._face.items()]
                messages.append(osc("/VMC/Ext/Blend/Apply"))
                for message in messages:
                    sender.sendto(message, ("127.0.0.1", self._port))

    def show(self, **face: float) -> None:
        """The face from now on."""
        self._face = face
        self._changed.set()

    def close(self) -> None:
        self._over = True
        self._thread.join()


@contextmanager
def tracking(port: int) -> Iterator[Tracker]:
    tracker = Tracker(port)
    try:
        yield tracker
    finally:
        tracker.close()
