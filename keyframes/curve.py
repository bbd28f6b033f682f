# SPDX-License-Identifier: GPL-3.0-or-later
"""``Curve``: one channel's value over time, with the semantics of Blender's F-curves.

Facts: Blender manual, "F-Curves" and "F-Curve Modifiers"; the tests hold every rule against Blender
itself. Unlike Blender, which keeps float32, everything is float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.cycles import Cycles
from keywarp.keyframes.easing import EASINGS, Span, ease
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.handle_types import AUTO_CLAMPED, VECTOR, Codes, Handles
from keywarp.keyframes.handles import computed_handles
from keywarp.keyframes.keys import (
    INTERPOLATIONS,
    Key,
    KeyColumns,
    columns_of_keys,
    columns_of_points,
    one_of,
)

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

__all__ = ["EXTRAPOLATIONS", "SMOOTHINGS", "Curve", "Cycles", "Key"]

EXTRAPOLATIONS = ("CONSTANT", "LINEAR")
SMOOTHINGS = ("NONE", "CONT_ACCEL")

#: A key holds for samples this near to it, in frames: a time that comes from a change of frame rate
#: does not fall a rounding error before the key that it means.
_ON_KEY = 1e-4
_CONSTANT, _LINEAR, _BEZIER = range(3)
_MOST_STEPS = 64


class Curve:
    """Keys, and how the value runs between, before and after them. Curves do not change.

    ``extrapolation``: ``CONSTANT`` or ``LINEAR``. ``auto_smoothing``: ``NONE``, or ``CONT_ACCEL`` as
    new curves in Blender have it. ``extra``: what a clip file says of the curve that this version
    does not know.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        extrapolation: str = "CONSTANT",
        auto_smoothing: str = "NONE",
        cycles: Optional[Cycles] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._set(columns_of_keys(list(keys)), extrapolation, auto_smoothing, cycles, extra)

    def _set(
        self,
        columns: KeyColumns,
        extrapolation: str,
        auto_smoothing: str,
        cycles: Optional[Cycles],
        extra: Optional[Mapping[str, Any]],
    ) -> None:
        one_of(extrapolation, EXTRAPOLATIONS, "extrapolation")
        one_of(auto_smoothing, SMOOTHINGS, "auto smoothing")
        self.columns = columns
        self.extrapolation = extrapolation
        self.auto_smoothing = auto_smoothing
        self.cycles = cycles
        self.extra = dict(extra or {})

    @classmethod
    def from_points(
        cls,
        frames: npt.ArrayLike,
        values: npt.ArrayLike,
        interpolation: str = "LINEAR",
        extrapolation: str = "CONSTANT",
        auto_smoothing: str = "NONE",
        cycles: Optional[Cycles] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Curve:
        """Default keys at ``frames`` and ``values``, (n,) each; fast for a million of them."""
        curve = cls.__new__(cls)
        columns = columns_of_points(frames, values, interpolation)
        curve._set(columns, extrapolation, auto_smoothing, cycles, extra)
        return curve

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        mine, theirs = (
            (c.columns, c.extrapolation, c.auto_smoothing, c.cycles, c.extra) for c in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first, last = self.range
        return f"<Curve of {len(self)} keys, frames {first:g} to {last:g}>"

    @property
    def range(self) -> tuple[float, float]:
        """Frames of the first and the last key."""
        return float(self.columns.frame[0]), float(self.columns.frame[-1])

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys, sorted by frame."""
        return tuple(self.columns.key(i) for i in range(len(self)))

    @cached_property
    def handles(self) -> tuple[Array, Array]:
        """The left and the right handles as evaluated, (n, 2) each: frame and value."""
        k = self.columns
        left, right = computed_handles(
            Handles(
                k.frame,
                k.value,
                _type_in_effect(k.handle_left_type, k.handle_left),
                _type_in_effect(k.handle_right_type, k.handle_right),
                np.array(k.handle_left),
                np.array(k.handle_right),
            ),
            flat_ends=self.extrapolation == "CONSTANT",
            smoothing=self.auto_smoothing == "CONT_ACCEL",
            cyclic=self.cycles is not None and self.cycles.smooth_seam,
        )
        left.flags.writeable = right.flags.writeable = False
        return left, right

    def sample(self, frames: npt.ArrayLike) -> Array:
        """The values at ``frames``, (N,): float64, (N,). Frames may be fractions, in any order."""
        times = np.atleast_1d(np.asarray(frames, np.float64))
        if times.ndim != 1 or not np.all(np.isfinite(times)):
            raise KeywarpError("the frames to sample a curve at must be a row of finite numbers")
        if self.cycles is None:
            return self._evaluate(times)
        k = self.columns
        inside, rise = self.cycles.fold(times, *self.range, float(k.value[-1] - k.value[0]))
        return self._evaluate(inside) + rise

    def _evaluate(self, times: Array) -> Array:
        frame, value = self.columns.frame, self.columns.value
        values = np.empty_like(times)
        before, after = times <= frame[0], times >= frame[-1]
        after &= ~before
        for end, beyond in ((0, before), (-1, after)):
            if beyond.any():
                values[beyond] = self._extrapolate(times[beyond], end)
        between = np.flatnonzero(~(before | after))
        if not len(between):
            return values
        inner = times[between]
        at, on_key = self._find(inner)
        values[between] = value[at]
        moving = ~on_key & (self.columns.interpolation[at] != _CONSTANT)
        values[between[moving]] += self._interpolate(inner[moving], at[moving])
        return values

    def _extrapolate(self, times: Array, end: int) -> Array:
        """Beyond the first key (``end`` 0) or the last (-1)."""
        k = self.columns
        kind = k.interpolation[end]
        point = np.array([k.frame[end], k.value[end]])
        still = np.full(len(times), point[1])
        if self.extrapolation == "CONSTANT" or kind == _CONSTANT:
            return still
        if kind != _LINEAR:
            along = self.handles[end][end]
        elif len(self) > 1:
            inner = 1 if end == 0 else -2
            along = np.array([k.frame[inner], k.value[inner]])
        else:
            return still
        run, rise = point - along
        return np.asarray(still + (times - point[0]) * (rise / run)) if run else still

    def _find(self, times: Array) -> tuple[Indices, npt.NDArray[np.bool_]]:
        """The key before each of the times, all within the keys' range, and whether the time is on it."""
        frame = self.columns.frame
        after = np.searchsorted(frame, times)
        nearest = np.where(frame[after] - times <= _ON_KEY, after, after - 1)
        return nearest, np.abs(times - frame[nearest]) <= _ON_KEY

    def _interpolate(self, times: Array, at: Indices) -> Array:
        """How far the value has moved from that of the key ``at``, (N,), before each time."""
        k = self.columns
        start = k.frame[at]
        duration = k.frame[at + 1] - start
        change = k.value[at + 1] - k.value[at]
        u = (times - start) / duration
        moved = change * u
        kinds = k.interpolation[at]
        codes = np.unique(kinds)
        if _BEZIER in codes:
            these = kinds == _BEZIER
            moved[these] = self._bezier(u[these], at[these], change[these])
        for code in codes[codes > _BEZIER]:
            for easing in np.unique(k.easing[at[kinds == code]]):
                these = (kinds == code) & (k.easing[at] == easing)
                key = at[these]
                span = Span(change[these], duration[these], k.back[key], k.amplitude[key], k.period[key])
                moved[these] = ease(INTERPOLATIONS[code], EASINGS[easing], u[these], span)
        return moved

    def _bezier(self, u: Array, at: Indices, change: Array) -> Array:
        right, left = self._spans[0][at], self._spans[1][at]
        t = _parameter(right[:, 0], left[:, 0], u)
        s = 1.0 - t
        return np.asarray(3 * s * s * t * right[:, 1] + 3 * s * t * t * left[:, 1] + t * t * t * change)

    @cached_property
    def _spans(self) -> tuple[Array, Array]:
        """Each span's two inner control points, (n - 1, 2): x as a share of the span, y above its first key.

        A handle that reaches past the other key is shortened to it, keeping its direction, so that
        time never runs backwards.
        """
        k = self.columns
        left, right = self.handles
        points = np.stack((k.frame, k.value), axis=1)
        duration = np.diff(k.frame)
        controls = []
        for anchor, handle in ((points[:-1], right[:-1]), (points[1:], left[1:])):
            arm = handle - anchor
            reach = np.abs(arm[:, 0])
            arm = arm * np.where(reach > duration, duration / reach, 1.0)[:, None]
            control = anchor + arm - points[:-1]
            control[:, 0] = np.clip(control[:, 0] / duration, 0.0, 1.0)
            controls.append(control)
        return controls[0], controls[1]


def _type_in_effect(types: Codes, points: Array) -> Codes:
    """AUTO_CLAMPED where a handle that a person would place is not given."""
    missing = np.isnan(points[:, 0]) & (types < VECTOR)
    return np.where(missing, np.uint8(AUTO_CLAMPED), types)


def _parameter(x1: Array, x2: Array, u: Array) -> Array:
    """Where the Bezier curve through x = 0, ``x1``, ``x2``, 1 reaches x = ``u``; all (N,), in 0..1.

    With both controls in 0..1 x never falls, so there is one answer. Newton's steps, and a halving
    of the bracket wherever a step would leave it.
    """
    c1, c2, c3 = 3 * x1, 3 * x2 - 6 * x1, 1 + 3 * x1 - 3 * x2
    low, high, t = np.zeros_like(u), np.ones_like(u), u
    for _ in range(_MOST_STEPS):
        x = ((c3 * t + c2) * t + c1) * t - u
        low, high = np.where(x <= 0, t, low), np.where(x > 0, t, high)
        slope = (3 * c3 * t + 2 * c2) * t + c1
        step = t - x / np.where(slope > 0, slope, np.inf)
        better = np.where((slope > 0) & (step >= low) & (step <= high), step, (low + high) / 2)
        if np.max(np.abs(better - t), initial=0.0) <= 1e-15:
            break
        t = better
    return t
