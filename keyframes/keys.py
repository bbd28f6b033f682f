# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of F-curves: one key as a person sees it, all keys of a curve as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.easing import EASINGS, FAMILIES
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.handle_types import HANDLE_TYPES, Codes

Array = npt.NDArray[np.float64]
Point = tuple[float, float]

INTERPOLATIONS = ("CONSTANT", "LINEAR", "BEZIER", *FAMILIES)

#: Keys no further apart than this, in frames, are one key: the later one given.
ONE_KEY = 0.01
#: In one curve, and in all curves of a clip: an hour of 45 channels at 30 frames a second.
MAX_KEYS = 5_000_000
MAX_FRAME = 1e9
MAX_VALUE = 1e30


@dataclass(frozen=True)
class Key:
    """One keyframe. ``interpolation`` and ``easing`` shape the span from this key to the next.

    The defaults are those of a key that Blender inserts.
    """

    frame: float
    value: float
    interpolation: str = "BEZIER"
    easing: str = "AUTO"
    handle_left_type: str = "AUTO_CLAMPED"
    handle_right_type: str = "AUTO_CLAMPED"
    handle_left: Optional[Point] = None
    """(frame, value); used only where the type is FREE or ALIGNED, otherwise computed. ``None`` with
    one of these types: as AUTO_CLAMPED."""
    handle_right: Optional[Point] = None
    back: float = 1.70158
    """Overshoot of BACK."""
    amplitude: float = 0.8
    """Of ELASTIC, in the curve's values; 0: the family's own."""
    period: float = 4.1
    """Of ELASTIC, in frames; 0: the family's own."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What a clip file says of the key that this version does not know."""


DEFAULT_KEY = Key(0.0, 0.0)


def shown(value: object) -> str:
    """``value`` in a message: cut short."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def one_of(word: object, words: Sequence[str], what: str) -> int:
    """The index of ``word`` in ``words``; raises ``KeywarpError`` where it is none of them."""
    if not isinstance(word, str) or word not in words:
        raise KeywarpError(f"{shown(word)} is no {what}: it must be one of {', '.join(words)}")
    return words.index(word)


def number(value: object, what: str, limit: float) -> float:
    """``value`` as a float; raises ``KeywarpError`` where it is none, not finite or beyond ``limit``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise KeywarpError(f"{what} must be a number, not {shown(value)}")
    try:
        result = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        result = math.inf
    if not abs(result) <= limit:
        raise KeywarpError(f"{what} must be finite and at most {limit:g} in size, not {result:g}")
    return result


def _handle(point: object, what: str) -> Point:
    if point is None:
        return (np.nan, np.nan)
    if not isinstance(point, (tuple, list)) or len(point) != 2:
        raise KeywarpError(f"{what} must be a frame and a value, not {shown(point)}")
    return number(point[0], what, MAX_FRAME), number(point[1], what, MAX_VALUE)


@dataclass(frozen=True, eq=False)
class KeyColumns:
    """The n keys of a curve, on rising frames, more than ``ONE_KEY`` apart."""

    frame: Array
    value: Array
    interpolation: Codes
    easing: Codes
    handle_left_type: Codes
    handle_right_type: Codes
    """(n,): indices into ``INTERPOLATIONS``, ``EASINGS`` and ``HANDLE_TYPES``."""
    handle_left: Array
    handle_right: Array
    """(n, 2): frame and value; NaN where none is given."""
    back: Array
    amplitude: Array
    period: Array
    extra: Mapping[int, Mapping[str, Any]]
    """By index, of those keys that have any."""

    def __len__(self) -> int:
        return len(self.frame)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyColumns):
            return NotImplemented
        return self.extra == other.extra and all(
            np.array_equal(
                getattr(self, f.name), getattr(other, f.name), equal_nan=f.name.startswith("handle")
            )
            for f in fields(self)
            if f.name != "extra"
        )

    @property
    def plain(self) -> bool:
        """Whether the keys differ in frame and value only, all else but the interpolation as by default."""
        codes = (self.easing, self.handle_left_type, self.handle_right_type)
        defaults = _default_codes()
        return bool(
            not self.extra
            and np.all(self.interpolation == self.interpolation[0])
            and all(np.all(code == default) for code, default in zip(codes, defaults))
            and np.all(np.isnan(self.handle_left))
            and np.all(np.isnan(self.handle_right))
            and all(np.all(getattr(self, name) == getattr(DEFAULT_KEY, name)) for name in _PARAMETERS)
        )

    def key(self, i: int) -> Key:
        left, right = self.handle_left[i], self.handle_right[i]
        return Key(
            float(self.frame[i]),
            float(self.value[i]),
            INTERPOLATIONS[self.interpolation[i]],
            EASINGS[self.easing[i]],
            HANDLE_TYPES[self.handle_left_type[i]],
            HANDLE_TYPES[self.handle_right_type[i]],
            None if np.isnan(left[0]) else (float(left[0]), float(left[1])),
            None if np.isnan(right[0]) else (float(right[0]), float(right[1])),
            float(self.back[i]),
            float(self.amplitude[i]),
            float(self.period[i]),
            self.extra.get(i, {}),
        )


_PARAMETERS = ("back", "amplitude", "period")


def _default_codes() -> tuple[int, int, int]:
    return (
        EASINGS.index(DEFAULT_KEY.easing),
        HANDLE_TYPES.index(DEFAULT_KEY.handle_left_type),
        HANDLE_TYPES.index(DEFAULT_KEY.handle_right_type),
    )


def check_count(count: int) -> None:
    if not 1 <= count <= MAX_KEYS:
        raise KeywarpError(f"a curve has from 1 to {MAX_KEYS:,} keys, not {count:,}")


def columns_of_keys(keys: Sequence[Key]) -> KeyColumns:
    """The keys as columns, checked and put in order; raises ``KeywarpError`` that names the bad key."""
    check_count(len(keys))
    rows = []
    for i, key in enumerate(keys):
        try:
            rows.append(_row(key))
        except KeywarpError as error:
            raise KeywarpError(f"key {i + 1} (frame {shown(key.frame)}): {error}") from None
    numbers = np.array(rows, np.float64).T.copy()
    codes = numbers[9:].astype(np.uint8)
    columns = KeyColumns(
        frame=numbers[0],
        value=numbers[1],
        interpolation=codes[0],
        easing=codes[1],
        handle_left_type=codes[2],
        handle_right_type=codes[3],
        handle_left=numbers[2:4].T.copy(),
        handle_right=numbers[4:6].T.copy(),
        back=numbers[6],
        amplitude=numbers[7],
        period=numbers[8],
        extra={i: dict(key.extra) for i, key in enumerate(keys) if key.extra},
    )
    return _in_order(columns)


def _row(key: Key) -> tuple[float, ...]:
    return (
        number(key.frame, "its frame", MAX_FRAME),
        number(key.value, "its value", MAX_VALUE),
        *_handle(key.handle_left, "its left handle"),
        *_handle(key.handle_right, "its right handle"),
        *(number(getattr(key, name), f"its {name}", MAX_VALUE) for name in _PARAMETERS),
        one_of(key.interpolation, INTERPOLATIONS, "interpolation"),
        one_of(key.easing, EASINGS, "easing"),
        one_of(key.handle_left_type, HANDLE_TYPES, "handle type"),
        one_of(key.handle_right_type, HANDLE_TYPES, "handle type"),
    )


def columns_of_points(frames: npt.ArrayLike, values: npt.ArrayLike, interpolation: str) -> KeyColumns:
    """Default keys of one interpolation at ``frames`` and ``values``, (n,) each."""
    code = one_of(interpolation, INTERPOLATIONS, "interpolation")
    frame, value = _numbers(frames, "frame", MAX_FRAME), _numbers(values, "value", MAX_VALUE)
    if frame.shape != value.shape:
        raise KeywarpError(f"a curve needs as many values as frames, not {len(value)} and {len(frame)}")
    n = len(frame)
    easing, left_type, right_type = (np.broadcast_to(np.uint8(code), n) for code in _default_codes())
    no_handles = np.broadcast_to(np.float64(np.nan), (n, 2))
    back, amplitude, period = (
        np.broadcast_to(np.float64(getattr(DEFAULT_KEY, name)), n) for name in _PARAMETERS
    )
    columns = KeyColumns(
        frame=frame,
        value=value,
        interpolation=np.broadcast_to(np.uint8(code), n),
        easing=easing,
        handle_left_type=left_type,
        handle_right_type=right_type,
        handle_left=no_handles,
        handle_right=no_handles,
        back=back,
        amplitude=amplitude,
        period=period,
        extra={},
    )
    return _in_order(columns)


def _in_order(columns: KeyColumns) -> KeyColumns:
    """Sorted by frame, without the keys that a later one stands on (the rule of Blender from 4.5 on).

    The later key goes where the earlier one was, its handles with it, unless it is on a whole frame.
    """
    if np.any(columns.frame[1:] < columns.frame[:-1]):
        columns = _chosen(columns, np.argsort(columns.frame, kind="stable"))
    if np.any(np.diff(columns.frame) <= ONE_KEY):
        columns = _merged(columns)
    columns.frame.flags.writeable = columns.value.flags.writeable = False
    return columns


def _merged(columns: KeyColumns) -> KeyColumns:
    frames: list[float] = columns.frame.tolist()
    kept, places = [0], [frames[0]]
    for i, frame in enumerate(frames[1:], 1):
        if frame - places[-1] > ONE_KEY:
            kept.append(i)
            places.append(frame)
        else:
            kept[-1] = i
            if frame.is_integer():
                places[-1] = frame
    chosen = _chosen(columns, np.array(kept))
    place = np.array(places)
    moved = np.stack((place - chosen.frame, np.zeros(len(kept))), axis=1)
    return replace(
        chosen, frame=place, handle_left=chosen.handle_left + moved, handle_right=chosen.handle_right + moved
    )


def _chosen(columns: KeyColumns, indices: npt.NDArray[np.intp]) -> KeyColumns:
    arrays = {f.name: getattr(columns, f.name)[indices] for f in fields(columns) if f.name != "extra"}
    places = enumerate(indices.tolist())
    extra = {new: columns.extra[old] for new, old in places if old in columns.extra} if columns.extra else {}
    return KeyColumns(**arrays, extra=extra)


def _numbers(values: npt.ArrayLike, what: str, limit: float) -> Array:
    try:
        array = np.asarray(values)
    except ValueError:
        raise KeywarpError(f"a curve's {what}s must be a row of numbers") from None
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise KeywarpError(f"a curve's {what}s must be a row of numbers")
    check_count(len(array))  # before it is copied
    array = np.array(array, np.float64)
    bad = ~(np.abs(array) <= limit)
    if np.any(bad):
        i = int(np.argmax(bad))
        raise KeywarpError(
            f"point {i + 1}: a {what} must be finite and at most {limit:g} in size, not {array[i]:g}"
        )
    return array
