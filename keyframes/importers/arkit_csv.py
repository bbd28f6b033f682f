# SPDX-License-Identifier: GPL-3.0-or-later
"""Face recordings of iPhones as tables: Epic's Live Link Face, iFacialMocap, and others with ARKit's names.

Live Link Face writes ``Timecode`` (HH:MM:SS:FF.fraction), ``BlendShapeCount``, ARKit's coefficients from 0 to
1 in Pascal case, and the angles of head and eyes in radians. iFacialMocap has coefficients from 0 to 100,
sides as ``_L`` and ``_R``, and angles in degrees about ARKit's axes. What a table holds is judged by its
columns and values. The eyes' angles are left out: the eyeLook coefficients say the same.

Live Link's yaw, pitch and roll are ARKit's angles about y, x and z (Unreal Engine, AppleARKitFaceSupport).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import table
from keywarp.keyframes.importers.base import Array, Format, Imported, listed, sampled_clip
from keywarp.keyframes.keys import shown
from keywarp.keyframes.spaces import arkit52, channel_called

#: A table with fewer of ARKit's names is some other table.
_FEWEST = 5
_FPS = 60.0
_LONGEST = 1 << 20


class _Head(NamedTuple):
    channel: str
    sign: float
    radians: bool


_HEAD = {
    "headpitch": _Head("head_pitch", -1.0, True),
    "headyaw": _Head("head_yaw", -1.0, True),
    "headroll": _Head("head_roll", 1.0, True),
}
for _spelling in ("head{}", "headr{}", "headrot{}", "headrotation{}", "headeuler{}", "headangle{}"):
    _HEAD[_spelling.format("x")] = _Head("head_pitch", -1.0, False)
    _HEAD[_spelling.format("y")] = _Head("head_yaw", -1.0, False)
    _HEAD[_spelling.format("z")] = _Head("head_roll", 1.0, False)

_SECONDS = ("time", "timestamp", "seconds", "timeseconds", "times", "timems", "timestampms", "milliseconds")
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d+)?)\Z")


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _coefficient(name: str) -> Optional[str]:
    """The channel that a column's name means, in any program's spelling."""
    for short, side in (("_l", "left"), ("_r", "right")):
        if name.lower().endswith(short):
            name = name[: -len(short)] + side
    channel = channel_called("arkit52", _folded(name.rsplit(".", 1)[-1]))
    return None if channel is None or channel.startswith("head_") else channel


def _recognises(head: bytes) -> bool:
    return sum(_coefficient(name) is not None for name in table.header(head)) >= _FEWEST


def read(data: bytes) -> Imported:
    """A clip of ``arkit52``, a key a row; raises ``KeywarpError`` for a table that is damaged."""
    names = table.header(data[:_LONGEST])
    faces = {channel: i for i, name in enumerate(names) if (channel := _coefficient(name))}
    heads = {_HEAD[_folded(name)]: i for i, name in enumerate(names) if _folded(name) in _HEAD}
    folded = [_folded(name) for name in names]
    timecode = folded.index("timecode") if "timecode" in folded else None
    seconds = next((folded.index(name) for name in _SECONDS if name in folded), None)
    wanted = [*faces.values(), *heads.values()]
    if timecode is None and seconds is not None:
        wanted.append(seconds)
    rows = table.read(data, wanted, timecode)
    notes: list[str] = [*table.left_out(rows.incomplete, "they are not complete, or no face was seen")]
    if timecode is not None:
        frames, fps = _frames_of_timecodes(rows.text, notes)
    elif seconds is not None:
        frames, fps = _frames_of_seconds(rows.numbers[:, -1])
    else:
        frames, fps = np.arange(len(rows.numbers), dtype=np.float64), _FPS
        notes.append(f"the table has no times: {_FPS:g} rows a second are taken")
    later = table.rising(frames)
    notes += table.left_out(len(frames) - len(later), "they are not later than the row before")
    numbers = rows.numbers[later]
    coefficients = _in_unit_range(numbers[:, : len(faces)], notes)
    columns = [*zip(faces, coefficients.T), *_angles(list(heads), numbers[:, len(faces) :], notes)]
    missing = [n for n in arkit52.SPACE.names if n not in faces and not n.startswith("head_")]
    if missing:
        notes.append(f"the table lacks {listed(missing)}")
    clip = sampled_clip(arkit52.SPACE, frames[later] - frames[later[0]], columns, fps, "ARKit face recording")
    return Imported(clip, tuple(notes))


def _in_unit_range(values: Array, notes: list[str]) -> Array:
    if values.max(initial=0.0) <= 2.0:
        return values
    notes.append("the coefficients reach beyond 1: they are taken as percent")
    return values / 100.0


def _angles(heads: Sequence[_Head], values: Array, notes: list[str]) -> list[tuple[str, Array]]:
    """The head's channels in degrees, for its columns, (N, k) or wider."""
    columns = []
    for head, column in zip(heads, values.T):
        in_radians = head.radians and np.abs(column).max(initial=0.0) <= 2 * np.pi
        if head.radians and not in_radians:
            notes.append(f"{head.channel} reaches beyond a turn in radians: it is taken as degrees")
        columns.append((head.channel, head.sign * (np.degrees(column) if in_radians else column)))
    return columns


def _frames_of_seconds(times: Array) -> tuple[Array, float]:
    steps = np.diff(times)
    in_milliseconds = len(steps) and float(np.median(steps)) > 2.0
    return table.frames_of_seconds((times - times[0]) / (1000.0 if in_milliseconds else 1.0))


def _frames_of_timecodes(codes: Sequence[str], notes: list[str]) -> tuple[Array, float]:
    """Frames since the first timecode, and their rate: the least usual one that has all frames' numbers."""
    seconds, parts = np.zeros(len(codes)), np.zeros(len(codes))
    for i, code in enumerate(codes):
        match = _TIMECODE.match(code)
        if not match:
            raise KeywarpError(f"{shown(code)} is no timecode: it should be as 14:03:52:28.207")
        hours, minutes, whole, frame = match.groups()
        seconds[i] = int(hours) * 3600 + int(minutes) * 60 + int(whole)
        parts[i] = float(frame)
    seconds += 86400.0 * np.concatenate(([0.0], np.cumsum(np.diff(seconds) < -43200)))
    highest = np.floor(parts.max())
    if np.all(np.diff(parts) >= 0):  # not one second that is whole
        notes.append("the timecodes do not show their rate: 60 frames a second are taken")
        highest = max(highest, _FPS - 1)
    fps = next((rate for rate in table.RATES if rate > highest and rate >= 24), None)
    if fps is None:
        raise KeywarpError(f"its timecodes count to frame {highest:g} a second, beyond any usual rate")
    frames = seconds * fps + parts
    return table.whole(frames - frames[0]), fps


FORMAT = Format(
    "arkit-csv",
    (".csv",),
    "ARKit recording (CSV)",
    _recognises,
    read,
    table.MAX_BYTES,
)
