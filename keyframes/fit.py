# SPDX-License-Identifier: GPL-3.0-or-later
"""Few keys for many: recorded curves as Bezier curves that a person can edit, and freed of jitter."""

from __future__ import annotations

import dataclasses
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import INTERPOLATIONS, Key

Array = npt.NDArray[np.float64]

_LINEAR = INTERPOLATIONS.index("LINEAR")
#: How often the distance is looked at from one point to the next, so that a curve does not swing out
#: between points that it meets.
_WITHIN = 8
#: What is kept of the tolerance for the places that are not looked at.
_MARGIN = 0.95
#: A span begins smoothly where it then reaches at least this share of how far it could.
_WORTH = 0.3
#: Seconds.
MAX_SMOOTHING = 10.0


def fitted_curve(curve: Curve, tolerance: float) -> Curve:
    """``curve`` as Bezier keys, never off by more than ``tolerance``.

    Only a curve of default keys with linear interpolation and constant extrapolation is changed, as a
    recording is; one that cycles stays as it is. Between two keys the value is the cubic that is
    nearest to the points in the sense of least squares (Schneider, "An algorithm for automatically
    fitting digitized curves", Graphics Gems, 1990, with the handles' frames fixed at a third of the
    span); each reaches as far as it may, and begins with the slope with which the one before it ends,
    unless that makes it much shorter, as at a corner. Raises
    ``KeywarpError`` for a tolerance that is negative or not finite.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise KeywarpError(f"the tolerance is {tolerance}, where a number from 0 up belongs")
    if not _recorded(curve):
        return curve
    frames, values = curve.columns.frame, curve.columns.value
    if np.ptp(values) <= tolerance:
        middle = (float(values.min()) + float(values.max())) / 2
        return Curve([Key(float(frames[0]), middle)], curve.extrapolation, "NONE", None, curve.extra)
    line = _Line(frames, values)
    keys = _keys(line, *_spans(line, _MARGIN * tolerance))
    return Curve(keys, curve.extrapolation, "NONE", None, curve.extra)


def fitted(clip: Clip, tolerance: float = 5e-3) -> Clip:
    """``clip`` with its recorded curves fitted; ``tolerance`` is a share of each channel's range."""
    space = clip.pose_space
    curves = {
        name: fitted_curve(curve, tolerance * (space[name].maximum - space[name].minimum))
        for name, curve in clip.curves.items()
    }
    return dataclasses.replace(clip, curves=curves)


def smoothed(clip: Clip, seconds: float) -> Clip:
    """``clip`` without jitter: every curve averaged over time, its points weighted by a Gaussian of
    ``seconds`` standard deviation.

    Nothing comes late. Curves are sampled on the clip's frames and then have linear keys; those that
    step (constant interpolation) or cycle stay as they are. Raises ``KeywarpError`` for a time that is
    negative or above ten seconds.
    """
    if not 0 <= seconds <= MAX_SMOOTHING:
        raise KeywarpError(f"curves are smoothed over 0 to {MAX_SMOOTHING:g} seconds, not {seconds:g}")
    if seconds == 0:
        return clip
    frames = clip.frames()
    curves = {name: _smoothed(curve, frames, seconds * clip.fps) for name, curve in clip.curves.items()}
    return dataclasses.replace(clip, curves=curves)


def _smoothed(curve: Curve, frames: Array, deviation: float) -> Curve:
    steps = curve.columns.interpolation == INTERPOLATIONS.index("CONSTANT")
    if curve.cycles is not None or bool(np.any(steps)):
        return curve
    reach = max(1, int(np.ceil(3 * deviation)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    values = curve.sample(frames)
    # Mirrored about its end points, so that the curve begins and ends where it did.
    padded = np.pad(values, reach, mode="reflect", reflect_type="odd")
    averaged = np.convolve(padded, weights / weights.sum(), mode="valid")
    return Curve.from_points(frames, averaged, "LINEAR", curve.extrapolation, "NONE", None, curve.extra)


def _recorded(curve: Curve) -> bool:
    columns = curve.columns
    linear = columns.plain and bool(np.all(columns.interpolation == _LINEAR))
    return linear and curve.cycles is None and curve.extrapolation == "CONSTANT" and len(curve) > 2


#: One cubic: first and last point, and the heights of its two inner control points.
Span = tuple[int, int, float, float]


class _Line:
    """The straight lines through a curve's points, looked at ``_WITHIN`` times from each to the next."""

    def __init__(self, frames: Array, values: Array) -> None:
        places = np.arange(_WITHIN * (len(frames) - 1) + 1) / _WITHIN
        self.frames, self.values = frames, values
        self._x = np.interp(places, np.arange(len(frames)), frames)
        self._y = np.interp(places, np.arange(len(frames)), values)

    def part(self, first: int, last: int) -> tuple[Array, Array]:
        """From the point ``first`` to ``last``: shares of the way, from 0 to 1, and values."""
        inside = slice(_WITHIN * first, _WITHIN * last + 1)
        x = self._x[inside] - self._x[_WITHIN * first]
        return x / x[-1], self._y[inside]

    def cubic(self, first: int, last: int, tolerance: float, slope: Optional[float] = None) -> Optional[Span]:
        """The cubic that begins and ends with the points and is nearest to those between; ``None`` where it
        is off by more than the tolerance. ``slope``: the one that it must begin with."""
        u, y = self.part(first, last)
        start, end = float(y[0]), float(y[-1])
        if last - first == 1 and slope is None:
            third = (end - start) / 3
            return first, last, start + third, end - third
        s = 1 - u
        a, b = 3 * s * s * u, 3 * s * u * u
        rest = y - (s * s * s * start + u * u * u * end)
        bb, br, ab = float(b @ b), float(b @ rest), float(a @ b)
        if slope is not None:
            right = start + slope * float(self.frames[last] - self.frames[first]) / 3
            left = (br - ab * right) / bb
        else:
            aa, ar = float(a @ a), float(a @ rest)
            determinant = aa * bb - ab * ab
            right, left = (ar * bb - br * ab) / determinant, (br * aa - ar * ab) / determinant
        error = float(np.abs(a * right + b * left - rest).max())
        return (first, last, right, left) if error <= tolerance else None

    def longest(
        self, first: int, guess: int, tolerance: float, slope: Optional[float] = None
    ) -> Optional[Span]:
        """The cubic from the point ``first`` that reaches furthest; ``guess``: how many points it may."""
        end = len(self.frames) - 1
        best = self.cubic(first, first + 1, tolerance, slope)
        good, bad, step = first, end + 1, guess
        while bad - good > 1:
            last = min(first + step, end) if bad > end else (good + bad) // 2
            cubic = self.cubic(first, last, tolerance, slope)
            if cubic is None:
                bad = last
            else:
                best, good, step = cubic, last, 2 * step
        return best


def _spans(line: _Line, tolerance: float) -> tuple[list[Span], list[bool]]:
    """From the first point on, each time as far as one cubic goes; and for each whether it goes on smoothly
    from the one before, as it does unless that makes it much shorter."""
    spans: list[Span] = []
    smooth: list[bool] = []
    first, guess = 0, 2
    while first < len(line.frames) - 1:
        free = line.longest(first, guess, tolerance)
        assert free is not None  # two points lie on a line
        tied = line.longest(first, guess, tolerance, _end_slope(line, spans[-1])) if spans else None
        chosen = tied if tied is not None and tied[1] - first >= _WORTH * (free[1] - first) else free
        smooth.append(chosen is tied)
        spans.append(chosen)
        guess = max(chosen[1] - first, 2)
        first = chosen[1]
    return spans, smooth


def _end_slope(line: _Line, span: Span) -> float:
    first, last, _, left = span
    return float((line.values[last] - left) / (line.frames[last] - line.frames[first]) * 3)


def _keys(line: _Line, spans: list[Span], smooth: list[bool]) -> list[Key]:
    """A key at the ends of all spans, with handles a third of the way to its neighbours."""
    places = [first for first, *_ in spans] + [spans[-1][1]]
    thirds = np.diff(line.frames[places]) / 3
    keys = []
    for i, at in enumerate(places):
        frame, value = float(line.frames[at]), float(line.values[at])
        left = (frame - thirds[i - 1], spans[i - 1][3]) if i else None
        right = (frame + thirds[i], spans[i][2]) if i < len(spans) else None
        kind = "ALIGNED" if 0 < i < len(spans) and smooth[i] else "FREE"
        # Beyond the first and the last key the curve is level.
        keys.append(
            Key(
                frame,
                value,
                handle_left_type=kind,
                handle_right_type=kind,
                handle_left=left or (frame - thirds[0], value),
                handle_right=right or (frame + thirds[-1], value),
            )
        )
    return keys
