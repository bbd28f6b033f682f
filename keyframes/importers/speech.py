# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded speech as curves of the mouth: WAV files, and sound from anywhere by ``imported``.

Facts: RIFF and WAVE_FORMAT_EXTENSIBLE as Microsoft documents them (mmreg.h).
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Union

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import fitted
from keywarp.keyframes.importers.base import MAX_FRAMES, Format, Imported, sampled_clip
from keywarp.keyframes.spaces import tha45
from keywarp.keyframes.voice import FRAME_SECONDS, HOP_SECONDS, Sound, frame_sizes, mouths
from keywarp.keyframes.vowels import CHANNELS

Array = npt.NDArray[np.float64]
Bytes = Union[bytes, memoryview]

FPS = 30.0
#: How far the curves may be off what was heard, as a share of a channel's range.
TOLERANCE = 0.02
#: A mouth that never opens further is shut.
_SHUT = 0.05

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MAX_CHANNELS = 64
_MAX_BYTES = 512 * 2**20


def imported(sound: Sound, rate: float, source: str) -> Imported:
    """Mono ``sound``, (n,), -1 to 1, as a clip of tha45 that speaks it. Raises ``KeywarpError``."""
    if len(sound) / rate * FPS > MAX_FRAMES:
        raise KeywarpError(f"it is longer than {MAX_FRAMES / FPS / 3600:.0f} hours")
    heard = mouths(sound, rate)
    if not len(heard):
        raise KeywarpError("there is no sound in it: at least a thirtieth of a second is needed")
    times = FRAME_SECONDS / 2 + HOP_SECONDS * np.arange(len(heard))
    frames = np.arange(max(int(np.ceil(len(sound) / rate * FPS)), 1) + 1.0)
    rows = np.stack([np.interp(frames / FPS, times, column, 0.0, 0.0) for column in heard.T], axis=1)
    columns = list(zip(CHANNELS, rows.T))
    clip = fitted(sampled_clip(tha45.SPACE, frames, columns, FPS, source), TOLERANCE)
    silent = not np.any(rows > _SHUT)
    return Imported(clip, ("nobody speaks in it: the mouth stays shut",) if silent else ())


class _Form(NamedTuple):
    code: int
    channels: int
    rate: int
    bits: int


def read(data: bytes) -> Imported:
    """A WAV file's bytes: 8, 16, 24 or 32 bit, or floating point; its channels are mixed."""
    form: Optional[_Form] = None
    sound = memoryview(b"")
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        content = memoryview(data)[place + 8 : place + 8 + size]
        if name == b"fmt ":
            form = _form(content)
        elif name == b"data":
            sound = content  # of a recording that was cut off, what there is
            break
        place += 8 + size + size % 2
    if form is None or not sound:
        raise KeywarpError("this is no whole WAV file: its format or its sound is missing")
    return imported(_Samples(sound, form), float(form.rate), "speech")


def _form(content: Bytes) -> _Form:
    if len(content) < 16:
        raise KeywarpError("this is no whole WAV file: its format is cut off")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if code == _EXTENSIBLE and len(content) >= 26:
        code = struct.unpack_from("<H", content, 24)[0]
    known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
    if bits not in known.get(code, ()):
        raise KeywarpError(
            f"its sound is compressed or of an unusual kind (format {code}, {bits} bit); save it as a WAV file of "
            "16, 24 or 32 bit"
        )
    if not 1 <= channels <= _MAX_CHANNELS:
        raise KeywarpError(f"it has {channels} channels, where 1 to {_MAX_CHANNELS} are possible")
    frame_sizes(rate)
    return _Form(code, channels, rate, bits)


class _Samples:
    """A file's samples, which are mixed where they are looked at: whole they would take many times the file."""

    def __init__(self, data: memoryview, form: _Form) -> None:
        self._data, self._form = data, form
        self._width = form.channels * form.bits // 8

    def __len__(self) -> int:
        return len(self._data) // self._width

    def __getitem__(self, stretch: slice, /) -> Array:
        first, last, _ = stretch.indices(len(self))
        return _mono(self._data[first * self._width : max(first, last) * self._width], self._form)


def _mono(data: Bytes, form: _Form) -> Array:
    """Whole samples of all channels as one, (n,), -1 to 1."""
    if form.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")[:, 0]
    else:
        kind = "f" if form.code == _FLOAT else "u" if form.bits == 8 else "i"
        samples = np.frombuffer(data, f"<{kind}{form.bits // 8}")
    mixed: Array = samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float64)
    if form.code == _FLOAT:
        return np.asarray(np.clip(np.nan_to_num(mixed), -8.0, 8.0))
    if form.bits == 8:
        return (mixed - 128.0) / 128.0
    return mixed / 2.0 ** (31 if form.bits == 24 else form.bits - 1)


FORMAT = Format(
    "wav",
    (".wav", ".wave"),
    "speech (WAV)",
    lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
    read,
    _MAX_BYTES,
)
