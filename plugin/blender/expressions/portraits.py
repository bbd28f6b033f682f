# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of a character's face with one expression each, made by the engine in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.core.engine.client import Engine, EngineError, Stream
from keywarp.keyframes.expressions import expression

from .. import session
from .actions import Picture

SIDE = 256
"""Pixels, across and up."""
_LOOK = 512
_MOST = 2048
#: The side of what is shown over the side of what a channel of the face changes.
_ROOM = 2.0
_MOST_OF_IT = (10, 90)
_MUCH = 0.25
_MOVED = ("blink", "anger", "surprise")

Box = tuple[int, int, int, int]
"""x, y, width and height in pixels from the top left."""


class Portraits:
    """Pictures of poses while they are made: ``done`` of ``poses``; ``pictures`` or ``error`` once ``finished``."""

    def __init__(
        self,
        engine: Engine,
        source: session.Source,
        aspect: float,
        rest: Mapping[str, float],
        poses: Sequence[Mapping[str, float]],
    ) -> None:
        self.poses = poses
        self.pictures: list[Picture] = []
        self.error = ""
        self._engine, self._source, self._aspect, self._rest = engine, source, aspect, rest
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, name="keywarp-portraits", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    @property
    def share(self) -> float:
        return len(self.pictures) / max(len(self.poses), 1)

    def cancel(self) -> None:
        self._cancelled = True

    def wait(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            self._make()
        except EngineError as error:
            self.error = str(error)

    def _make(self) -> None:
        small = self._stream(_LOOK)
        try:
            rest = self._frame(small, self._rest)
            moved = [self._frame(small, expression(name).pose(self._rest)) for name in _MOVED]
        finally:
            small.close()
        face = face_of(rest, moved)
        height = min(round(_LOOK * SIDE / face[2]), _MOST)
        large = self._stream(height)
        crop = scaled(face, height / _LOOK, large.size)
        try:
            for pose in self.poses:
                self.pictures.append(fitted(self._frame(large, {**self._rest, **pose}, crop)))
        finally:
            large.close()

    def _stream(self, height: int) -> Stream:
        size = (max(round(height * self._aspect), 1), height)
        return self._engine.stream(
            self._source.character, model=self._source.model, size=size, pixels="rgba8_srgb"
        )

    def _frame(
        self, stream: Stream, pose: Mapping[str, float], crop: Optional[Box] = None
    ) -> npt.NDArray[np.uint8]:
        with stream.exact(pose, crop=crop, cancelled=lambda: self._cancelled) as frame:
            rows = np.frombuffer(frame.pixels, np.uint8)[: frame.height * frame.stride].reshape(
                frame.height, -1
            )
            return rows[:, : 4 * frame.width].reshape(frame.height, frame.width, 4).copy()


def face_of(rest: npt.NDArray[np.uint8], moved: Sequence[npt.NDArray[np.uint8]]) -> Box:
    """The square around what changes between pictures, (h, w, 4), from the top down, with some room about it."""
    height, width = rest.shape[:2]
    still = _seen(rest)
    corners = []
    for each in moved:
        change = np.abs(_seen(each) - still).max(-1)
        ys, xs = np.nonzero(change > _MUCH * max(change.max(), 1.0))
        if len(xs):
            # Single pixels change at edges far from the face too.
            corners.append([np.percentile(axis, end) for axis in (xs, ys) for end in _MOST_OF_IT])
    if not corners:
        side = min(height, width)
        return (width - side) // 2, 0, side, side
    x0, x1, y0, y1 = np.median(corners, axis=0)
    side = int(min(_ROOM * max(x1 - x0, y1 - y0) + 4, height, width))
    left = int(np.clip((x0 + x1 - side) / 2, 0, width - side))
    top = int(np.clip((y0 + y1 - side) / 2, 0, height - side))
    return left, top, side, side


def _seen(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Colours as far as they are opaque: those of what is transparent may be anything."""
    return np.asarray(pixels[..., :3] * (pixels[..., 3:] / np.float32(255)), np.float32)


def scaled(box: Box, by: float, size: tuple[int, int]) -> Box:
    """A box in a frame ``by`` times as large, of ``size``."""
    left, top = round(box[0] * by), round(box[1] * by)
    return left, top, min(round(box[2] * by), size[0] - left), min(round(box[3] * by), size[1] - top)


def fitted(pixels: npt.NDArray[np.uint8]) -> Picture:
    """(h, w, 4) from the top down, as a preview: (SIDE, SIDE, 4) in 0..1 from the bottom up; the nearest pixels."""
    height, width = pixels.shape[:2]
    rows = (np.arange(SIDE) * height // SIDE)[::-1]
    columns = np.arange(SIDE) * width // SIDE
    return np.asarray(pixels[rows][:, columns] / 255.0, np.float32)
