# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten easing families of F-curves, and how easing in becomes out and in-out.

Each family is written once, as its easing *in*; the other two directions are reflections of it.
The shapes are Robert Penner's ("Motion, Tweening, and Easing", in Programming Macromedia Flash MX,
2002), with what Blender changed: exponentials meet their ends exactly, and an elastic of a small
amplitude is blended so that it still starts and ends on the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EASINGS = ("AUTO", "EASE_IN", "EASE_OUT", "EASE_IN_OUT")


@dataclass(frozen=True)
class Span:
    """What easing needs to know of the two keys around each of N sample times, all (N,)."""

    change: Array
    """Value of the later key less that of the earlier one."""
    duration: Array
    """Frames between them, above 0."""
    back: Array
    amplitude: Array
    period: Array
    """The earlier key's parameters; amplitude and period 0 ask for the family's own."""


def _power(exponent: int) -> Callable[[Array, Span, bool], Array]:
    def ease(u: Array, span: Span, both: bool) -> Array:
        return np.asarray(span.change * u**exponent)

    return ease


def _sine(u: Array, span: Span, both: bool) -> Array:
    return np.asarray(span.change * (1.0 - np.cos(u * (np.pi / 2))))


def _expo(u: Array, span: Span, both: bool) -> Array:
    floor = 2.0**-10
    return np.asarray(span.change * (np.exp2(10.0 * (u - 1.0)) - floor) / (1.0 - floor))


def _circ(u: Array, span: Span, both: bool) -> Array:
    return np.asarray(span.change * (1.0 - np.sqrt(np.maximum(1.0 - u * u, 0.0))))


def _back(u: Array, span: Span, both: bool) -> Array:
    overshoot = span.back * 1.525 if both else span.back
    return np.asarray(span.change * u * u * ((overshoot + 1.0) * u - overshoot))


def _bounce(u: Array, span: Span, both: bool) -> Array:
    # Four parabolas, the widths of which halve from one to the next, seen from the later key.
    t = 1.0 - u
    apex = np.select([t < 1 / 2.75, t < 2 / 2.75, t < 2.5 / 2.75], [0.0, 1.5, 2.25], 2.625) / 2.75
    height = np.select([t < 1 / 2.75, t < 2 / 2.75, t < 2.5 / 2.75], [0.0, 0.75, 0.9375], 0.984375)
    return np.asarray(span.change * (1.0 - (2.75**2 * (t - apex) ** 2 + height)))


def _elastic(u: Array, span: Span, both: bool) -> Array:
    size = np.abs(span.change)
    period = np.where(span.period == 0.0, span.duration * (0.45 if both else 0.3), span.period)
    before_end = (u - 1.0) * span.duration  # frames, at most 0
    small = (span.amplitude == 0.0) | (span.amplitude < size)

    # An amplitude below the change cannot reach both keys: within a quarter period of the end the
    # oscillation grows from the amplitude asked for to the change itself.
    quarter = np.abs(period) / 4
    ratio = np.where(size > 0.0, span.amplitude / np.where(size > 0.0, size, 1.0), 1.0)
    near = np.minimum(np.abs(before_end) / quarter, 1.0)
    blended = np.where(size > 0.0, ratio * near + (1.0 - near), 1.0)

    safe = np.where(small, 1.0, span.amplitude)
    phase = np.where(
        small, period / 4, period / (2 * np.pi) * np.arcsin(np.where(small, 0.0, span.change) / safe)
    )
    height = np.where(small, span.change * blended, span.amplitude)
    return np.asarray(
        -height * np.exp2(10.0 * (u - 1.0)) * np.sin((before_end - phase) * (2 * np.pi) / period)
    )


_FAMILIES: dict[str, Callable[[Array, Span, bool], Array]] = {
    "SINE": _sine,
    "QUAD": _power(2),
    "CUBIC": _power(3),
    "QUART": _power(4),
    "QUINT": _power(5),
    "EXPO": _expo,
    "CIRC": _circ,
    "BACK": _back,
    "BOUNCE": _bounce,
    "ELASTIC": _elastic,
}

FAMILIES = tuple(_FAMILIES)

#: AUTO eases out where the family rings or overshoots, so that it does so on arrival; else in.
_AUTO_OUT = frozenset(("BACK", "BOUNCE", "ELASTIC"))


def ease(family: str, easing: str, u: Array, span: Span) -> Array:
    """How far the value has moved from the earlier key, (N,), at the share ``u``, (N,), 0..1, of the span."""
    if easing == "AUTO":
        easing = "EASE_OUT" if family in _AUTO_OUT else "EASE_IN"
    shape = _FAMILIES[family]
    if easing == "EASE_IN":
        return shape(u, span, False)
    if easing == "EASE_OUT":
        return np.asarray(span.change - shape(1.0 - u, span, False))
    first = u < 0.5
    half = shape(np.where(first, 2.0 * u, 2.0 - 2.0 * u), span, True) / 2
    return np.where(first, half, span.change - half)
