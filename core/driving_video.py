# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading driving videos: their length, their frames as squares, and the clip that plays one as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from keywarp.core.opencv import cv2
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces.driving import SPACE

MAX_FRAMES = 200_000
"""Nearly two hours at 30 frames a second."""
MAX_PIXELS = 1 << 26
"""Of one frame: 8192 x 8192."""


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; every failure as one sentence."""
    try:
        with av.open(str(path)) as container:
            streams = container.streams.video
            if not streams:
                raise KeywarpError(f"{path} holds no moving picture; a driving video was expected")
            stream = streams[0]
            if not 0 < stream.width * stream.height <= MAX_PIXELS:
                raise KeywarpError(
                    f"{path}: its frames of {stream.width}x{stream.height} pixels cannot be read"
                )
            stream.thread_type = "AUTO"
            yield container, stream
    except FileNotFoundError:
        raise KeywarpError(f"{path} does not exist; a driving video was expected there") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise KeywarpError(f"{path} cannot be read as a video: {reason}") from None


def video_length(path: Path) -> tuple[int, Fraction]:
    """(frames, frames a second) of a video, without decoding it; raises ``KeywarpError``."""
    with _opened(path) as (container, stream):
        count = sum(1 for packet in container.demux(stream) if packet.size)
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    if count < 1:
        raise KeywarpError(f"{path} holds no frames; a driving video was expected")
    return count, rate


def square_frames(path: Path, side: int) -> Iterator[npt.NDArray[np.uint8]]:
    """(side, side, 3) uint8 sRGB: the largest centred square of every frame, scaled; raises ``KeywarpError``."""
    with _opened(path) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number >= MAX_FRAMES:
                raise KeywarpError(f"{path} has more than {MAX_FRAMES} frames; cut the driving video")
            yield _square(_upright(frame), side)


def square_frame(path: Path, number: int, most: int) -> npt.NDArray[np.uint8]:
    """(n, n, 3) uint8 sRGB, n at most ``most``: the largest centred square of one frame, counted from 0; past the end
    that of the last. Raises ``KeywarpError``."""
    with _opened(path) as (container, stream):
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        unit = Fraction(stream.time_base)
        wanted = (stream.start_time or 0) + (number - Fraction(1, 2)) / rate / unit
        with suppress(av.FFmpegError):  # what cannot be searched is read from its beginning
            container.seek(max(int(wanted), 0), stream=stream)
        found = None
        for found in container.decode(stream):
            if found.pts is None or found.pts >= wanted:
                break
        if found is None:
            raise KeywarpError(f"{path} holds no frame {number}")
        pixels = _upright(found)
    return _square(pixels, min(*pixels.shape[:2], most))


def _upright(frame: Any) -> npt.NDArray[np.uint8]:
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    pixels: npt.NDArray[np.uint8] = np.rot90(frame.to_ndarray(format="rgb24"), turns)
    return pixels


def _square(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    most = min(height, width)
    top, left = (height - most) // 2, (width - most) // 2
    part = np.ascontiguousarray(pixels[top : top + most, left : left + most])
    how = cv2.INTER_AREA if most > side else cv2.INTER_LINEAR
    scaled: npt.NDArray[np.uint8] = cv2.resize(part, (side, side), interpolation=how)
    return scaled


def whole_video(path: Path) -> Clip:
    """The clip that plays a driving video as it is, in the space ``driving``; raises ``KeywarpError``."""
    count, rate = video_length(path)
    last = max(count - 1, 1)
    ends = np.array([0.0, last])
    curves = {
        "driving_frame": Curve.from_points(ends, np.array([0.0, count - 1.0])),
        "driving_strength": Curve.from_points(ends, np.ones(2)),
    }
    return Clip(SPACE.name, curves, float(rate), 0, last, title=path.name, source=path.name)
