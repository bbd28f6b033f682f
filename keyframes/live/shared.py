# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sources that several characters may share, opened in the background and opened again where they fail.

One socket for each tracker, however many characters follow it. A source that nobody uses is stopped, and
keeps its neutral face.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Callable, Optional

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live import named
from keywarp.keyframes.live.calibration import Calibration
from keywarp.keyframes.live.source import FAILED, OFF, WAITING, LiveSource, State
from keywarp.keyframes.live.tracker import Tracker

#: After which a source that could not be opened is tried again.
RETRY_SECONDS = 3.0


class _Opened:
    """A source that is open while it has users."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.source: Optional[LiveSource] = None
        self.failure = ""
        self.is_open = False
        self._lock = threading.Lock()
        self._users: list[Optional[threading.Event]] = []
        self._ending = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def join(self, wake: Optional[threading.Event]) -> None:
        with self._lock:
            self._users.append(wake)
            if len(self._users) > 1:
                return
            self._ending, before = threading.Event(), self._thread
            self._thread = threading.Thread(
                target=self._run, args=[self._ending, before], name="keywarp source", daemon=True
            )
            self._thread.start()

    def leave(self, wake: Optional[threading.Event]) -> None:
        with self._lock:
            self._users.remove(wake)
            if not self._users:
                self._ending.set()

    def _run(self, ending: threading.Event, before: Optional[threading.Thread]) -> None:
        if before is not None:
            before.join()
        while not ending.is_set():
            try:
                source = self._made()
                source.start()
            except KeywarpError as error:
                self.failure = str(error)
                ending.wait(RETRY_SECONDS)
                continue
            self.failure, self.is_open = "", True
            self._wake()
            ending.wait()
            self.is_open = False
            source.stop()

    def _made(self) -> LiveSource:
        if self.source is None:
            self.source = named.source(self._text)
            if isinstance(self.source, Tracker):
                self.source.on_reading = self._wake
        return self.source

    def _wake(self) -> None:
        with self._lock:
            users = list(self._users)
        for event in users:
            if event is not None:
                event.set()


class SharedSource:
    """One user's hold on a source."""

    def __init__(self, text: str, opened: _Opened, wake: Optional[threading.Event]) -> None:
        self.text, self._opened, self._wake = text, opened, wake
        self._running = False

    @property
    def source(self) -> Optional[LiveSource]:
        """The source itself, once it has been made."""
        return self._opened.source

    @property
    def calibration(self) -> Optional[Calibration]:
        """The neutral face, where it is a tracker."""
        source = self.source
        return source.calibration if isinstance(source, Tracker) else None

    def calibrate(self) -> bool:
        """Make the face of this moment the neutral one; whether there was a face."""
        source = self.source
        return isinstance(source, Tracker) and source.calibrate()

    def start(self) -> None:
        """Begin to open it; how that goes is told by ``state``."""
        if not self._running:
            self._running = True
            self._opened.join(self._wake)

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._opened.leave(self._wake)

    def _live(self) -> Optional[LiveSource]:
        return self._opened.source if self._running and self._opened.is_open else None

    @property
    def channels(self) -> frozenset[str]:
        source = self._opened.source
        return frozenset() if source is None else source.channels

    @property
    def state(self) -> State:
        source = self._live()
        if source is not None:
            return source.state
        if not self._running:
            return State(OFF, f"{self.text} is off")
        if self._opened.failure:
            return State(FAILED, self._opened.failure)
        return State(WAITING, f"{self.text} is being opened")

    def pose(self, now: float) -> Optional[Poses]:
        source = self._live()
        return None if source is None else source.pose(now)


class Sources:
    """All sources of a process; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[Hashable, _Opened] = {}

    def source(self, text: str, wake: Optional[threading.Event] = None) -> SharedSource:
        """A hold on the source that ``text`` names (see ``named``), which is not started.

        ``wake`` is set when there is news of a tracker. Raises ``KeywarpError`` for a text that names none.
        """
        named.check(text)
        identity = named.identity(text)
        if identity is None:
            return SharedSource(text, _Opened(text), wake)
        with self._lock:
            opened = self._shared.setdefault(identity, _Opened(text))
        return SharedSource(text, opened, wake)


#: By the words for a source: what makes a hold on it.
Open = Callable[[str], LiveSource]
