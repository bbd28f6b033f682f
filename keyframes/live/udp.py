# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that reads one UDP socket, bound to one interface, and hears one sender."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from typing import Callable, Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.endpoint import LOOPBACK, Endpoint, facing, family, is_loopback, resolved
from keywarp.keyframes.live.reading import MAX_PACKET
from keywarp.keyframes.live.source import clock

#: How often the thread looks whether it should end or ask again, in seconds.
_LOOK = 0.1
_JOIN = 2.0

#: Packet, its sender's address, and when it came.
Take = Callable[[bytes, str, float], None]
#: What to send now, by our port and the time; ``None``: nothing.
Ask = Callable[[int, float], Optional[bytes]]


class Reader:
    """Hands on what arrives. Bound to loopback where no host is named, else to the interface that faces it."""

    def __init__(self, endpoint: Endpoint, take: Take, ask: Optional[Ask] = None) -> None:
        self.endpoint = endpoint
        self.sender: Optional[str] = None
        """The address that is heard; ``None``: any, on an interface that only this machine reaches."""
        self._take, self._ask = take, ask
        self._bound = (LOOPBACK, 0)
        self._socket: Optional[socket.socket] = None
        self._thread: Optional[threading.Thread] = None
        self._ending = threading.Event()

    @property
    def bound(self) -> tuple[str, int]:
        """The address and port that are listened on; of the last time where it has been stopped."""
        return self._bound

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it."""
        return not is_loopback(self._bound[0])

    def hears(self, sender: str) -> bool:
        """Whether packets from an address are taken."""
        return is_loopback(sender) if self.sender is None else sender == self.sender

    def start(self) -> None:
        """Bind and begin to read; raises ``KeywarpError`` where the host or the port cannot be had."""
        if self._thread is not None:
            return
        host, port = self.endpoint.host, self.endpoint.port
        self.sender = None if host is None else resolved(host, port)
        local = LOOPBACK if self.sender is None else facing(self.sender, port)
        opened = socket.socket(family(local), socket.SOCK_DGRAM)
        try:
            opened.bind((local, port))
        except OSError as error:
            opened.close()
            raise KeywarpError(_unbound(local, port, error)) from None
        opened.settimeout(_LOOK)
        self._bound = (local, opened.getsockname()[1])
        self._socket = opened
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="keywarp tracker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the socket."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_JOIN)
        if self._socket is not None:
            self._socket.close()
        self._thread = self._socket = None

    def _run(self, opened: socket.socket) -> None:
        while not self._ending.is_set():
            self._send(opened)
            try:
                packet, sender = opened.recvfrom(MAX_PACKET)
            except socket.timeout:
                continue
            except OSError:  # Windows tells here that nobody listened where we sent
                self._ending.wait(_LOOK)
                continue
            self._take(packet, str(sender[0]), clock())

    def _send(self, opened: socket.socket) -> None:
        packet = self._ask(self._bound[1], clock()) if self._ask is not None and self.sender else None
        if packet is not None:
            with contextlib.suppress(OSError):  # a network that is away comes back
                opened.sendto(packet, (self.sender, self.endpoint.port))


def _unbound(address: str, port: int, error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEACCES", None)):
        return (
            f"UDP port {port} of {address} is taken: another program listens there already; end that one, or "
            "let the tracker send to another port"
        )
    return f"UDP port {port} of {address} cannot be listened on: {error.strerror or error}"
