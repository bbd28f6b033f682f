# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: who may come in, what there is to share, and when it ends."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.core.engine import launch, wire
from keywarp.core.engine.session import Session
from keywarp.core.engine.storage import Storage
from keywarp.core.render.provenance import keywarp_version
from keywarp.keyframes.errors import KeywarpError

if TYPE_CHECKING:
    from keywarp.core.engine.answers import Answers
    from keywarp.core.engine.worker import Workers
    from keywarp.keyframes.live.shared import Sources

log = logging.getLogger(__name__)

FIRST_CLIENT_SECONDS = 60.0
"""In which the host that started an engine has to come in."""
MAX_SOCKET_PATH = 100
"""Characters; some systems cut off longer ones."""


class Server:
    """One engine. ``run`` returns when it is to end; nothing of it is left then but the process."""

    def __init__(self, storage: Storage, hosted: bool, log_path: Path | None = None) -> None:
        """``hosted``: started by a host; ends when the last client has gone, and with the host's end of standard
        input when there is none."""
        self.storage, self._hosted, self._log_path = storage, hosted, log_path
        self.key = secrets.token_bytes(32)
        self.version = keywarp_version()
        self.device = ""
        self._loaded = threading.Event()
        self._parts: tuple[Workers, Answers, Sources] | None = None
        self._over = threading.Event()
        self._why = ""
        self._changing = threading.Lock()
        self._sessions: set[Session] = set()
        self._had_clients = self._host_gone = False
        self._listener = self._listen()

    @property
    def workers(self) -> Workers:
        """Who draws."""
        return self._departments()[0]

    @property
    def answers(self) -> Answers:
        """Who answers questions."""
        return self._departments()[1]

    @property
    def sources(self) -> Sources:
        """What moves characters by itself."""
        return self._departments()[2]

    def _departments(self) -> tuple[Workers, Answers, Sources]:
        """All, when they are there: libraries do not stand being imported by two threads at once."""
        self._loaded.wait()
        if self._parts is None:
            raise KeywarpError(f"the engine's installation is damaged ({self._why}); install it again")
        return self._parts

    @property
    def clients(self) -> int:
        return len(self._sessions)

    def _listen(self) -> Listener:
        """A socket or a pipe of our own name; where the socket's path would be too long, a port of this machine."""
        if sys.platform == "win32":
            return Listener(rf"\\.\pipe\keywarp-{self.storage.name}", "AF_PIPE", backlog=16)
        path = str(self.storage.path(".sock"))
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            return Listener(("127.0.0.1", 0), "AF_INET", backlog=16)
        return Listener(path, "AF_UNIX", backlog=16)

    def card(self) -> launch.Card:
        address: Any = self._listener.address
        family = (
            "AF_INET" if isinstance(address, tuple) else "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"
        )
        return launch.Card(
            self.storage.name, os.getpid(), wire.PROTOCOL, self.version, family, address, self.key.hex()
        )

    def welcome(self) -> wire.Message:
        return {
            "pid": os.getpid(),
            "protocol": wire.PROTOCOL,
            "version": self.version,
            "device": self.device,
        }

    def run(self, card_path: Path, ready: Callable[[], None]) -> None:
        """Serve until it is over; ``ready`` is called when hosts can come in."""
        for work in (self._accept, self._load, *([self._watch_host] if self._hosted else [])):
            threading.Thread(target=work, name=f"keywarp{work.__name__}", daemon=True).start()
        self.card().write(card_path)
        log.info("ready, keywarp %s", self.version)
        ready()
        began = time.monotonic()
        while not self._over.wait(wire.BEAT_SECONDS):
            self._beat(time.monotonic() - began)
        log.info("ends: %s", self._why)
        with suppress(OSError):
            card_path.unlink()
        self.storage.clear()

    def end(self, why: str, after: float = 0.0) -> None:
        """Leave ``run``; ``after``: seconds in which an answer can still go out."""
        self._why = self._why or why
        threading.Timer(after, self._over.set).start() if after else self._over.set()

    # Clients

    def joined(self, session: Session) -> None:
        with self._changing:
            self._sessions.add(session)
            self._had_clients = True

    def left(self, session: Session) -> None:
        with self._changing:
            self._sessions.discard(session)
            alone = not self._sessions
        if alone and self._hosted:
            self.end("the last client has gone")

    def forget(self, session: Session) -> None:
        """Draw nothing more for this host."""
        if self._parts is not None:
            self._parts[0].drop(session)

    def _accept(self) -> None:
        while True:
            try:
                Session(self, self._listener.accept())
            except OSError as error:  # a peer that went while it was let in, or too many open files
                log.warning("a connection failed: %s", error)
                time.sleep(0.05)

    # Life

    def _load(self) -> None:
        """Load what every frame needs while the host connects, and find the device."""
        try:
            import keywarp.core.engine.following  # noqa: F401
            from keywarp.core.engine.answers import Answers
            from keywarp.core.engine.worker import Workers
            from keywarp.core.runtime.session import choose_device
            from keywarp.keyframes.live.shared import Sources

            self._parts = Workers(), Answers(self), Sources()
        except Exception as error:
            log.exception("the engine cannot be loaded")
            self._why = f"{type(error).__name__}: {error}".splitlines()[0]
        finally:
            self._loaded.set()
        if self._parts is not None:
            self.device = choose_device()
            with self._changing:
                sessions = list(self._sessions)
            for session in sessions:
                session.send({"event": "device", "device": self.device})

    def _watch_host(self) -> None:
        """The host holds the other end of standard input: it closes when the host ends, however that happens."""
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        self._host_gone = True
        if not self.clients:
            self.end("the host has gone")

    def _beat(self, age: float) -> None:
        with self._changing:
            sessions = list(self._sessions)
        for session in sessions:
            session.beat()
        if self._hosted and not sessions and (self._host_gone or age > FIRST_CLIENT_SECONDS):
            self.end("nobody came")
        if self._log_path is not None:
            launch.shorten_log(self._log_path)
