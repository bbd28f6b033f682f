# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a host sees it: started when first needed, started again when it dies.

Standard library only, Python 3.9: Blender, OBS and other hosts load this file, and what it imports beside it.
Nothing here blocks a host's main thread except ``ask``, ``exact`` and ``close``.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional, Union

from . import launch, wire
from .failure import CancelledError, EngineError, EngineTimeoutError, GoneError
from .stream import Frame, Stream, settings_of

__all__ = ["CancelledError", "Engine", "EngineError", "EngineState", "EngineTimeoutError", "Frame", "Stream"]

ADDRESS = "KEYWARP_ENGINE"
"""Environment variable that names the address file of an engine that already runs."""
DEATHS = 4
"""Deaths in a row, without a single answer in between, after which no further engine is started."""
START_SECONDS = 60.0
"""In which an engine has to write its address file; a first start may compile all of its modules."""
REST_SECONDS = 3.0
"""After a failed start, in which previews do not try again by themselves."""

PathLike = Union[str, "os.PathLike[str]"]
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


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.answer: Optional[wire.Message] = None
        self.gone = False
        self.progress: Optional[tuple[str, float]] = None


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
        nor ended from here. ``log``: where its log goes. ``environment``: variables that the engine gets in
        addition to the host's; ``None`` as a value removes one."""
        chosen = address or os.environ.get(ADDRESS) or None
        self._address = None if chosen is None else Path(chosen)
        self._command = None if command is None else list(command)
        self.log = Path(log) if log is not None else launch.log_file()
        """The file that the engine's log goes to."""
        self._device, self._environment = device, environment
        self._changed = threading.Condition()
        self._state = EngineState("off")
        self._link: Optional[wire.Link] = None
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._starting = False
        self._failed_at = -REST_SECONDS
        self._deaths = 0
        self._log_start = 0
        self._closed = False
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._streams: dict[int, Stream] = {}

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
        ``stages``, ``stop``. Raises ``EngineError``."""
        return self.request(lambda: {**body, "do": "ask", "what": what}, timeout, cancelled, progress)

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
    ) -> Stream:
        """A stream of frames; nothing is computed until a frame is asked for.

        ``character``: absolute path of a character file, of a folder with a THA4 character, or of a picture (with
        ``model``). ``size``: (width, height); ``None``: the picture's own. ``pixels``: ``rgba32f_linear``
        (float32, premultiplied), ``rgba8_srgb`` or ``bgra8_srgb`` (straight alpha). ``flip``: rows from the bottom
        up.
        """
        named = None if model is None else os.fspath(model)
        settings = settings_of(os.fspath(character), named, size, fit, pixels, flip, draft, self._device)
        stream = Stream(self, next(self._numbers), settings)
        with self._changed:
            self._streams[stream.number] = stream
        return stream

    def close(self) -> None:
        """End all streams, and the engine if this process has started it; waits a few seconds at most."""
        with self._changed:
            self._closed = True
            link, process = self._link, self._process
            self._changed.notify_all()
        for stream in list(self._streams.values()):
            stream.close()
        if link is not None:
            with suppress(OSError, ValueError):
                link.send({"do": "bye"})
            link.close()
        if process is not None:
            self._end(process, 5.0)
        with self._changed:
            self._link, self._process = None, None
            self._state = EngineState("off")

    # What its streams call

    def request(
        self,
        make: Callable[[], wire.Message],
        timeout: Optional[float],
        cancelled: Optional[Callable[[], bool]],
        progress: Optional[Progress],
    ) -> dict[str, Any]:
        """Send what ``make`` gives, as often as engines die before they answer; the answer. Raises
        ``EngineError``."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            link = self._connected(until, cancelled, progress)
            try:
                return self._answer(link, make(), until, cancelled, progress)
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
        self._send_pending(link, stream)

    def forget(self, stream: Stream) -> None:
        with self._changed:
            self._streams.pop(stream.number, None)
            link = self._link
        if link is not None:
            with suppress(OSError):
                link.send({"do": "close", "stream": stream.number})

    # Asking

    def _answer(
        self,
        link: wire.Link,
        message: wire.Message,
        until: Optional[float],
        cancelled: Optional[Callable[[], bool]],
        progress: Optional[Progress],
    ) -> dict[str, Any]:
        number, pending = next(self._numbers), _Pending()
        with self._changed:
            if self._link is not link:
                raise GoneError
            self._pending[number] = pending
        try:
            try:
                link.send({**message, "id": number})
            except OSError:
                link.close()
                raise GoneError from None
            except ValueError as error:
                raise EngineError(f"this cannot be asked of the engine: {error}") from None
            told: Optional[tuple[str, float]] = None
            while True:
                with self._changed:
                    if pending.answer is None and not pending.gone:
                        self._changed.wait(self._patience(until))
                    if pending.answer is not None:
                        return _content(pending.answer)
                    if pending.gone:
                        raise GoneError
                    news = pending.progress
                if progress is not None and news is not None and news != told:
                    told = news
                    progress(*news)
                self._check(until, cancelled)
        except (CancelledError, EngineTimeoutError):
            with suppress(OSError):
                link.send({"do": "cancel", "id": number})
            raise
        finally:
            with self._changed:
                self._pending.pop(number, None)

    @staticmethod
    def _patience(until: Optional[float]) -> float:
        return 0.1 if until is None else min(0.1, max(until - time.monotonic(), 0.0))

    @staticmethod
    def _check(until: Optional[float], cancelled: Optional[Callable[[], bool]]) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("it was cancelled")
        if until is not None and time.monotonic() >= until:
            raise EngineTimeoutError("the engine did not answer in time")

    def _connected(
        self,
        until: Optional[float],
        cancelled: Optional[Callable[[], bool]],
        progress: Optional[Progress],
    ) -> wire.Link:
        """The connection, when there is one; a start that fails from now on is an ``EngineError``."""
        told = False
        with self._changed:
            asked = time.monotonic()
            while True:
                if self._closed:
                    raise EngineError("the engine has been closed")
                if self._link is not None:
                    return self._link
                if self._state.phase == "failed" and self._failed_at >= asked:
                    raise EngineError(self._state.message)
                self._begin_start()
                self._changed.wait(self._patience(until))
                self._changed.release()
                try:
                    if progress is not None and not told and self._link is None:
                        told = True
                        progress("starting", 0.0)
                    self._check(until, cancelled)
                finally:
                    self._changed.acquire()

    def _send_pending(self, link: wire.Link, stream: Stream) -> None:
        message = stream.pending()
        if message is not None:
            with suppress(OSError):
                link.send(message)

    # Starting

    def _begin_start(self) -> None:
        """With the lock held: start in the background unless that is under way or done."""
        if self._link is None and not self._starting and not self._closed:
            self._starting = True
            if self._state.phase == "failed":
                self._deaths = 0
            self._state = EngineState("starting")
            threading.Thread(target=self._start, name="keywarp-engine-start", daemon=True).start()

    def _start(self) -> None:
        try:
            link, hello = self._reach()
        except (launch.LaunchError, wire.WireError, OSError, EOFError, TimeoutError) as error:
            self._fail(str(error) or "the engine cannot be reached")
            return
        with self._changed:
            self._starting = False
            self._link = link
            device = str(hello.get("device", ""))
            self._state = EngineState("ready", "", int(hello["pid"]), str(hello["version"]), device)
            streams = list(self._streams.values())
            threading.Thread(target=self._receive, args=[link], name="keywarp-engine", daemon=True).start()
            self._changed.notify_all()
        for stream in streams:
            self._send_pending(link, stream)

    def _reach(self) -> tuple[wire.Link, wire.Message]:
        """A greeted connection to an engine, a new one where none runs."""
        if self._address is not None:
            return _greet(launch.read_card(self._address))
        if self._command is None:
            raise launch.LaunchError("no engine is installed, and none is running")
        run = launch.run_folder()
        while True:
            launch.sweep(run)
            name = launch.new_name()
            self._log_start = self.log.stat().st_size if self.log.exists() else 0
            process = launch.start(self._command, name, run, self.log, self._environment)
            with self._changed:
                self._process = process
            try:
                return _greet(self._card(process, run / f"{name}.json"))
            except (wire.WireError, OSError, EOFError, TimeoutError) as error:
                refused = isinstance(error, wire.WireError) and process.poll() is None
                self._end(process, 1.0)
                self._deaths += 1
                if self._closed or refused:
                    raise
                if self._deaths >= DEATHS:
                    raise launch.LaunchError(self._obituary(process)) from None

    def _card(self, process: subprocess.Popen[bytes], path: Path) -> launch.Card:
        until = time.monotonic() + START_SECONDS
        while not path.exists():
            if process.poll() is not None:
                raise OSError("it has ended")
            if self._closed or time.monotonic() > until:
                raise OSError("it did not get ready")
            time.sleep(0.005)
        return launch.read_card(path)

    def _fail(self, sentence: str) -> None:
        with self._changed:
            self._starting = False
            self._failed_at = time.monotonic()
            self._state = EngineState("failed", sentence)
            streams = list(self._streams.values())
            self._changed.notify_all()
        for stream in streams:
            stream.give_up(sentence)

    def _obituary(self, process: subprocess.Popen[bytes]) -> str:
        """Why engines do not stay alive, in a sentence."""
        said = launch.last_lines(self.log, since=self._log_start)
        status = process.poll()
        how = "" if status is None else f" with status {status}"
        last = f"; its last words: {said}" if said else ""
        return f"the engine ended{how} {self._deaths} times in a row{last} (log: {self.log})"

    # Receiving

    def _receive(self, link: wire.Link) -> None:
        """In a thread of its own: hand on what comes until the engine is gone."""
        stuck = False
        try:
            while True:
                self._handle(link.receive(wire.SILENCE_SECONDS))
        except TimeoutError:
            stuck = True
        except (EOFError, OSError, wire.WireError):
            pass
        link.release()
        self._lost(link, stuck)

    def _handle(self, message: wire.Message) -> None:
        number, kind = message.get("id"), message.get("event")
        if isinstance(number, int):
            with self._changed:
                pending = self._pending.get(number)
                if pending is not None and "progress" in message:
                    pending.progress = (str(message["progress"][0]), float(message["progress"][1]))
                elif pending is not None:
                    pending.answer = message
                if "progress" not in message:
                    self._deaths = 0
                self._changed.notify_all()
        elif kind == "device":
            with self._changed:
                self._state = replace(self._state, device=str(message["device"]))
        elif kind in ("frame", "failed"):
            stream = self._streams.get(message.get("stream", 0))
            self._deaths = 0
            if stream is not None and kind == "frame":
                with suppress(GoneError):
                    stream.arrived(message)
            elif stream is not None:
                stream.failed(int(message["number"]), str(message["error"]))

    def _lost(self, link: wire.Link, stuck: bool) -> None:
        """The engine is gone: tell those who wait, clean up after it, and start another if somebody needs it."""
        with self._changed:
            process, self._process = self._process, None
            self._link = None
            waiting = list(self._pending.values())
            needed = bool(waiting) or any(stream.pending() for stream in self._streams.values())
            self._starting = True  # nobody starts another before this one's traces are gone
            self._state = EngineState("starting" if needed else "off")
        if process is not None:
            self._end(process, 0.0 if stuck else 2.0)
        with self._changed:
            self._starting = False
            for pending in waiting:
                pending.gone = True
            if not self._closed and process is not None:
                self._deaths += 1
            too_often = self._deaths >= DEATHS and process is not None
        if self._closed:
            with self._changed:
                self._changed.notify_all()
        elif too_often and process is not None:
            self._fail(self._obituary(process))
        else:
            with self._changed:
                if needed:
                    self._begin_start()
                self._changed.notify_all()

    def _end(self, process: subprocess.Popen[bytes], patience: float) -> None:
        """See to it that a process of ours is gone, and nothing of it is left."""
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(launch.LaunchError, OSError):
            launch.sweep(launch.run_folder())


def _greet(card: launch.Card) -> tuple[wire.Link, wire.Message]:
    """Connect, and make sure that both speak the same language; raises ``WireError`` in a sentence."""
    try:
        raw = wire.dial(card.address, card.family, bytes.fromhex(card.key))
    except wire.WireError as error:
        raise wire.WireError(
            f"the engine with process number {card.pid} does not let us in: {error}"
        ) from None
    link = wire.Link(raw, wire.MAX_REPLY)
    try:
        link.send({"do": "hello", "protocol": wire.PROTOCOL})
        answer = link.receive(wire.HANDSHAKE_SECONDS)
        if "error" in answer:
            raise wire.WireError(str(answer["error"]))
        if not isinstance(answer.get("pid"), int) or not isinstance(answer.get("version"), str):
            raise wire.WireError("what answered there is no engine of keywarp")
    except BaseException:
        link.release()
        raise
    return link, answer


def _content(answer: wire.Message) -> dict[str, Any]:
    if "error" in answer:
        if answer.get("kind") == "cancelled":
            raise CancelledError(str(answer["error"]))
        raise EngineError(str(answer["error"]))
    content: dict[str, Any] = answer["done"]
    return content
