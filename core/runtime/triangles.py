# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a kernel that goes over the pixels of a triangle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from keywarp.core.runtime.kernels import INT, Kernel, Value

Corner = tuple[Value, Value]
"""x and y in pixels, pixel 0's centre at 0."""
Covered = tuple[Value, Value, Value, Value]
"""Row, column, and how much of the second and of the third corner the pixel is."""


@contextmanager
def covered(k: Kernel, corners: Sequence[Corner], last_column: Value, last_row: Value) -> Iterator[Covered]:
    """What is built inside happens for each pixel whose centre lies in the triangle, turned either way, of a picture
    that ends at these (floating point) places. A triangle without an area covers nothing sensible: leave it out."""
    (x0, y0), (x1, y1), (x2, y2) = corners
    dx1, dy1, dx2, dy2 = x1 - x0, y1 - y0, x2 - x0, y2 - y0
    share = 1.0 / (dx1 * dy2 - dx2 * dy1)
    steps1 = (dy2 * share, dx2 * share * -1.0)
    steps2 = (dy1 * share * -1.0, dx1 * share)
    left, right = _range(k, x0, x1, x2, last_column)
    top, bottom = _range(k, y0, y1, y2, last_row)
    with k.loop(top, bottom) as row:
        dy = row.as_float() - y0
        with k.loop(left, right) as column:
            dx = column.as_float() - x0
            b1 = steps1[0] * dx + steps1[1] * dy
            b2 = steps2[0] * dx + steps2[1] * dy
            inside = k.intrinsic("minnum", k.intrinsic("minnum", b1, b2), 1.0 - (b1 + b2))
            with k.only_if((inside + 1e-6).bits(INT), ">=", 0):
                yield row, column, b1, b2


def _range(k: Kernel, a: Value, b: Value, c: Value, last: Value) -> tuple[Value, Value]:
    """First and behind-last pixel whose centre lies between the smallest and the largest."""
    low = k.intrinsic("minnum", k.intrinsic("minnum", a, b), c)
    high = k.intrinsic("maxnum", k.intrinsic("maxnum", a, b), c)
    first = (0.0 - (0.0 - low).floor()).clamped(0.0, last + 1.0)
    end = (high.floor() + 1.0).clamped(0.0, last + 1.0)
    return first.as_int().as_index(), end.as_int().as_index()
