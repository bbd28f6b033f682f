# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound for a video: read from any file that FFmpeg reads, cut to the video's length."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError

_RATE = 48000


class SoundTrack:
    """A sound stream of a container that is being written."""

    def __init__(self, path: Path, offset: Fraction, codec: str) -> None:
        """``offset``: seconds of the file to leave out; ``codec``: FFmpeg's name of the encoder.

        Raises ``KeywarpError`` where the file has no sound that can be read.
        """
        self._path = path
        self._codec = codec
        self._channels = 2
        self._skip = round(offset * _RATE)
        self._done = 0
        self._source = self._samples()
        self._pending = self._next()  # opens the file: what is wrong with it shows now

    def attach(self, container: av.container.OutputContainer) -> None:
        """Add the stream to a container that has not been started."""
        stream: Any = container.add_stream(self._codec, rate=_RATE)
        stream.layout = "mono" if self._channels == 1 else "stereo"
        if self._codec != "pcm_s16le":
            stream.bit_rate = 96000 * self._channels
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        self._container, self._stream = container, stream
        self._fifo = av.AudioFifo()

    def advance(self, seconds: Fraction) -> None:
        """Encode the sound up to this time of the video."""
        wanted = round(seconds * _RATE) - self._done
        while wanted > 0 and self._pending is not None:
            block, self._pending = self._pending[:, :wanted], self._pending[:, wanted:]
            self._encode(block)
            wanted -= block.shape[1]
            if not self._pending.shape[1]:
                self._pending = self._next()

    def finish(self) -> None:
        """Encode what is left over from whole codec frames."""
        self._drain(partial=True)
        self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def _encode(self, block: npt.NDArray[np.float32]) -> None:
        layout = "mono" if self._channels == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
        frame.sample_rate = _RATE
        frame.pts = self._done
        frame.time_base = Fraction(1, _RATE)
        self._done += block.shape[1]
        self._fifo.write(frame)
        self._drain(partial=False)

    def _drain(self, partial: bool) -> None:
        size = self._stream.codec_context.frame_size or 1024
        while (frame := self._fifo.read(size, partial)) is not None:
            self._container.mux(self._stream.encode(frame))

    def _next(self) -> npt.NDArray[np.float32] | None:
        for block in self._source:
            skipped = min(self._skip, block.shape[1])
            self._skip -= skipped
            if skipped < block.shape[1]:
                return block[:, skipped:]
        return None

    def _samples(self) -> Generator[npt.NDArray[np.float32], None, None]:
        """Blocks of (channels, n) samples at 48 kHz."""
        if self._path.exists() and not self._path.is_file():
            raise KeywarpError(f"{self._path} is not a file; one with a sound track was expected")
        try:
            with av.open(str(self._path)) as source:
                if not source.streams.audio:
                    raise KeywarpError(f"{self._path} has no sound track")
                stream = source.streams.audio[0]
                self._channels = 1 if stream.codec_context.channels == 1 else 2
                layout = "mono" if self._channels == 1 else "stereo"
                resampler = av.AudioResampler(format="fltp", layout=layout, rate=_RATE)
                for frame in source.decode(stream):
                    for converted in resampler.resample(frame):
                        yield converted.to_ndarray().astype(np.float32, copy=False)
                for converted in resampler.resample(None):
                    yield converted.to_ndarray().astype(np.float32, copy=False)
        except (av.FFmpegError, OSError) as error:
            raise KeywarpError(f"{self._path}: the sound could not be read ({error.strerror})") from error
