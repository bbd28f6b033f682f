# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto smoothing "continuous acceleration": automatic handles as a spline without jumps of acceleration.

With automatic handles a third of a span long, the frame is linear in the Bezier parameter, and the
value is a cubic of time in each span. Asking for equal second derivatives on both sides of every key
gives one linear equation per key in the heights of the right handles, a tridiagonal system as for any
cubic spline. Clamped handles bound the heights; a height beyond its bound is fixed there and the
system is solved again.

A run reaches from one key with fixed handles to the next. Each point of a run is a pair of keys, the
one that owns its left and the one that owns its right handle: the same key, but for the seam of a
cycle, where the last key and the first are one point.
"""

from __future__ import annotations

import math

import numpy as np

from keywarp.keyframes.handle_types import ALIGNED, AUTO, AUTO_CLAMPED, VECTOR, Flags, Handles

Floats = list[float]
Point = tuple[int, int]
#: One equation: a * h[i - 1] + b * h[i] + c * h[i + 1] = d.
Row = tuple[float, float, float, float]

#: A height may leave its bound so often before it stays there: the search ends.
_MOST_RELEASES = 2


def smooth(keys: Handles, locked: Flags, cyclic: bool) -> None:
    """Move the automatic handles that ``locked``, (n,), does not hold; changes ``keys``."""
    free = keys.both_automatic & ~locked
    n = len(free)
    if cyclic and free[0] and free[-1]:
        seam = (n - 1, 0)
        fixed = np.flatnonzero(~free)
        if not len(fixed):
            _smooth_loop(keys, [seam, *((i, i) for i in range(1, n - 1)), seam])
            return
        first = int(fixed[0])
        order = [(i, i) for i in range(first, n - 1)] + [seam] + [(i, i) for i in range(1, first + 1)]
    else:
        order = [(i, i) for i in range(n)]
    start = 0
    for stop in range(1, n):
        if stop == n - 1 or not free[order[stop][0]]:
            _smooth_run(keys, order[start : stop + 1], locked)
            start = stop


def _smooth_run(keys: Handles, points: list[Point], locked: Flags) -> None:
    """Between two keys the handles of which are fixed, or at which the curve ends."""
    first, last = points[0][1], points[-1][0]
    at_start, at_end = points[0] == (0, 0), last == len(locked) - 1
    solve_first = _open_end(keys.right_type[first], at_start and not locked[first])
    solve_last = _open_end(keys.left_type[last], at_end and not locked[last])
    dx, dy = _steps(keys, points)
    if len(points) == 2 and solve_first == solve_last:
        return
    ratio = [1.0, *(dx[i + 1] / dx[i] for i in range(1, len(points) - 1)), 1.0]
    rows = [_continuous(dy, ratio, i) for i in range(1, len(points) - 1)]

    # At the ends: no acceleration, or the handle that is there.
    excess_first = excess_last = 0.0
    if solve_first:
        rows.insert(0, (0.0, 2.0, 1.0 / ratio[1], dy[1]))
    else:
        height, excess_first = _fixed_end(
            keys.right[first, 0] - keys.x[first], keys.right[first, 1] - keys.y[first], dx[1]
        )
        rows.insert(0, (0.0, 1.0, 0.0, height))
    if solve_last:
        rows.append((1.0, 2.0, 0.0, dy[-1]))
    else:
        height, excess_last = _fixed_end(
            keys.x[last] - keys.left[last, 0], keys.y[last] - keys.left[last, 1], dx[-1]
        )
        rows.append((0.0, 1.0, 0.0, height))
    # A fixed handle that is not a third of its span long bends time, and so its neighbour's equation.
    if len(points) > 2 or solve_last:
        rows[1] = _heavier(rows[1], ratio[1] * excess_first)
    if len(points) > 2 or solve_first:
        rows[-2] = _heavier(rows[-2], excess_last)

    low, high = _bounds(keys, points, dy, ratio)
    heights = _solve_within(rows, low, high)
    if heights is None:
        return
    _write_inner(keys, points, heights, ratio)
    if solve_first:
        _write(keys, first, "right", heights[0], at_start)
    if solve_last:
        _write(keys, last, "left", -heights[-1] / ratio[-1], at_end)


def _open_end(handle_type: np.uint8, curve_ends: bool) -> bool:
    """Whether a run's outermost handle is solved for too; one of another key's run is left alone."""
    return bool(handle_type == VECTOR or (curve_ends and handle_type >= AUTO))


def _smooth_loop(keys: Handles, points: list[Point]) -> None:
    """All the way round a cycle in which no key is fixed; the first and the last point are one."""
    dx, dy = _steps(keys, points)
    dy[0] = dy[-1]
    around = dx[1] / dx[-1]
    ratio = [around, *(dx[i + 1] / dx[i] for i in range(1, len(points) - 1)), around]
    low, high = _bounds(keys, points, dy, ratio)
    low[0], high[0] = max(low[0], low[-1]), min(high[0], high[-1])
    rows = [_continuous(dy, ratio, i) for i in range(len(points) - 1)]
    heights = _solve_within(rows, low[:-1], high[:-1])
    if heights is None:
        return
    heights.append(heights[0])
    _write_inner(keys, points, heights, ratio)
    first, last = points[0][1], points[-1][0]
    _write(keys, first, "right", heights[0], True)
    _write(keys, last, "left", -heights[-1] / ratio[-1], True)


def _steps(keys: Handles, points: list[Point]) -> tuple[Floats, Floats]:
    """Frames and values from each point's predecessor to it; the first have none (NaN)."""
    x, y = keys.x, keys.y
    pairs = list(zip(points[:-1], points[1:]))
    dx = [float(x[b[0]] - x[a[1]]) for a, b in pairs]
    dy = [float(y[b[0]] - y[a[1]]) for a, b in pairs]
    return [math.nan, *dx], [math.nan, *dy]


def _continuous(dy: Floats, ratio: Floats, i: int) -> Row:
    """Equal second derivatives on both sides of point i."""
    square = ratio[i] * ratio[i]
    return square, 2.0 * (ratio[i] + 1.0), 1.0 / ratio[i + 1], dy[i] * square + dy[i + 1]


def _fixed_end(reach: float, height: float, span: float) -> tuple[float, float]:
    """The height of a fixed handle, and how far it is short of a third of its span (as 0..1)."""
    shrink = min(1.0, span / (reach + span / 3.0))
    return float(height * shrink), float(1.0 - 3.0 * reach * shrink / span)


def _heavier(row: Row, weight: float) -> Row:
    a, b, c, d = row
    return a, b + weight, c, d


def _bounds(keys: Handles, points: list[Point], dy: Floats, ratio: Floats) -> tuple[Floats, Floats]:
    """Least and greatest heights: a clamped handle neither turns back nor passes its neighbour."""
    low, high = [-math.inf] * len(points), [math.inf] * len(points)
    clamped = [
        any(kind[key] == AUTO_CLAMPED for key in point for kind in (keys.left_type, keys.right_type))
        for point in points
    ]
    for i in range(1, len(points)):
        for at, rise in ((i - 1, dy[i]), (i, dy[i] * ratio[i])):
            if not clamped[at]:
                continue
            if rise >= 0:
                low[at], high[at] = (0.0, min(high[at], rise)) if rise > 0 else (0.0, 0.0)
            else:
                low[at], high[at] = max(low[at], rise), 0.0
    return low, high


def _solve_within(rows: list[Row], low: Floats, high: Floats) -> Floats | None:
    """Solve the rows with every height within its bounds; ``None`` where there is no answer."""
    n = len(rows)
    now = list(rows)
    fixed, releases = [False] * n, [0] * n
    while True:
        heights = _solve_cyclic(now)
        if heights is None:
            return None
        beyond = [i for i in range(n) if not low[i] <= heights[i] <= high[i]]
        if beyond:
            # First those that go the right way and too far; only without such, those that turn back.
            targets = {i: high[i] if heights[i] > high[i] else low[i] for i in beyond}
            chosen = [i for i in beyond if targets[i] != 0.0] or beyond
            for i in chosen:
                fixed[i], now[i] = True, (0.0, 1.0, 0.0, targets[i])
            continue
        released = False
        for i in range(n):
            if not fixed[i] or releases[i] >= _MOST_RELEASES:
                continue
            a, b, c, d = rows[i]
            pull = -(a * heights[i - 1] + b * heights[i] + c * heights[(i + 1) % n] - d) * b
            if (pull > 0 and heights[i] < high[i]) or (pull < 0 and heights[i] > low[i]):
                now[i], fixed[i], released = rows[i], False, True
                releases[i] += 1
        if not released:
            return heights


def _solve_cyclic(rows: list[Row]) -> Floats | None:
    """Solve a tridiagonal system the corners of which may be taken (Sherman and Morrison)."""
    n = len(rows)
    if n == 1:
        a, b, c, d = rows[0]
        return _solve([(0.0, a + b + c, 0.0, d)])
    if n == 2:
        (a0, b0, c0, d0), (a1, b1, c1, d1) = rows
        return _solve([(0.0, b0, a0 + c0, d0), (a1 + c1, b1, 0.0, d1)])
    corner_first, corner_last = rows[0][0], rows[-1][2]
    if corner_first == 0.0 and corner_last == 0.0:
        return _solve(rows)
    inner = [*rows]
    inner[0] = _heavier(rows[0], -corner_first)
    inner[-1] = _heavier(rows[-1], -corner_last)
    right = [corner_first, *[0.0] * (n - 2), corner_last]
    change = _solve([(a, b, c, d) for (a, b, c, _), d in zip(inner, right)])
    heights = _solve(inner)
    if change is None or heights is None:
        return None
    share = (heights[0] + heights[-1]) / (1.0 + change[0] + change[-1])
    return [h - share * q for h, q in zip(heights, change)]


def _solve(rows: list[Row]) -> Floats | None:
    """Solve a tridiagonal system by Thomas's algorithm; the first ``a`` and the last ``c`` are ignored."""
    upper, right = [], []
    c_before = d_before = 0.0
    try:
        for i, (a, b, c, d) in enumerate(rows):
            a = a if i else 0.0
            pivot = b - a * c_before
            c_before, d_before = c / pivot, (d - a * d_before) / pivot
            upper.append(c_before)
            right.append(d_before)
    except ZeroDivisionError:
        return None
    heights = [right[-1]]
    for c, d in zip(upper[-2::-1], right[-2::-1]):
        heights.append(d - c * heights[-1])
    heights.reverse()
    return heights if all(map(math.isfinite, heights)) else None


def _write_inner(keys: Handles, points: list[Point], heights: Floats, ratio: Floats) -> None:
    for (left_key, right_key), height, r in list(zip(points, heights, ratio))[1:-1]:
        seam = left_key != right_key
        _write(keys, left_key, "left", -height / r, seam)
        _write(keys, right_key, "right", height, seam)


def _write(keys: Handles, key: int, side: str, height: float, mirror: bool) -> None:
    """Set a handle's height above its key, and bring the other handle in line with it."""
    sides = (keys.left, keys.left_type, keys.right, keys.right_type)
    handle, kind, other, other_kind = sides if side == "left" else (*sides[2:], *sides[:2])
    if kind[key] < VECTOR:
        return
    handle[key, 1] = keys.y[key] + height
    dx, dy = float(keys.x[key] - handle[key, 0]), -height
    if other_kind[key] == ALIGNED:
        reach = math.hypot(*(other[key] - (keys.x[key], keys.y[key])))
        length = math.hypot(dx, dy)
        scale = reach / length if length else 0.0
    elif mirror and other_kind[key] >= VECTOR:
        scale = 1.0
    else:
        return
    other[key] = keys.x[key] + dx * scale, keys.y[key] + dy * scale
