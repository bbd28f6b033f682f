# SPDX-License-Identifier: GPL-3.0-or-later
"""One *Keywarp Character* in OBS: a thread that follows its settings and hands its frames over.

OBS's threads only leave word here and go on; whatever can take time happens in the source's own thread.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

from keywarp.core.engine.client import Engine, EngineError, Frame, Stream

from .frames import PIXELS, Output
from .pointer import Pointer
from .settings import Json, Settings, SettingsError, Wanted, size_for
from .status import Status

TYPING_SECONDS = 0.4
"""In which what a person types has to stay as it is before it counts."""
WAIT_SECONDS = 0.1
"""For a frame, before the source looks around again."""
AGAIN_SECONDS = 4.0
"""After a failure, in which it is not tried again by itself."""
POINTER_SECONDS = 1 / 60


class Source:
    """Made when OBS makes the source, or when the script is loaded again; ``close`` at its end."""

    def __init__(
        self,
        output: Output,
        status: Status,
        engine: Callable[[], Engine],
        settings: Settings,
        showing: bool,
    ) -> None:
        """``engine`` gives the engine's client, which all sources share; raises ``EngineError``."""
        self.output, self.status = output, status
        self._engine = engine
        self._wake = threading.Condition()
        self._settings, self._typed, self._typed_at = settings, settings, 0.0
        self._showing, self._over = showing, False
        self._stream: Optional[Stream] = None
        self._opened: Optional[Wanted] = None
        self._followed: Optional[tuple[Json, float]] = None
        self._neutral: Json = settings.neutral()
        self._forgetting = False
        self._last = -1
        self._again_at = 0.0
        self._pointer: Optional[Pointer] = None
        self._thread = threading.Thread(target=self._run, name="keywarp-source", daemon=True)
        self._thread.start()

    # From OBS's threads

    def update(self, settings: Settings) -> None:
        """The settings as they are now."""
        self.status.touched()
        with self._wake:
            typing = settings.typed_differs(self._typed)
            self._typed = settings
            self._typed_at = time.monotonic() + TYPING_SECONDS if typing else self._typed_at
            self._again_at = 0.0
            self._wake.notify()

    def show(self, showing: bool) -> None:
        """Whether OBS shows the source anywhere; what is hidden is not drawn."""
        with self._wake:
            self._showing = showing
            self._wake.notify()

    def calibrate(self) -> None:
        """This moment's face is the neutral one."""
        stream = self._stream
        if stream is not None:
            stream.calibrate()

    def uncalibrate(self) -> None:
        """The trackers' own neutral faces count again."""
        with self._wake:
            self._forgetting = True
            self._wake.notify()

    @property
    def neutral(self) -> Json:
        """The calibrated faces, by the words of their trackers."""
        stream = self._stream
        return {**self._neutral, **(stream.neutral if stream is not None else {})}

    def close(self) -> None:
        """OBS may free the source when this has returned; the thread ends by itself."""
        self.output.close()
        with self._wake:
            self._over = True
            self._wake.notify()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    # In the source's own thread

    def _run(self) -> None:
        while (settings := self._next()) is not None:
            try:
                self._follow(settings)
            except SettingsError as error:
                self._lacks(str(error))
            except EngineError as error:
                self._failed(str(error))
            except Exception as error:  # a thread that ended would leave the source dead without a word
                self._failed(f"keywarp has a defect, please report it ({type(error).__name__}: {error})")
        self._close_stream()

    def _next(self) -> Optional[Settings]:
        """The settings to follow, when there is something to show; ``None`` at the end."""
        with self._wake:
            while not self._over:
                left = self._typed_at - time.monotonic()
                if not self._showing:
                    self._rest()
                    self._wake.wait()
                elif self._again_at > time.monotonic():
                    self._wake.wait(self._again_at - time.monotonic())
                elif left > 0 and self._opened is None:
                    self._wake.wait(left)
                else:
                    if left <= 0:
                        self._settings = self._typed
                    return self._settings
        return None

    def _rest(self) -> None:
        """Have nothing drawn until the source is shown again."""
        if self._stream is not None and self._followed is not None:
            self._stream.follow(None)
            self._followed = None
        self.status.say("Hidden: nothing is drawn")

    def _follow(self, settings: Settings) -> None:
        """One turn: see that the engine does what the settings say, and show the next frame."""
        _, height, rate = self.output.canvas()
        neutral = self.neutral
        if self._forgetting:
            self._forgetting = False
            neutral = {words: {} for words in neutral}  # an empty face forgets the engine's
        try:
            wanted, live = settings.wanted(height), settings.live(neutral)
        except SettingsError:
            self._close_stream()
            self.output.clear()
            raise
        stream = self._stream_for(wanted)
        if self._followed != (live, settings.rate(rate)):
            self._followed = (live, settings.rate(rate))
            stream.follow(live, rate=self._followed[1])
        frame = stream.wait(self._last, self._point(stream, live))
        if frame is not None:
            self._show(frame)
        self._look_at(stream)

    def _show(self, frame: Frame) -> None:
        with frame:
            self._last = frame.number
            if not self.output.show(frame):
                self._last -= 1  # it was written over meanwhile: the next one is there, or comes at once

    def _stream_for(self, wanted: Wanted) -> Stream:
        """The open stream if it is the one, or a new one in its place; raises ``EngineError``."""
        if self._stream is not None and wanted == self._opened:
            return self._stream
        engine = self._engine()
        size = wanted.size
        if isinstance(size, int):
            self.status.say(
                "Starting the engine" if engine.state.phase != "ready" else "Reading the character"
            )
            about = engine.ask(
                "info", cancelled=lambda: self._over, character=wanted.character, model=wanted.model
            )
            size = size_for(size, about["size"])
        fresh = engine.stream(
            wanted.character,
            model=wanted.model,
            size=size,
            pixels=PIXELS,
            draft=wanted.draft,
            background=wanted.background,
        )
        self._close_stream()
        self._stream, self._opened, self._last = fresh, wanted, -1
        return fresh

    def _close_stream(self) -> None:
        """What OBS shows stays as it is."""
        self._neutral = self.neutral
        stream, self._stream = self._stream, None
        self._opened = self._followed = None
        if stream is not None:
            stream.close()

    def _point(self, stream: Stream, live: Json) -> float:
        """Tell the engine where the pointer is, where that drives the character; seconds to wait for a frame."""
        if all(source["from"] != "mouse" for source in live["sources"]):
            return WAIT_SECONDS
        if self._pointer is None:
            self._pointer = Pointer()
        place = self._pointer.place()
        if place is not None:
            stream.point(*place)
        return POINTER_SECONDS

    def _look_at(self, stream: Stream) -> None:
        """What there is to say about the stream."""
        engine, live = self._engine(), stream.live
        state = engine.state
        if state.phase == "failed":
            self._followed = None  # to be asked again: that starts another
            raise EngineError(state.message)
        if stream.error is not None:
            self.status.fail(stream.error)
        elif live is not None and live.phase == "failed":
            self.status.fail(live.message)
        elif state.phase != "ready":
            self.status.say("Starting the engine")
        elif stream.progress is not None:
            what, _ = stream.progress  # no share: news of every percent would build the window anew
            self.status.say(f"Preparing ({what})")
        else:
            self.status.runs("Running" if live is None else live.message or "Running")

    def _lacks(self, sentence: str) -> None:
        """Say what has still to be chosen, and look again in a while, or as soon as the settings change."""
        if not self._over:
            self.status.lacks(sentence)
            self._wait_a_while()

    def _failed(self, sentence: str) -> None:
        """Say what is wrong, and try again in a while, or as soon as the settings change."""
        if not self._over:
            self.status.fail(sentence)
            self._wait_a_while()

    def _wait_a_while(self) -> None:
        with self._wake:
            if self._again_at <= time.monotonic():
                self._again_at = time.monotonic() + AGAIN_SECONDS
