# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropping keys that a straight line between their neighbours carries as well."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import INTERPOLATIONS

_LINEAR = INTERPOLATIONS.index("LINEAR")


def kept(frames: npt.ArrayLike, values: npt.ArrayLike, tolerance: float) -> npt.NDArray[np.intp]:
    """Indices of the points, (k,) of (n,), that straight lines between them need to carry all points.

    No point is off its line by more than ``tolerance``; frames increase; the first and the last point
    always stay. Ramer-Douglas-Peucker, with the distance taken along the values' axis. Raises
    ``KeywarpError`` for a tolerance that is negative or not finite.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise KeywarpError(f"the tolerance is {tolerance}, where a number from 0 up belongs")
    t, v = np.asarray(frames, np.float64), np.asarray(values, np.float64)
    if len(t) < 3:
        return np.arange(len(t))
    keep = np.zeros(len(t), bool)
    keep[[0, -1]] = True
    spans = [(0, len(t) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        line = v[first] + (v[last] - v[first]) * ((t[inner] - t[first]) / (t[last] - t[first]))
        error = np.abs(v[inner] - line)
        worst = int(error.argmax())
        if error[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return np.nonzero(keep)[0]


def reduced_curve(curve: Curve, tolerance: float) -> Curve:
    """``curve`` with the keys that it needs to stay within ``tolerance``; a curve that is not made of
    default keys with linear interpolation, one on a frame, or that cycles, stays as it is.
    """
    columns = curve.columns
    linear = columns.plain and bool(np.all(columns.interpolation == _LINEAR))
    if not linear or curve.cycles is not None or bool(np.any(np.diff(columns.frame) <= 0)):
        return curve
    indices = kept(columns.frame, columns.value, tolerance)
    if curve.extrapolation == "CONSTANT" and np.ptp(columns.value) <= tolerance:
        indices = indices[:1]
    return Curve.from_points(
        columns.frame[indices],
        columns.value[indices],
        "LINEAR",
        curve.extrapolation,
        curve.auto_smoothing,
        None,
        curve.extra,
    )


def reduced(clip: Clip, tolerance: float = 1e-3) -> Clip:
    """``clip`` without the keys of linear curves that a straight line carries.

    ``tolerance`` is a share of each channel's range: 0.001 of a turn of 180 degrees is 0.18 degrees.
    """
    space = clip.pose_space
    curves = {
        name: reduced_curve(curve, tolerance * (space[name].maximum - space[name].minimum))
        for name, curve in clip.curves.items()
    }
    return dataclasses.replace(clip, curves=curves)
