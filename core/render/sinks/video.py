# SPDX-License-Identifier: GPL-3.0-or-later
"""Video files: H.264 over a colour, ProRes 4444 and VP9 with alpha.

Frames are sRGB-coded, tagged BT.709 (primaries, transfer, matrix, limited range): what players
and editors expect of video. Alpha is straight, as these formats define it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from keywarp.core.color import over_srgb8, to_srgb8, to_srgb16
from keywarp.core.picture import Picture
from keywarp.core.render.sinks.audio import SoundTrack
from keywarp.core.render.sinks.base import Output, Sink, storing, temporary_name
from keywarp.keyframes.errors import KeywarpError

#: Encoder threads: a fixed number, as some encoders' output depends on it.
_THREADS = 4
_BT709 = 1
_SCALING = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT
)


@dataclass(frozen=True)
class VideoFormat:
    """How a kind of video file is made; adding one is adding a row."""

    container: str
    codec: str
    pixel_format: str
    """What the codec takes."""
    source_format: str
    """What frames are handed to the converter as."""
    convert: Callable[[Picture, Output], npt.NDArray[Any]]
    options: Mapping[str, str]
    audio_codec: str
    even: bool = False
    """Whether both sides must be even."""
    metadata: Mapping[str, str] | None = None
    """Tags of the video stream."""


def _over(frame: Picture, output: Output) -> npt.NDArray[Any]:
    return over_srgb8(frame, output.background)


def _straight8(frame: Picture, output: Output) -> npt.NDArray[Any]:
    return to_srgb8(frame, output.origin)


def _straight16(frame: Picture, output: Output) -> npt.NDArray[Any]:
    return to_srgb16(frame, output.origin)


VIDEO_FORMATS = {
    ".mp4": VideoFormat(
        container="mp4",
        codec="libx264",
        pixel_format="yuv420p",
        source_format="rgb24",
        convert=_over,
        options={"crf": "16", "preset": "faster", "tune": "animation"},
        audio_codec="aac",
        even=True,
    ),
    ".mov": VideoFormat(
        container="mov",
        codec="prores_ks",
        pixel_format="yuva444p10le",
        source_format="rgba64le",
        convert=_straight16,
        options={"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
        audio_codec="pcm_s16le",
    ),
    ".webm": VideoFormat(
        container="webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        source_format="rgba",
        convert=_straight8,
        options={
            "crf": "18",
            "b": "0",
            "deadline": "good",
            "cpu-used": "5",
            "row-mt": "1",
            "tile-columns": "2",
            "lag-in-frames": "0",  # looking ahead would hold 25 frames: 1.5 GB in 4K
            "auto-alt-ref": "0",  # the encoder has no hidden frames for the alpha stream
        },
        audio_codec="libopus",
        metadata={"alpha_mode": "1"},
    ),
}


class VideoFile(Sink):
    """One video file; frames in rising order without gaps."""

    def __init__(self, path: Path, output: Output) -> None:
        super().__init__(output)
        self.path = path
        self._format = VIDEO_FORMATS[path.suffix.lower()]
        self._temporary = temporary_name(path)
        self._container: Any = None
        self._count = 0
        self._next_number: int | None = None
        if self._format.codec not in av.codecs_available:
            raise KeywarpError(f"{path}: this build of PyAV has no encoder {self._format.codec}")
        step = 2 if self._format.even else 1
        self._size = (-(-output.width // step) * step, -(-output.height // step) * step)
        if self._size != (output.width, output.height):
            self.notes.append(
                f"{path}: {output.width}x{output.height} became {self._size[0]}x{self._size[1]}, as H.264 "
                "needs even sides; the last column or row is repeated"
            )
        self._sound: SoundTrack | None = None
        if output.audio is not None:
            self._sound = SoundTrack(output.audio, output.audio_offset, self._format.audio_codec)

    def write(self, number: int, frame: Picture) -> None:
        if self._next_number is not None and number != self._next_number:
            raise ValueError(f"frame {number} came where {self._next_number} was due")
        self._next_number = number + 1
        with storing(self.path):
            if self._container is None:
                self._open()
            picture = self._video_frame(frame)
            picture.pts = self._count
            picture.time_base = 1 / self.output.fps
            self._container.mux(self._stream.encode(picture))
            self._count += 1
            if self._sound is not None:
                self._sound.advance(self._count / self.output.fps)

    def close(self) -> None:
        if self._container is None:
            self.abort()
            return
        try:
            with storing(self.path):
                self._container.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.finish()
                self._container.close()
                self._container = None
                self._temporary.replace(self.path)
        finally:
            self.abort()

    def abort(self) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            with suppress(OSError, ValueError):
                self._container.close()
            self._container = None
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        options = {"fflags": "+bitexact"}
        if self._format.container in ("mp4", "mov"):
            options["movflags"] = "+faststart"
        self._container = av.open(str(self._temporary), "w", format=self._format.container, options=options)
        comment = self.output.provenance.comment()
        self._container.metadata["comment"] = comment
        self._stream = self._container.add_stream(self._format.codec, rate=self.output.fps)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = self._format.pixel_format
        self._stream.options = dict(self._format.options)
        self._stream.metadata.update(self._format.metadata or {})
        context = self._stream.codec_context
        context.time_base = 1 / self.output.fps
        context.flags |= av.codec.context.Flags.bitexact
        context.thread_count = _THREADS
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = ColorRange.MPEG
        if self._sound is not None:
            self._sound.attach(self._container)

    def _video_frame(self, frame: Picture) -> Any:
        pixels = self.output.crop(self._format.convert(frame, self.output))
        right, below = self._size[0] - self.output.width, self._size[1] - self.output.height
        if right or below:
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        coded = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=self._format.source_format)
        picture = coded.reformat(
            format=self._format.pixel_format,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
            threads=1,  # FFmpeg's scaler writes past row ends into what its other threads made
        )
        picture.color_primaries = picture.color_trc = _BT709  # ProRes takes its tags from the frames
        return picture
