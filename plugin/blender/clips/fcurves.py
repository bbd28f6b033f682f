# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's F-curves as ``Curve`` and back, with handles, easings, extrapolation and cycles, in bulk."""

from __future__ import annotations

from typing import Any, Optional

import bpy
import numpy as np
import numpy.typing as npt

from keywarp.keyframes.curve import Curve, Cycles, Key
from keywarp.keyframes.easing import EASINGS
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS, ONE_KEY

_NUMBERS = ("back", "amplitude", "period")
_CHOICES = {
    "interpolation": INTERPOLATIONS,
    "easing": EASINGS,
    "handle_left_type": HANDLE_TYPES,
    "handle_right_type": HANDLE_TYPES,
}


def _numbers_of_choices(choice: str) -> dict[str, int]:
    """By identifier the number with which Blender stores it."""
    items = bpy.types.Keyframe.bl_rna.properties[choice].enum_items
    return {item.identifier: item.value for item in items}


def cannot_be_carried(fcurve: Any) -> Optional[str]:
    """Why a ``Curve`` would not show what the F-curve does; ``None`` where it does."""
    if fcurve.driver is not None:
        return "a driver"
    if len(fcurve.sampled_points):
        return "samples in place of keys"
    if not len(fcurve.keyframe_points):
        return "no keys, only modifiers"
    acting = [modifier for modifier in fcurve.modifiers if not modifier.mute]
    for modifier in acting:
        if modifier.type != "CYCLES":
            return f"the modifier {modifier.type.replace('FNGENERATOR', 'BUILT-IN FUNCTION').title()}"
        if modifier.use_influence and modifier.influence != 1.0:
            return "a Cycles modifier with an influence"
        if modifier.use_restricted_range and (modifier.blend_in or modifier.blend_out):
            return "a Cycles modifier that fades in or out"
    if len(acting) > 1:
        return "several modifiers"
    return None


def curve_of(fcurve: Any) -> Curve:
    """The F-curve as a curve; see ``cannot_be_carried``."""
    points = fcurve.keyframe_points
    n = len(points)
    at, left, right = (_gathered(points, name, 2 * n).reshape(n, 2) for name in _PLACES)
    numbers = {name: _gathered(points, name, n) for name in _NUMBERS}
    choices = {name: _words(points, name, n) for name in _CHOICES}
    keys = [
        Key(
            float(at[i, 0]),
            float(at[i, 1]),
            **{name: words[i] for name, words in choices.items()},
            handle_left=(float(left[i, 0]), float(left[i, 1])),
            handle_right=(float(right[i, 0]), float(right[i, 1])),
            **{name: float(column[i]) for name, column in numbers.items()},
        )
        for i in range(n)
    ]
    return Curve(keys, fcurve.extrapolation, fcurve.auto_smoothing, _cycles_of(fcurve))


_PLACES = ("co", "handle_left", "handle_right")


def _gathered(points: Any, name: str, count: int) -> npt.NDArray[np.float64]:
    values = np.empty(count, np.float32)
    points.foreach_get(name, values)
    return values.astype(np.float64)


def _words(points: Any, name: str, count: int) -> list[str]:
    numbers = np.empty(count, np.int32)
    points.foreach_get(name, numbers)
    words = {number: word for word, number in _numbers_of_choices(name).items()}
    return [words[number] for number in numbers.tolist()]


def _cycles_of(fcurve: Any) -> Optional[Cycles]:
    for modifier in fcurve.modifiers:
        if modifier.type == "CYCLES" and not modifier.mute:
            restricted = modifier.use_restricted_range
            return Cycles(
                modifier.mode_before,
                modifier.mode_after,
                modifier.cycles_before,
                modifier.cycles_after,
                modifier.frame_start if restricted else None,
                modifier.frame_end if restricted else None,
            )
    return None


def write_curve(fcurve: Any, curve: Curve) -> None:
    """Give the F-curve the keys of ``curve``, and what it says of before and after them; all else goes."""
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(curve))
    for name, values in _columns(curve).items():
        points.foreach_set(name, values)
    fcurve.extrapolation = curve.extrapolation
    fcurve.auto_smoothing = curve.auto_smoothing
    for modifier in list(fcurve.modifiers):
        fcurve.modifiers.remove(modifier)
    if curve.cycles is not None:
        _add_cycles(fcurve, curve.cycles)
    fcurve.update()


def _columns(curve: Curve) -> dict[str, npt.NDArray[Any]]:
    columns = curve.columns
    left, right = curve.handles
    places = {
        "co": np.stack((columns.frame, columns.value), axis=1),
        "handle_left": left,
        "handle_right": right,
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.ascontiguousarray(place, np.float32).ravel() for name, place in places.items()
    }
    for name in _NUMBERS:
        arrays[name] = np.ascontiguousarray(getattr(columns, name), np.float32)
    for name, words in _CHOICES.items():
        numbers = _numbers_of_choices(name)
        table = np.array([numbers[word] for word in words], np.int32)
        arrays[name] = table[getattr(columns, name)]
    return arrays


def _add_cycles(fcurve: Any, cycles: Cycles) -> None:
    modifier = fcurve.modifiers.new("CYCLES")
    modifier.mode_before, modifier.mode_after = cycles.mode_before, cycles.mode_after
    modifier.cycles_before, modifier.cycles_after = cycles.cycles_before, cycles.cycles_after
    if cycles.frame_start is not None or cycles.frame_end is not None:
        modifier.use_restricted_range = True
        modifier.frame_end = bpy.types.Scene.bl_rna.properties["frame_end"].hard_max
        if cycles.frame_end is not None:
            modifier.frame_end = cycles.frame_end
        modifier.frame_start = -modifier.frame_end if cycles.frame_start is None else cycles.frame_start


def inserted(old: Curve, new: Curve, first: float, last: float) -> Curve:
    """``new`` within the frames from ``first`` to ``last``, ``old`` before and after them."""
    keys = [key for key in old.keys if key.frame < first - ONE_KEY or key.frame > last + ONE_KEY]
    return Curve([*keys, *new.keys], old.extrapolation, old.auto_smoothing, old.cycles, old.extra)
