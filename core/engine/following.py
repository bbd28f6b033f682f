# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that follow live sources: the engine poses them itself, and draws a frame for each change.

A stream has one thread and at most one frame under way: the pose is taken when the drawing thread is free, so
that nothing ever waits in a queue and a frame shows the newest face.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keywarp.core.engine.casting import read_character
from keywarp.core.engine.requests import FrameRequest, held, number, wrong
from keywarp.core.engine.wire import Message
from keywarp.core.engine.worker import CancelledError, Client, Drawn, Job, Workers
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.mixer import Mixer
from keywarp.keyframes.live.playing import MouseSource
from keywarp.keyframes.live.settings import LiveSettings
from keywarp.keyframes.live.shared import SharedSource, Sources
from keywarp.keyframes.live.source import FAILED, LIVE, LOST, OFF, SPACE, WAITING, State, clock

log = logging.getLogger(__name__)

MAX_RATE = 240.0
STILL = 1e-4
"""Of a channel's range: a pose that is nearer to the last one drawn is not drawn."""
SETTLE_SECONDS = 0.002
"""After a packet, in which the others of the same moment arrive."""
REPORT_SECONDS = 0.25
"""At least, between reports that come without a frame."""
REST_SECONDS = 1.0
"""After a pose that could not be had, or a frame that could not be drawn."""


@dataclass(frozen=True)
class FollowRequest:
    """What a stream is to follow, and how its frames are to be."""

    frame: FrameRequest
    """Without a pose; its number is that of the first frame."""
    settings: LiveSettings
    rate: float
    draw: bool = True
    """Whether frames are wanted, or reports alone."""

    @classmethod
    def of(cls, message: Message) -> FollowRequest:
        """Raises ``KeywarpError`` for a message that says something else."""
        rate, live = number(message, "rate"), message.get("live")
        if not 0.0 < rate <= MAX_RATE:
            raise KeywarpError(f"live frames come at a rate above 0 and up to {MAX_RATE:g} a second")
        if not isinstance(live, dict):
            raise wrong("live", "an object")
        frame = FrameRequest.of({**message, "pose": {}, "space": SPACE.name, "crop": None})
        return cls(frame, LiveSettings.of(live), rate, message.get("draw") is not False)


class Following:
    """One stream that follows; made with its first request, and told of later ones."""

    def __init__(
        self,
        request: FollowRequest,
        client: Client,
        workers: Workers,
        sources: Sources,
        send: Callable[[Message], None],
        failed: Callable[[Exception], tuple[str, str]],
    ) -> None:
        """``send`` takes events for the host; ``failed`` gives a failure's sentence and its kind."""
        self._client, self._workers, self._sources = client, workers, sources
        self._send, self._failed = send, failed
        self._request = request
        self._number = request.frame.number
        self._held = request.frame.held
        self._wake, self._answered = threading.Event(), threading.Event()
        self._answered.set()
        self._over = False
        self._changed = True
        self._force = True
        self._fault = ""
        self._still = False
        self._taken: dict[str, SharedSource] = {}
        self._neutral: dict[str, Mapping[str, float]] = {}
        self._neutral_told: dict[str, dict[str, float]] = {}
        self._mixer: Mixer | None = None
        self._pointer: tuple[float, float] | None = None
        self._shown: tuple[Mapping[str, float], Poses] | None = None
        self._told: tuple[str, str] = ("", "")
        self._told_at = 0.0
        threading.Thread(target=self._run, name="keywarp-follow", daemon=True).start()

    # From the session's thread

    def change(self, request: FollowRequest) -> None:
        """Follow this from now on; sources that stay are kept as they are."""
        self._number = max(self._number, request.frame.number)
        self._request, self._held = request, request.frame.held
        self._changed = True
        self._wake.set()

    def tell(self, what: str, message: Message) -> None:
        """``calibrate``: this moment's face is the neutral one, for every tracker; ``hold``: the slots that the host
        looks at; ``point``: where the pointer is (see ``MouseSource.move``). Raises ``KeywarpError``."""
        if what == "hold":
            self._held = held(message.get("held"))
            return
        if what == "point":
            self._pointer = number(message, "across"), number(message, "up")
        else:
            for source in list(self._taken.values()):
                source.calibrate()
            self._told = ("", "")  # the host keeps the faces
        self._wake.set()

    def stop(self) -> None:
        self._over = True
        self._wake.set()

    # In the thread

    def _run(self) -> None:
        try:
            while not self._over:
                began = time.monotonic()
                self._step_or_tell()
                self._pause(began)
        finally:
            for source in self._taken.values():
                source.stop()

    def _step_or_tell(self) -> None:
        """A step; what goes wrong in it is told, the last frame stays, and the next step has its own chance."""
        try:
            self._step()
        except Exception as error:
            sentence, _ = self._failed(error)
            if sentence != self._fault:
                log.exception("a pose could not be followed")
            self._tell_fault(error)

    def _step(self) -> None:
        """One look at the sources, and a frame where they have moved."""
        self._wake.clear()
        if self._changed:
            self._changed = False
            self._take_over()
        if self._mixer is None:
            return
        self._set_neutral()
        self._point()
        now = clock()
        pose = self._mixer.pose(now)
        values = dict(zip(SPACE.names, pose.tolist(), strict=True))
        moved = {name: values[name] for name in sorted(self._mixer.channels)}
        self._still = not self._force and self._is_shown(moved, pose)
        if self._still:
            self._report(now, values)
            return
        self._force = False
        if self._request.draw:
            self._draw(now, moved, pose, values)
            return
        self._send_report(now, self._content(now, values))
        self._shown, self._fault = (moved, pose), ""

    def _take_over(self) -> None:
        """Take the newest request's sources; those of the same words stay open."""
        settings, frame = self._request.settings, self._request.frame
        before, taken = self._taken, {}
        for each in settings.sources:
            taken[each.source] = before.get(each.source) or self._sources.source(each.source, self._wake)
        try:
            defaults = read_character(frame.role.character, frame.role.model).resting
        except KeywarpError:  # which the frame will say too
            defaults = {}
        rest = {name: value for name, value in defaults.items() if name in SPACE}
        self._mixer = settings.mixer(taken.__getitem__, rest)
        self._mixer.start()
        self._taken = taken
        for text, source in before.items():
            if text not in taken:
                source.stop()
        self._neutral = {text: face for text, face in settings.neutral.items() if text in taken}
        self._force = True
        self._told = ("", "")

    def _set_neutral(self) -> None:
        """The neutral faces that the host has kept, for trackers that have none; an empty one forgets theirs."""
        for text, face in list(self._neutral.items()):
            calibration = self._taken[text].calibration
            if calibration is not None:
                del self._neutral[text]
                if not face or not calibration.neutral:
                    calibration.neutral = dict(face)

    def _point(self) -> None:
        """Tell the mouse where the host has it; a source may be opened after that was said."""
        for source in self._taken.values():
            if self._pointer is not None and isinstance(source.source, MouseSource):
                source.source.move(*self._pointer)

    def _is_shown(self, moved: Mapping[str, float], pose: Poses) -> bool:
        if self._shown is None or self._shown[0].keys() != moved.keys():
            return False
        return bool(np.abs(pose - self._shown[1]).max() < STILL)

    def _draw(self, now: float, moved: Mapping[str, float], pose: Poses, values: Mapping[str, float]) -> None:
        """Have the frame drawn, and wait for it."""
        self._number += 1
        request = replace(self._request.frame, number=self._number, pose=moved, held=self._held)
        report = self._content(now, values)
        self._told, self._told_at = (report["phase"], report["message"]), now

        def answer(drawn: Drawn | Exception) -> None:
            try:
                self._drawn(request, report, drawn)
            finally:
                self._answered.set()

        def progress(what: str, share: float) -> None:
            event = {"event": "progress", "stream": request.stream, "what": what, "share": round(share, 3)}
            self._send(event)

        self._answered.clear()
        job = Job(self._client, request, answer, progress, latest=True)
        self._workers.add(job)
        while not self._answered.wait(0.5):
            if self._over:  # then the job may have been dropped
                return
        self._shown = (moved, pose)

    def _drawn(self, request: FrameRequest, report: dict[str, Any], drawn: Drawn | Exception) -> None:
        if isinstance(drawn, CancelledError) or self._over:
            return
        if isinstance(drawn, Exception):
            self._tell_fault(drawn)
            return
        self._fault = ""
        self._send({"event": "frame", "stream": request.stream, **vars(drawn), "live": report})

    def _tell_fault(self, error: Exception) -> None:
        sentence, kind = self._failed(error)
        self._fault, self._force = sentence, True
        stream = self._request.frame.stream
        failed = {
            "event": "failed",
            "stream": stream,
            "number": self._number,
            "error": sentence,
            "kind": kind,
        }
        self._send({**failed, "live": {"phase": FAILED, "message": sentence, "values": {}, "time": clock()}})

    def _report(self, now: float, values: Mapping[str, float]) -> None:
        """Tell how the sources do, where that has changed."""
        if now - self._told_at < REPORT_SECONDS:
            return
        content = self._content(now, values)
        if (content["phase"], content["message"]) != self._told:
            self._send_report(now, content)

    def _send_report(self, now: float, content: dict[str, Any]) -> None:
        self._told, self._told_at = (content["phase"], content["message"]), now
        self._send({"event": "live", "stream": self._request.frame.stream, "live": content})

    def _content(self, now: float, values: Mapping[str, float]) -> dict[str, Any]:
        phase, message = self._state()
        shown = {name: round(value, 5) for name, value in values.items()}
        content = {"phase": phase, "message": message, "values": shown, "time": now}
        faces = {text: source.calibration for text, source in self._taken.items()}
        neutral = {text: face.neutral for text, face in faces.items() if face is not None and face.neutral}
        if neutral != self._neutral_told:
            self._neutral_told = content["neutral"] = neutral
        content["channels"] = sorted(self._mixer.channels) if self._mixer is not None else []
        return content

    def _state(self) -> tuple[str, str]:
        """What a person should see to first, over all sources but the idle motion at the bottom."""
        assert self._mixer is not None
        count = len(self._request.settings.sources)
        states = self._mixer.states[::-1]  # the topmost first
        named: list[State] = states[:count] or states
        phases = [state.phase for state in named]
        phase = next((each for each in (FAILED, LOST, WAITING, LIVE) if each in phases), OFF)
        return phase, "; ".join(state.message for state in named) or "nothing is followed"

    def _pause(self, began: float) -> None:
        """Until the next frame may come, and then, where nothing moves by itself, until there is news."""
        period = 1.0 / self._request.rate
        if self._fault:
            until = began + REST_SECONDS
            while time.monotonic() < until and not self._changed and not self._over:
                time.sleep(REST_SECONDS / 20)
            return
        left = began + period - time.monotonic()
        if left > 0.0:
            time.sleep(left)
        if self._still and self._wake.wait(period):
            time.sleep(SETTLE_SECONDS)
