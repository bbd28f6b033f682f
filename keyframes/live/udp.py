# SPDX-License-Identifier: GPL-3.0-or-later
"""One sender's UDP packets, on the interface that faces it, which is looked for again where nothing comes."""

from __future__ import annotations

import contextlib
import threading
from typing import Callable, Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.endpoint import LOOPBACK, Endpoint, facing, is_loopback, resolved
from keywarp.keyframes.live.port import Port, join, leave
from keywarp.keyframes.live.source import clock

#: How often the thread looks whether it should end or ask again, in seconds.
_LOOK = 0.1
_JOIN = 2.0
#: After so long a silence it is looked whether this machine or the sender has another address by now, and again after
#: as long, in seconds.
SILENT_SECONDS = 3.0

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
        self.failure = ""
        """Why nothing is listened on at present, in a sentence; that is tried again."""
        self._take, self._ask = take, ask
        self._bound = (LOOPBACK, 0)
        self._port: Optional[Port] = None
        self._thread: Optional[threading.Thread] = None
        self._ending = threading.Event()
        self._moving = threading.Lock()
        self._heard = self._looked = 0.0

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

    def take(self, packet: bytes, sender: str) -> None:
        """A packet that has come to the port."""
        now = clock()
        if self.hears(sender):
            self._heard = now
        self._take(packet, sender, now)

    def start(self) -> None:
        """Bind and begin to read; raises ``KeywarpError`` where the host or the port cannot be had."""
        if self._port is not None or self._thread is not None:
            return
        self.failure, self._looked = "", clock()
        self._bind(*self._places())
        if self.endpoint.host is not None:  # what is asked, and whose address may change
            self._ending = threading.Event()
            self._thread = threading.Thread(target=self._run, name="keywarp tracker's host", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let go of the port, and close it where nobody else reads it."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_JOIN)
        with self._moving:
            self._leave()
        self._thread = None

    def _places(self) -> tuple[str, Optional[str]]:
        """The address to listen on, and the sender's; raises ``KeywarpError``."""
        host, port = self.endpoint.host, self.endpoint.port
        if host is None:
            return LOOPBACK, None
        sender = resolved(host, port)
        return facing(sender, port), sender

    def _bind(self, local: str, sender: Optional[str]) -> None:
        self.sender = sender
        self._port = join(local, self.endpoint.port, self)
        self._bound = self._port.address

    def _leave(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            leave(port, self)

    def _run(self) -> None:
        ending = self._ending
        while not ending.is_set():
            self._send()
            now = clock()
            if now - max(self._heard, self._looked) > SILENT_SECONDS:
                self._looked = now
                self._look_again(ending)
            ending.wait(_LOOK)

    def _look_again(self, ending: threading.Event) -> None:
        """Go to where the sender is faced from now, if that is elsewhere."""
        try:
            local, sender = self._places()  # which may take its time
            with self._moving:
                stays = self._port is not None and (local, sender) == (self._bound[0], self.sender)
                if not stays and not ending.is_set():
                    self._leave()
                    self._bind(local, sender)
                    self.failure = ""
        except KeywarpError as error:
            if self._port is None:  # else a network that is away comes back
                self.failure = str(error)

    def _send(self) -> None:
        port, sender = self._port, self.sender
        if self._ask is None or port is None or sender is None:
            return
        packet = self._ask(self._bound[1], clock())
        if packet is not None:
            with contextlib.suppress(OSError):  # a network that is away comes back
                port.send(packet, sender, self.endpoint.port)
