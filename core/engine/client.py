# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a host sees it: started when first needed, started again when it dies.

Standard library only, Python 3.9: Blender, OBS and other hosts load this file, and what it imports beside it.
Nothing here blocks a host's main thread except ``ask``, ``exact`` and ``close``.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from . import launch, wire
from .failure import CancelledError, EngineError, EngineTimeoutError, GoneError
from .followed import LiveReport
from .reach import PathLike, Reach
from .stream import Frame, Stream, settings_of

__all__ = [
    "CancelledError",
    "Engine",
    "EngineError",
    "EngineState",
    "EngineTimeoutError",
    "Frame",
    "LiveReport",
    "Stream",
]

Answer = TypeVar("Answer")

ADDRESS = "KEYWARP_ENGINE"
"""Environment variable that names the address file of an engine that already runs."""
REST_SECONDS = 3.0
"""After a failed start, in which previews do not try again by themselves."""

CLOSING_SECONDS = 5.0
"""In which an engine has to end, before it is ended."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class EngineState:
    """What a host can show about its engine."""

    phase: str
    """``off``, ``starting``, ``ready`` or ``failed``."""
    message: str = ""
    """Why it failed, in one sentence."""
    pid: int = 0
    version: str = ""
    device: str = ""
    """``cpu`` or ``cuda``, once the engine has found out."""


@dataclass
class Patience:
    """How long a caller waits, and what it hears meanwhile, in its own thread."""

    until: Optional[float]
    """Of the monotonic clock."""
    cancelled: Optional[Callable[[], bool]]
    progress: Optional[Progress]
    told: Optional[tuple[str, float]] = None

    def slice(self) -> float:
        """Seconds to wait before ``check`` is due again."""
        return 0.1 if self.until is None else min(0.1, max(self.until - time.monotonic(), 0.0))

    def check(self, news: Optional[tuple[str, float]]) -> None:
        """Tell the news; raises ``EngineError`` where the caller waits no longer."""
        if self.progress is not None and news is not None and news != self.told:
            self.told = news
            self.progress(*news)
        if self.cancelled is not None and self.cancelled():
            raise CancelledError("it was cancelled")
        if self.until is not None and time.monotonic() >= self.until:
            raise EngineTimeoutError("the engine did not answer in time")


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.answer: Optional[wire.Message] = None
        self.gone = False
        self.news: Optional[tuple[str, float]] = None


class Engine:
    """One engine, and the streams that it feeds. Any thread may use it."""

    def __init__(
        self,
        command: Optional[Sequence[PathLike]] = None,
        *,
        address: Optional[PathLike] = None,
        log: Optional[PathLike] = None,
        device: str = "auto",
        environment: Optional[Mapping[str, Optional[str]]] = None,
    ) -> None:
        """``command``: what starts an engine, such as ``[python, "-s", "-u", "-m", "keywarp.core.engine"]``.
        ``address``: the address file of one that already runs (else ``$KEYWARP_ENGINE``), which is neither started
        nor ended from here. ``log``: where its log goes. ``device``: ``auto``, ``cpu`` or ``cuda``. ``environment``:
        variables that the engine gets in addition to the host's; ``None`` as a value removes one."""
        chosen = address or os.environ.get(ADDRESS) or None
        self.log = Path(log) if log is not None else launch.log_file()
        """The file that the engine's log goes to."""
        self._reach = Reach(command, None if chosen is None else Path(chosen), self.log, environment)
        self._device = device
        self._changed = threading.Condition()
        self._state = EngineState("off")
        self._link: Optional[wire.Link] = None
        self._busy = False  # while an engine is started, or cleaned up after
        self._failed_at = -REST_SECONDS
        self._closed = False
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._streams: dict[int, Stream] = {}
        self._posted: set[int] = set()

    # What a host calls

    @property
    def state(self) -> EngineState:
        return self._state

    def wake(self) -> None:
        """Start or connect in the background, so that the first frame comes sooner; returns at once."""
        with self._changed:
            self._begin_start()

    def ask(
        self,
        what: str,
        timeout: Optional[float] = 600.0,
        cancelled: Optional[Callable[[], bool]] = None,
        progress: Optional[Progress] = None,
        **body: Any,
    ) -> dict[str, Any]:
        """One question, answered before this returns: ``ping``, ``info``, ``check``, ``models``, ``cache``,
        ``provenance``, ``stages``, ``stop`` (see ``answers``). Raises ``EngineError``."""
        return self.request(lambda: {**body, "do": "ask", "what": what}, dict, timeout, cancelled, progress)

    def stream(
        self,
        character: PathLike,
        *,
        model: Optional[PathLike] = None,
        size: Optional[tuple[int, int]] = None,
        fit: str = "contain",
        pixels: str = "rgba32f_linear",
        flip: bool = False,
        draft: bool = False,
        background: Optional[str] = None,
        driving: Optional[PathLike] = None,
    ) -> Stream:
        """A stream of frames; nothing is computed until a frame is asked for.

        ``character``: absolute path of a character file, of a folder with a THA4 character, or of a picture (with
        ``model``). ``size``: (width, height); ``None``: the picture's own. ``pixels``: ``rgba32f_linear``
        (float32, premultiplied), ``rgba8_srgb`` or ``bgra8_srgb`` (straight alpha). ``flip``: rows from the bottom
        up. ``background``: a colour behind the character, such as ``#00ff00``; ``None``: transparent. ``driving``:
        absolute path of the video that takes the place of the character's own, for models that follow one.
        """
        named = None if model is None else os.fspath(model)
        video = None if driving is None else os.fspath(driving)
        settings = settings_of(
            os.fspath(character), named, size, fit, pixels, flip, draft, background, self._device, video
        )
        stream = Stream(self, next(self._numbers), settings)
        with self._changed:
            self._streams[stream.number] = stream
        return stream

    def close(self) -> None:
        """End all streams, and the engine if it was started from here; waits a few seconds at most."""
        with self._changed:
            self._closed = True
            link = self._link
            self._changed.notify_all()
        for stream in list(self._streams.values()):
            stream.close()
        if link is not None:
            link.post({"do": "bye"})
        with self._changed:
            until = time.monotonic() + CLOSING_SECONDS
            while (self._busy or self._link is not None) and time.monotonic() < until:
                self._changed.wait(0.1)
        if link is not None:
            link.close()
        self._reach.end(CLOSING_SECONDS)
        with self._changed:
            self._state = EngineState("off")

    # What its streams call

    def request(
        self,
        make: Callable[[], wire.Message],
        take: Callable[[dict[str, Any]], Answer],
        timeout: Optional[float],
        cancelled: Optional[Callable[[], bool]],
        progress: Optional[Progress],
    ) -> Answer:
        """Send what ``make`` gives, as often as engines die before they answer; what ``take`` makes of the answer.
        Raises ``EngineError``."""
        asked = time.monotonic()
        patience = Patience(None if timeout is None else asked + timeout, cancelled, progress)
        while True:
            link = self._connected(asked, patience)
            try:
                return take(self._answer(link, make(), patience))
            except GoneError:
                continue  # how often, is counted where the loss is noticed

    def post(self, stream: Stream) -> None:
        """Send what the stream's ``latest`` asks, now or when there is an engine."""
        with self._changed:
            link = self._link
            if link is None:
                if self._state.phase == "failed" and time.monotonic() - self._failed_at < REST_SECONDS:
                    stream.give_up(self._state.message)
                else:
                    self._begin_start()
                return
            if stream.number in self._posted:
                return
            self._posted.add(stream.number)
        link.post(lambda: self._letter(stream))

    def tell(self, stream: Stream, make: Callable[[], Optional[wire.Message]]) -> None:
        """Send what ``make`` gives where there is an engine; start one where the stream follows something."""
        with self._changed:
            link = self._link
            if link is None and stream.follows:
                self._begin_start()
        if link is not None:
            link.post(make)

    def _letter(self, stream: Stream) -> Optional[wire.Message]:
        """What the stream wants when its turn to be sent comes: whatever was posted in between is not sent."""
        with self._changed:
            self._posted.discard(stream.number)
        return stream.pending()

    def forget(self, stream: Stream) -> None:
        with self._changed:
            self._streams.pop(stream.number, None)
            link = self._link
        if link is not None:
            link.post({"do": "close", "stream": stream.number})

    # Asking

    def _connected(self, asked: float, patience: Patience) -> wire.Link:
        """The connection, when there is one; a failure after ``asked`` is an ``EngineError``."""
        while True:
            with self._changed:
                if self._closed:
                    raise EngineError("the engine has been closed")
                if self._link is not None:
                    return self._link
                if self._state.phase == "failed" and self._failed_at >= asked:
                    raise EngineError(self._state.message)
                self._begin_start()
                self._changed.wait(patience.slice())
                news = None if self._link is not None else ("starting", 0.0)
            patience.check(news)

    def _answer(self, link: wire.Link, message: wire.Message, patience: Patience) -> dict[str, Any]:
        number, pending = next(self._numbers), _Pending()
        with self._changed:
            if self._link is not link:
                raise GoneError
            self._pending[number] = pending
        try:
            _post(link, {**message, "id": number})
            while True:
                with self._changed:
                    if pending.answer is None and not pending.gone:
                        self._changed.wait(patience.slice())
                    if pending.answer is not None:
                        return self._content(pending.answer)
                    if pending.gone:
                        raise GoneError
                patience.check(pending.news)
        except (CancelledError, EngineTimeoutError):
            link.post({"do": "cancel", "id": number})
            raise
        finally:
            with self._changed:
                self._pending.pop(number, None)

    def _content(self, answer: wire.Message) -> dict[str, Any]:
        if "error" in answer:
            sentence, kind = str(answer["error"]), answer.get("kind")
            if kind == "cancelled":
                raise CancelledError(sentence)
            raise EngineError(f"{sentence} (log: {self.log})" if kind == "defect" else sentence)
        content: dict[str, Any] = answer["done"]
        return content

    # Starting

    def _begin_start(self) -> None:
        """With the lock held: start in the background unless that is under way or done."""
        if self._link is None and not self._busy and not self._closed:
            self._busy = True
            if self._state.phase == "failed":
                self._reach.deaths = 0
            self._state = EngineState("starting")
            threading.Thread(target=self._start, name="keywarp-engine-start", daemon=True).start()

    def _start(self) -> None:
        try:
            link, hello = self._reach.connect(lambda: self._closed)
        except (launch.LaunchError, wire.WireError) as error:
            self._fail(str(error))
            return
        except Exception as error:
            self._fail(f"the engine cannot be reached ({type(error).__name__}: {error})")
            return
        with self._changed:
            self._busy, self._link = False, link
            device = str(hello.get("device", ""))
            self._state = EngineState("ready", "", int(hello["pid"]), str(hello["version"]), device)
            streams = list(self._streams.values())
            threading.Thread(target=self._receive, args=[link], name="keywarp-engine", daemon=True).start()
            if self._closed:
                link.close()
            self._posted.clear()
            link.start_posting()
            self._changed.notify_all()
        for stream in streams:
            if stream.follows:
                link.post(stream.standing)
            link.post(stream.pending)

    def _fail(self, sentence: str) -> None:
        with self._changed:
            self._busy = False
            self._failed_at = time.monotonic()
            self._state = EngineState("failed", sentence)
            streams = list(self._streams.values())
            self._changed.notify_all()
        for stream in streams:
            stream.give_up(sentence)

    # Receiving

    def _receive(self, link: wire.Link) -> None:
        """In a thread of its own: hand on what comes until the engine is gone."""
        patience = 2.0
        try:
            while True:
                self._handle(link.receive(wire.SILENCE_SECONDS))
        except TimeoutError:
            patience = 0.0  # it is stuck
        except (EOFError, OSError, wire.WireError):
            pass
        link.release()
        self._lost(patience)

    def _handle(self, message: wire.Message) -> None:
        number, kind = message.get("id"), message.get("event")
        if isinstance(number, int):
            with self._changed:
                pending = self._pending.get(number)
                if pending is not None and "progress" in message:
                    pending.news = (str(message["progress"][0]), float(message["progress"][1]))
                elif pending is not None:
                    pending.answer = message
                    self._reach.deaths = 0
                self._changed.notify_all()
        elif kind == "device":
            self._state = replace(self._state, device=str(message["device"]))
        elif kind in ("frame", "failed", "progress", "live"):
            stream = self._streams.get(message.get("stream", 0))
            if kind in ("frame", "failed"):
                self._reach.deaths = 0
            if stream is not None:
                stream.heard(message)

    def _lost(self, patience: float) -> None:
        """The engine is gone: clean up after it, tell those who wait, and start another if somebody needs it."""
        with self._changed:
            self._link, self._busy = None, True  # nobody starts another before this one's traces are gone
        self._reach.end(patience)
        with self._changed:
            self._busy = False
            waiting = list(self._pending.values())
            for pending in waiting:
                pending.gone = True
            self._state = EngineState("off")
            self._reach.deaths += not self._closed
            exhausted = self._reach.exhausted
            wanted = any(stream.follows or stream.pending() for stream in self._streams.values())
            if not exhausted and (waiting or wanted):
                self._begin_start()
            self._changed.notify_all()
        if exhausted:
            self._fail(self._reach.obituary())


def _post(link: wire.Link, message: wire.Message) -> None:
    try:
        link.post(message)
    except (ValueError, TypeError) as error:
        raise EngineError(f"this cannot be asked of the engine: {error}") from None
