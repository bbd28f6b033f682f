# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip moved along the timeline, or played at another frame rate."""

from __future__ import annotations

import dataclasses
from typing import Optional

from keywarp.keyframes.clip import Clip, checked_rate
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.cycles import Cycles
from keywarp.keyframes.keys import INTERPOLATIONS, Key, Point


def retimed(clip: Clip, fps: Optional[float] = None, start: Optional[float] = None) -> Clip:
    """``clip`` at ``fps`` frames a second, beginning at frame ``start``; what lasted a second still does.

    ``None``: as it is. Handles, periods, cycles and markers go along.
    """
    rate = 1.0 if fps is None else checked_rate(fps) / clip.fps
    shift = 0.0 if start is None else start - clip.start * rate
    if rate == 1.0 and shift == 0.0:
        return clip
    return dataclasses.replace(
        clip,
        curves={name: _curve(curve, rate, shift) for name, curve in clip.curves.items()},
        fps=clip.fps * rate if fps is None else fps,
        start=clip.start * rate + shift,
        end=clip.end * rate + shift,
        markers=tuple(
            dataclasses.replace(marker, frame=marker.frame * rate + shift) for marker in clip.markers
        ),
    )


def _curve(curve: Curve, rate: float, shift: float) -> Curve:
    columns = curve.columns
    cycles = None if curve.cycles is None else _cycles(curve.cycles, rate, shift)
    shape = (curve.extrapolation, curve.auto_smoothing, cycles, curve.extra)
    if columns.plain:
        kind = INTERPOLATIONS[columns.interpolation[0]]
        if kind != "ELASTIC":  # its period is a number of frames
            return Curve.from_points(columns.frame * rate + shift, columns.value, kind, *shape)
    return Curve([_key(key, rate, shift) for key in curve.keys], *shape)


def _key(key: Key, rate: float, shift: float) -> Key:
    return dataclasses.replace(
        key,
        frame=key.frame * rate + shift,
        handle_left=_point(key.handle_left, rate, shift),
        handle_right=_point(key.handle_right, rate, shift),
        period=key.period * rate,
    )


def _point(point: Optional[Point], rate: float, shift: float) -> Optional[Point]:
    return None if point is None else (point[0] * rate + shift, point[1])


def _cycles(cycles: Cycles, rate: float, shift: float) -> Cycles:
    ends = (None if f is None else f * rate + shift for f in (cycles.frame_start, cycles.frame_end))
    first, last = ends
    return dataclasses.replace(cycles, frame_start=first, frame_end=last)
