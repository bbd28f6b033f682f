# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the Bezier handles of an F-curve's keys lie: the rules of Blender's handle types.

``VECTOR`` points a third of the way at the neighbour. ``AUTO`` gives both handles the mean slope of
the two neighbouring spans. ``AUTO_CLAMPED`` is flat at extremes and never passes a neighbour's value.
``ALIGNED`` turns opposite to the other handle and keeps its length. ``FREE`` stays as given.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.handle_types import ALIGNED, AUTO, AUTO_CLAMPED, FREE, VECTOR, Flags, Handles
from keywarp.keyframes.smoothing import smooth

Array = npt.NDArray[np.float64]
#: Automatic handles reach this share of the way to the neighbour. Of that length, four Bezier arcs make
#: a circle, which is where Blender's figure comes from.
_AUTO_REACH = 1.0 / 2.5614
#: A short span next to a long one: the longer handle is at most this many times the shorter.
_MOST_UNEQUAL = 5.0
#: Handles reach at least so many frames to their side, so that they keep a direction.
_LEAST_REACH = 1e-3


def computed_handles(keys: Handles, *, flat_ends: bool, smoothing: bool, cyclic: bool) -> tuple[Array, Array]:
    """The left and the right handles, (n, 2) each, as Blender recalculates them.

    ``flat_ends``: extrapolation is constant, so automatic handles of the first and the last key are
    level. ``smoothing``: automatic handles are then solved for a continuous second derivative
    (auto smoothing "continuous acceleration"). ``cyclic``: the curve repeats for ever, and is
    smooth across the seam where both its ends are automatic. Handles that are not given (NaN) must
    be of an automatic type or ``VECTOR``.
    """
    if len(keys.x) < 2:
        _default_where_missing(keys)
        _put_on_their_sides(keys, 0.0)
        return keys.left, keys.right
    _put_on_their_sides(keys, _LEAST_REACH)
    automatic = keys.both_automatic
    cyclic = cyclic and bool(automatic[0] and automatic[-1])
    before, after = _neighbours(keys, cyclic)
    locked = _place_automatic(keys, before, after, cyclic, smoothing)
    _place_vector(keys, before, after)
    _align(keys)
    if flat_ends and not cyclic:
        _level(keys, locked, [i for i in (0, -1) if automatic[i]])
    if cyclic and (locked[0] or locked[-1]):
        _level(keys, locked, [0, -1])
    if smoothing:
        smooth(keys, locked, cyclic)
    return keys.left, keys.right


def _put_on_their_sides(keys: Handles, reach: float) -> None:
    """Every handle lies on its own side of its key; a pair that lies wholly crossed changes places."""
    crossed = (keys.left[:, 0] > keys.x) & (keys.right[:, 0] < keys.x)
    keys.left[crossed], keys.right[crossed] = keys.right[crossed], keys.left[crossed]
    keys.left[:, 0] = np.minimum(keys.left[:, 0], keys.x - reach)
    keys.right[:, 0] = np.maximum(keys.right[:, 0], keys.x + reach)


def _default_where_missing(keys: Handles) -> None:
    """A lone key's handles are level and a frame long."""
    for handle, side in ((keys.left, -1.0), (keys.right, 1.0)):
        missing = np.isnan(handle[:, 0])
        handle[missing] = np.stack((keys.x + side, keys.y), axis=1)[missing]


def _neighbours(keys: Handles, cyclic: bool) -> tuple[Array, Array]:
    """The points before and after each key, (n, 2): over the seam of a cycle, else mirrored at the ends."""
    points = np.stack((keys.x, keys.y), axis=1)
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    if cyclic:
        cycle = points[-1] - points[0]
        before[0], after[-1] = points[-2] - cycle, points[1] + cycle
    else:
        before[0], after[-1] = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    return before, after


def _place_automatic(keys: Handles, before: Array, after: Array, cyclic: bool, smoothing: bool) -> Flags:
    """Place AUTO and AUTO_CLAMPED handles; answers which keys, (n,), no smoothing may move."""
    x, y = keys.x, keys.y
    length_left, length_right = x - before[:, 0], after[:, 0] - x
    slope = ((after[:, 1] - y) / length_right + (y - before[:, 1]) / length_left) / 2
    if smoothing:
        # A third of the span each: then the frame is linear in the Bezier parameter.
        share = 1 / 3
    else:
        share = _AUTO_REACH
        length_left = np.minimum(length_left, _MOST_UNEQUAL * length_right)
        length_right = np.minimum(length_right, _MOST_UNEQUAL * length_left)

    auto_left, auto_right = keys.left_type >= AUTO, keys.right_type >= AUTO
    direction = np.stack((np.ones_like(slope), slope), axis=1)
    point = np.stack((x, y), axis=1)
    keys.left[auto_left] = (point - direction * (length_left * share)[:, None])[auto_left]
    keys.right[auto_right] = (point + direction * (length_right * share)[:, None])[auto_right]
    return _clamp(keys, before[:, 1], after[:, 1], cyclic)


def _clamp(keys: Handles, before: Array, after: Array, cyclic: bool) -> Flags:
    """Hold AUTO_CLAMPED handles between the neighbours' values; answers the extremes, (n,)."""
    y = keys.y
    inner = np.full(len(y), True)
    if not cyclic:
        inner[[0, -1]] = False
    clamp_left = (keys.left_type == AUTO_CLAMPED) & inner
    clamp_right = (keys.right_type == AUTO_CLAMPED) & inner
    falls_left, falls_right = before - y, after - y
    extreme = ((falls_left <= 0) & (falls_right <= 0)) | ((falls_left >= 0) & (falls_right >= 0))
    rising = falls_left <= 0

    keys.left[:, 1] = np.where(clamp_left & extreme, y, keys.left[:, 1])
    keys.right[:, 1] = np.where(clamp_right & extreme, y, keys.right[:, 1])

    over_left = clamp_left & ~extreme & np.where(rising, keys.left[:, 1] < before, keys.left[:, 1] > before)
    over_right = clamp_right & ~extreme & np.where(rising, keys.right[:, 1] > after, keys.right[:, 1] < after)
    keys.left[over_left, 1] = before[over_left]
    keys.right[over_right, 1] = after[over_right]

    # What was cut short on one side gives its slope to the other; the left side decides.
    over_right &= ~over_left
    left, right = keys.left - np.stack((keys.x, y), axis=1), keys.right - np.stack((keys.x, y), axis=1)
    keys.right[over_left, 1] = (y + left[:, 1] / left[:, 0] * right[:, 0])[over_left]
    keys.left[over_right, 1] = (y + right[:, 1] / right[:, 0] * left[:, 0])[over_right]
    return np.asarray((clamp_left | clamp_right) & extreme)


def _place_vector(keys: Handles, before: Array, after: Array) -> None:
    point = np.stack((keys.x, keys.y), axis=1)
    left, right = keys.left_type == VECTOR, keys.right_type == VECTOR
    keys.left[left] = (point + (before - point) / 3)[left]
    keys.right[right] = (point + (after - point) / 3)[right]


def _align(keys: Handles) -> None:
    """Turn ALIGNED handles opposite to their partners, unless those are FREE; the left side decides."""
    point = np.stack((keys.x, keys.y), axis=1)
    length_left = np.hypot(*(keys.left - point).T)
    length_right = np.hypot(*(keys.right - point).T)
    ratio = length_left / length_right
    wanted = (keys.left_type != FREE) & (keys.right_type != FREE)
    turn_right = wanted & (keys.right_type == ALIGNED)
    keys.right[turn_right] = (point + (point - keys.left) / ratio[:, None])[turn_right]
    turn_left = wanted & (keys.left_type == ALIGNED)
    keys.left[turn_left] = (point + (point - keys.right) * ratio[:, None])[turn_left]


def _level(keys: Handles, locked: Flags, ends: list[int]) -> None:
    for i in ends:
        keys.left[i, 1] = keys.right[i, 1] = keys.y[i]
        locked[i] = True
