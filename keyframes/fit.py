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
#: Where within each step between two points the distance is looked at too, so that a curve does not
#: swing out between points that it meets.
_WITHIN = (0.25, 0.5, 0.75)
#: What is kept of the tolerance for the places that are not looked at.
_MARGIN = 0.95
#: Seconds.
MAX_SMOOTHING = 10.0


def fitted_curve(curve: Curve, tolerance: float) -> Curve:
    """``curve`` as Bezier keys, never off by more than ``tolerance``.

    Only a curve of default keys with linear interpolation and constant extrapolation is changed, as a
    recording is; one that cycles stays as it is. Between two keys the value is the cubic that is
    nearest to the points in the sense of least squares (Schneider, "An algorithm for automatically
    fitting digitized curves", Graphics Gems, 1990, with the handles' frames fixed at a third of the
    span); each reaches as far as it may. Raises ``KeywarpError`` for a tolerance that is
    negative or not finite.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise KeywarpError(f"the tolerance is {tolerance}, where a number from 0 up belongs")
    if not _recorded(curve):
        return curve
    frames, values = curve.columns.frame, curve.columns.value
    if np.ptp(values) <= tolerance:
        middle = (float(values.min()) + float(values.max())) / 2
        return Curve([Key(float(frames[0]), middle)], curve.extrapolation, "NONE", None, curve.extra)
    keys = _keys(frames, values, _spans(frames, values, tolerance))
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


def _spans(frames: Array, values: Array, tolerance: float) -> list[Span]:
    """From the first point on, each time as far as one cubic goes."""
    done: list[Span] = []
    first, end = 0, len(frames) - 1
    while first < end:
        # Twice as far each time, then half the way between what went and what did not.
        good, bad, step = first + 1, end + 1, 2
        best = _cubic(frames[first : good + 1], values[first : good + 1], tolerance)
        while bad - good > 1:
            last = min(first + step, end) if bad > end else (good + bad) // 2
            cubic = _cubic(frames[first : last + 1], values[first : last + 1], tolerance)
            if cubic is None:
                bad = last
            else:
                good, best, step = last, cubic, 2 * step
        assert best is not None  # two points lie on a line
        done.append((first, good, *best))
        first = good
    return done


def _cubic(frames: Array, values: Array, tolerance: float) -> Optional[tuple[float, float]]:
    """The heights of the inner control points of the cubic that begins and ends with the points and is
    nearest to those between; ``None`` where it is off by more than the tolerance."""
    start, end = float(values[0]), float(values[-1])
    third = (end - start) / 3
    if len(frames) == 2:
        return start + third, end - third
    u = (frames - frames[0]) / (frames[-1] - frames[0])
    right, left = _least_squares(u[1:-1], values[1:-1], start, end)
    fine = np.concatenate([u[1:-1], *(u[:-1] + share * np.diff(u) for share in _WITHIN)])
    goal = np.concatenate([values[1:-1], *(values[:-1] + share * np.diff(values) for share in _WITHIN)])
    error = np.abs(_bezier(fine, start, right, left, end) - goal)
    return (right, left) if error.max() <= _MARGIN * tolerance else None


def _least_squares(u: Array, values: Array, start: float, end: float) -> tuple[float, float]:
    a, b = 3 * (1 - u) ** 2 * u, 3 * (1 - u) * u * u
    rest = values - ((1 - u) ** 3 * start + u**3 * end)
    aa, ab, bb = float(a @ a), float(a @ b), float(b @ b)
    ar, br = float(a @ rest), float(b @ rest)
    determinant = aa * bb - ab * ab
    if len(u) < 2 or determinant < 1e-12:
        third = (end - start) / 3
        return start + third, end - third
    return (ar * bb - br * ab) / determinant, (br * aa - ar * ab) / determinant


def _bezier(u: Array, start: float, right: float, left: float, end: float) -> Array:
    s = 1 - u
    return np.asarray(s * s * s * start + 3 * s * s * u * right + 3 * s * u * u * left + u * u * u * end)


def _keys(frames: Array, values: Array, spans: list[Span]) -> list[Key]:
    """A key at the ends of all spans, with handles a third of the way to its neighbours."""
    places = [first for first, *_ in spans] + [spans[-1][1]]
    thirds = np.diff(frames[places]) / 3
    keys = []
    for i, at in enumerate(places):
        frame, value = float(frames[at]), float(values[at])
        left = (frame - thirds[i - 1], spans[i - 1][3]) if i else None
        right = (frame + thirds[i], spans[i][2]) if i < len(spans) else None
        # Beyond the first and the last key the curve is level.
        keys.append(
            Key(
                frame,
                value,
                handle_left_type="FREE",
                handle_right_type="FREE",
                handle_left=left or (frame - thirds[0], value),
                handle_right=right or (frame + thirds[-1], value),
            )
        )
    return keys
