# SPDX-License-Identifier: GPL-3.0-or-later
"""One character at one size, as a host sees it: poses out, frames in.

Standard library only, Python 3.9: hosts load this file.
"""

from __future__ import annotations

import json
import math
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional

from .failure import EngineError, GoneError
from .followed import Followed, LiveReport
from .ring import PIXELS, Ring, Slot

if TYPE_CHECKING:
    from .client import Engine

Crop = tuple[int, int, int, int]

UNDER_WAY = 256
"""More frames than can be under way when a host changes what it follows: later requests have numbers above theirs."""


class Frame:
    """A finished frame, looked at where the engine has written it.

    Its memory stays as it is until ``release``, the end of a ``with`` block, or the frame's end; of the frames that
    ``Stream.newest`` gives only the latest is kept from being written over.
    """

    def __init__(self, ring: Ring, index: int, slot: Slot) -> None:
        self._ring, self._index, self._slot = ring, index, slot
        self.number, self.pose_hash = slot.number, slot.pose_hash
        self.width, self.height, self.stride = slot.width, slot.height, slot.stride
        self.time_ns = slot.time_ns
        self.seconds = slot.took_ns / 1e9
        """That the engine took for it, preparations included, without the time that the request waited."""
        raw = ring.pixels_of(index, slot)
        self._pixels: Optional[Any] = raw.cast("f") if slot.pixels == 1 else raw

    @property
    def pixels(self) -> memoryview:
        """Flat: float32 (format ``f``) for ``rgba32f_linear``, bytes (format ``B``) for the others."""
        if self._pixels is None:
            raise ValueError("the frame has been released")
        pixels: memoryview = self._pixels
        return pixels

    @property
    def intact(self) -> bool:
        """Whether nothing has been written over it."""
        return self._pixels is not None and self._ring.still(self._index, self._slot.sequence)

    def copy_to(self, buffer: Any) -> None:
        """Copy the pixels to a writable buffer of the same size; raises ``EngineError`` where the frame has been
        written over meanwhile."""
        memoryview(buffer).cast("B")[:] = self.pixels.cast("B")
        if not self.intact:
            raise EngineError("the frame was replaced by a newer one while it was copied")

    @property
    def place(self) -> tuple[str, int]:
        """Which slot of which ring the frame lies in."""
        return self._ring.path.name, self._index

    @property
    def held(self) -> bool:
        return self._pixels is not None

    def release(self) -> None:
        """Let the engine write over the frame."""
        pixels, self._pixels = self._pixels, None
        if pixels is not None:
            with suppress(BufferError):  # an array still refers to it; from now on it may change
                pixels.release()

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.release()


class Stream:
    """Frames of one character at one size, made by ``Engine.stream``; any thread may use it."""

    def __init__(self, engine: Engine, number: int, settings: dict[str, Any]) -> None:
        self._engine, self._stream = engine, number
        self._settings = settings
        self._changing = threading.Lock()
        self._one_exact = threading.Lock()
        self._count = 0
        self._wanted: Optional[dict[str, Any]] = None
        self._ring: Optional[Ring] = None
        self._exact_frames: weakref.WeakSet[Frame] = weakref.WeakSet()
        self._shown: Optional[weakref.ref[Frame]] = None
        self._followed = Followed()
        self._told_held: list[list[Any]] = []
        self._closed = False
        self.error: Optional[str] = None
        """The failure of the last request in one sentence; ``None`` where it was answered or is under way."""
        self.progress: Optional[tuple[str, float]] = None
        """What is prepared for ``latest``, and which share of it is done; ``None`` where nothing is."""

    # What a host calls

    def exact(
        self,
        pose: Mapping[str, float],
        *,
        space: str = "tha45",
        timeout: Optional[float] = None,
        cancelled: Optional[Callable[[], bool]] = None,
        progress: Optional[Callable[[str, float], None]] = None,
        crop: Optional[Crop] = None,
    ) -> Frame:
        """The frame that shows this pose, however long it takes; an engine that dies meanwhile is replaced.

        Channels that ``pose`` leaves out have the character's defaults. ``timeout``: seconds. ``cancelled`` is asked
        ten times a second, in the calling thread, as ``progress`` is told there what is done, and which share of it.
        ``crop``: only this part of the frame, (x, y, width, height) from the top left, and the frame is that large.
        Raises ``EngineError``.
        """
        request = {"pose": self._plain(pose), "space": space, "crop": None if crop is None else list(crop)}
        with self._one_exact:
            number = self._next_number()
            try:
                frame = self._engine.request(
                    lambda: self._message("exact", number, request),
                    self._frame_at,
                    timeout,
                    cancelled,
                    progress,
                )
            except EngineError as error:
                self.error = str(error)
                raise
            self.error = None
            self._exact_frames.add(frame)
            return frame

    def latest(self, pose: Mapping[str, float], *, space: str = "tha45") -> int:
        """Ask for a frame without waiting for it; what was asked before and is not begun is dropped.

        The number under which ``newest`` will give it. A failure ends up in ``error``.
        """
        request = {"pose": self._plain(pose), "space": space}
        number = self._next_number()
        with self._changing:
            self._wanted = {"number": number, "request": request}
            self.error = None
        self._engine.post(self)
        return number

    def newest(self, after: int = -1) -> Optional[Frame]:
        """The newest finished frame, where its number is above ``after``; never waits."""
        ring = self._ring
        found = None if ring is None else ring.newest()
        if ring is None or found is None or found[1].number <= after:
            return None
        frame = Frame(ring, *found)
        if not frame.intact:
            return None
        self._shown = weakref.ref(frame)
        if self._followed.active:
            self._tell_held()
        return frame

    def wait(self, after: int, timeout: float) -> Optional[Frame]:
        """The newest finished frame, when there is one above ``after``; ``None`` after ``timeout`` seconds, or when
        the stream is closed. For hosts' own threads."""
        until = time.monotonic() + timeout
        while True:
            news = self._followed.news
            frame = self.newest(after)
            left = until - time.monotonic()
            if frame is not None or left <= 0.0 or self._closed:
                return frame
            self._followed.wait(news, left)

    def follow(self, live: Optional[Mapping[str, Any]], *, rate: float = 60.0, draw: bool = True) -> None:
        """Have the engine itself pose the character from now on, as live sources move it: for each change a frame,
        at most ``rate`` a second, which ``newest`` and ``wait`` give. ``None`` ends that.

        ``live``: settings as in docs/live.md, "Settings for hosts"; sources that are in the old and in the new ones
        go on without a gap. Another engine after this one's death is told the same. Returns at once; how the sources
        do, and what is wrong with the settings, is told by ``live``. Nothing is to be asked by ``latest`` meanwhile.
        Without ``draw`` there are no frames: each change is told by ``live`` alone.
        Raises ``EngineError`` for settings that JSON cannot say.
        """
        try:
            json.dumps(None if live is None else dict(live), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise EngineError(f"these live settings cannot be sent to the engine: {error}") from None
        with self._changing:
            if self._closed:
                raise EngineError("the stream has been closed")
            was_active = self._followed.active
            if was_active:
                self._count += UNDER_WAY
            self._followed.change(live, rate, draw)
            self._wanted = None
        self.error = None
        if was_active or live is not None:
            self._engine.tell(self, self.standing)

    @property
    def live(self) -> Optional[LiveReport]:
        """How what is followed does; ``None`` before the engine has said so."""
        return self._followed.report

    @property
    def neutral(self) -> Mapping[str, Mapping[str, float]]:
        """The neutral faces by the words of their trackers, for hosts to keep: a part of what ``follow`` is given."""
        return self._followed.neutral

    def calibrate(self) -> None:
        """This moment's face is the neutral one, for every tracker that is followed. The faces are kept, also when
        the engine has to be started again."""
        self._engine.tell(self, lambda: {"do": "calibrate", "stream": self._stream})

    def point(self, across: float, up: float) -> None:
        """Where the pointer is, for the source ``mouse``: -1 to 1 from the left edge to the right and from the lower
        to the upper."""
        place = {"across": float(across), "up": float(up)}
        self._engine.tell(self, lambda: {"do": "point", "stream": self._stream, **place})

    @property
    def memory(self) -> Optional[Path]:
        """The file in memory that its frames lie in (see ``ring``); ``None`` before the first. It may change."""
        ring = self._ring
        return None if ring is None else ring.path

    def resize(self, size: Optional[tuple[int, int]]) -> None:
        """Another size from the next request on; ``None``: the picture's own."""
        with self._changing:
            self._settings = {**self._settings, "size": None if size is None else list(size)}
        if self._followed.active:
            self._engine.tell(self, self.standing)

    @property
    def size(self) -> Optional[tuple[int, int]]:
        """The size that was asked for; ``None``: the picture's own."""
        size = self._settings["size"]
        return None if size is None else (size[0], size[1])

    def close(self) -> None:
        """Give up the stream; its memory goes when its last frame is released."""
        if not self._closed:
            self._closed = True
            self._wanted = None
            self._followed.change(None, 0.0)
            self._engine.forget(self)
            self._ring = None

    # What the engine's client calls

    @property
    def number(self) -> int:
        return self._stream

    def pending(self) -> Optional[dict[str, Any]]:
        """The message for what ``latest`` has asked and nothing has answered yet."""
        wanted = self._wanted
        return None if wanted is None else self._message("latest", wanted["number"], wanted["request"])

    def standing(self) -> Optional[dict[str, Any]]:
        """The message for what is followed, which every engine is told anew; ``None`` where the stream is closed."""
        if self._closed:
            return None
        with self._changing:
            number = self._count
        return self._message("follow", number, self._followed.message())

    @property
    def follows(self) -> bool:
        return self._followed.active

    def heard(self, event: dict[str, Any]) -> None:
        """What the engine says about a request of ``latest``, or about what is followed."""
        kind = event["event"]
        if kind == "progress":
            self.progress = (str(event["what"]), float(event["share"]))
            return
        if kind == "frame":
            with suppress(GoneError):  # then another engine will be asked again
                self._open(str(event["ring"]))
        if kind != "live":
            self._settled(int(event["number"]), event.get("error"))
        self._followed.heard(event)

    def give_up(self, sentence: str) -> None:
        """There will be no engine for what is pending."""
        with self._changing:
            if self._wanted is not None or self._followed.active:
                self._wanted, self.error, self.progress = None, sentence, None
        self._followed.failed(sentence)

    # Inside

    def _next_number(self) -> int:
        with self._changing:
            if self._closed:
                raise EngineError("the stream has been closed")
            self._count += 1
            return self._count

    def _plain(self, pose: Mapping[str, float]) -> dict[str, float]:
        try:
            return plain_pose(pose)
        except EngineError as error:
            self.error = str(error)
            raise

    def _settled(self, number: int, sentence: Optional[str]) -> None:
        with self._changing:
            if self._followed.active:
                self._count = max(self._count, number)
                self.error, self.progress = sentence, None
            if self._wanted is not None and self._wanted["number"] <= number:
                self._wanted, self.error, self.progress = None, sentence, None

    def _message(self, kind: str, number: int, request: dict[str, Any]) -> dict[str, Any]:
        with self._changing:
            settings = self._settings
        return {
            "do": kind,
            "stream": self._stream,
            "number": number,
            "settings": settings,
            "held": self._held(),
            **request,
        }

    def _held(self) -> list[list[Any]]:
        """The slots whose frames this process looks at."""
        frames = list(self._exact_frames)
        shown = self._shown() if self._shown is not None else None
        if shown is not None:
            frames.append(shown)
        return [list(frame.place) for frame in frames if frame.held]

    def _tell_held(self) -> None:
        """Where the engine asks nobody before it draws: which slots it has to leave alone."""
        held = self._held()
        if held != self._told_held:
            self._told_held = held
            self._engine.tell(self, lambda: {"do": "hold", "stream": self._stream, "held": held})

    def _open(self, path: str) -> Ring:
        with self._changing:
            if self._ring is None or str(self._ring.path) != path:
                try:
                    self._ring = Ring(path)
                except (OSError, ValueError) as error:
                    raise GoneError(str(error)) from None
            return self._ring

    def _frame_at(self, answer: dict[str, Any]) -> Frame:
        ring, index = self._open(answer["ring"]), int(answer["slot"])
        slot = ring.slot(index)
        if slot.number != answer["number"] or not ring.still(index, slot.sequence):
            raise GoneError("the frame was replaced before it could be looked at")
        return Frame(ring, index, slot)


def plain_pose(pose: Mapping[str, float]) -> dict[str, float]:
    """Names and finite numbers; raises ``EngineError``."""
    plain = {}
    for name, value in pose.items():
        number = float(value)
        if not math.isfinite(number):
            raise EngineError(f"{name} is {number}, where a finite number belongs")
        plain[str(name)] = number
    return plain


def settings_of(
    character: str,
    model: Optional[str],
    size: Optional[tuple[int, int]],
    fit: str,
    pixels: str,
    flip: bool,
    draft: bool,
    background: Optional[str],
    device: str,
    driving: Optional[str] = None,
) -> dict[str, Any]:
    """What every request of a stream says about the frames that it wants; raises ``EngineError``."""
    if pixels not in PIXELS:
        raise EngineError(f"there is no pixel format {pixels!r}; there are {', '.join(PIXELS)}")
    if fit not in ("contain", "cover"):
        raise EngineError(f"fit is 'contain' or 'cover', not {fit!r}")
    return {
        "character": str(character),
        "model": None if model is None else str(model),
        "size": None if size is None else [int(size[0]), int(size[1])],
        "fit": fit,
        "pixels": pixels,
        "flip": bool(flip),
        "draft": bool(draft),
        "background": None if background is None else str(background),
        "device": device,
        "driving": driving,
    }
