# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP ports that this process has open: one socket and one thread for all who read the same one.

So two phones with the same app can be followed, whose packets come to the same port: they are sorted by sender.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from typing import Optional, Protocol

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.endpoint import family
from keywarp.keyframes.live.reading import MAX_PACKET

log = logging.getLogger(__name__)

#: How often the thread looks whether it should end, and how soon a socket that fails is tried again, in seconds.
_LOOK = 0.1
_AGAIN = 1.0
_JOIN = 2.0


class Listener(Protocol):
    """Who reads a port."""

    def hears(self, sender: str) -> bool:
        """Whether packets from an address are for it."""

    def take(self, packet: bytes, sender: str) -> None:
        """A packet, and the address that it came from."""


class Port:
    """An open port, and who listens there."""

    def __init__(self, local: str, port: int) -> None:
        """Raises ``KeywarpError`` where it cannot be had."""
        self.listeners: tuple[Listener, ...] = ()
        self._socket = _opened(local, port)
        self.address = (local, int(self._socket.getsockname()[1]))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keywarp tracker", daemon=True)
        self._thread.start()

    def send(self, packet: bytes, host: str, port: int) -> None:
        """Raises ``OSError``."""
        self._socket.sendto(packet, (host, port))

    def close(self) -> None:
        """End the thread and close the socket."""
        self._ending.set()
        self._thread.join(_JOIN)
        self._socket.close()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                packet, sender = self._socket.recvfrom(MAX_PACKET)
            except socket.timeout:
                continue
            except ConnectionResetError:  # Windows tells here that nobody listened where we sent
                self._ending.wait(_LOOK)
            except OSError:
                self._renew()
            else:
                self._hand_on(packet, str(sender[0]))

    def _hand_on(self, packet: bytes, sender: str) -> None:
        """To those who hear the sender; what nobody hears is a stranger's, which all are told of."""
        listeners = self.listeners
        for listener in [each for each in listeners if each.hears(sender)] or listeners:
            try:
                listener.take(packet, sender)
            except Exception:  # which must not make the others deaf
                log.exception("a packet could not be taken")

    def _renew(self) -> None:
        """A new socket for one that has failed, as where a network has gone."""
        self._socket.close()
        self._ending.wait(_AGAIN)
        with contextlib.suppress(KeywarpError):  # then the old one fails again, and this is tried again
            self._socket = _opened(*self.address)


_lock = threading.Lock()
_ports: dict[tuple[str, int], Port] = {}


def join(local: str, port: int, listener: Listener) -> Port:
    """The port, opened where it is not open yet; raises ``KeywarpError`` where it cannot be had."""
    with _lock:
        found: Optional[Port] = _ports.get((local, port))
        if found is None:
            found = Port(local, port)
            _ports[found.address] = found
        found.listeners = (*found.listeners, listener)
        return found


def leave(port: Port, listener: Listener) -> None:
    """Hear it no longer; a port that nobody hears is closed."""
    with _lock:
        port.listeners = tuple(each for each in port.listeners if each is not listener)
        if not port.listeners:
            _ports.pop(port.address, None)
            port.close()


def _opened(local: str, port: int) -> socket.socket:
    opened = socket.socket(family(local), socket.SOCK_DGRAM)
    try:
        opened.bind((local, port))
    except OSError as error:
        opened.close()
        raise KeywarpError(_unbound(local, port, error)) from None
    opened.settimeout(_LOOK)
    return opened


def _unbound(address: str, port: int, error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEACCES", None)):
        return (
            f"UDP port {port} of {address} is taken: another program listens there already, which may be keywarp "
            "itself, in OBS, in Blender or in a terminal; end that one, or let the tracker send to another port"
        )
    return f"UDP port {port} of {address} cannot be listened on: {error.strerror or error}"
