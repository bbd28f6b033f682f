# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling an image at places given pixel by pixel, several times as fast as libraries do it, and exactly: OpenCV 4
rounds places to 32nds of a pixel.

The cubic kernel is Keys' cubic convolution with a = -0.75, which OpenCV and ONNX's GridSample use too. What is made
of the samples is made at once, while they are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.runtime.kernels import FLOAT, FLOATS, INDEX, Compiled, Kernel, Value, built_once

_A = -0.75
_BEFORE, _BEHIND = 3, 4
"""Pixels that stand around an image, so that no place needs a question about the border."""
_GROUP = 4
"""Pixels whose places are computed together."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Sampled:
    """An image, (h, w, 4), ready to be sampled."""

    padded: FloatImage

    @classmethod
    def of(cls, image: FloatImage, clamped: bool) -> Sampled:
        """Beyond the border the image is ``clamped``, or 0."""
        border = cv2.BORDER_REPLICATE if clamped else cv2.BORDER_CONSTANT
        return cls(cv2.copyMakeBorder(image, _BEFORE, _BEHIND, _BEFORE, _BEHIND, border))

    @cached_property
    def seen_columns(self) -> tuple[int, int]:
        """The first column that is not transparent throughout, and the one behind the last."""
        seen = np.flatnonzero(self.padded[_BEFORE:-_BEHIND, _BEFORE:-_BEHIND, 3].any(0))
        return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)

    def linear_into(self, out: FloatImage, x: FloatImage, y: FloatImage) -> None:
        """Write the image at the places, (rows, columns), to ``out``, (rows, columns, 4), linear between its pixels;
        pixel 0's centre is 0."""
        _run(_writing(), self, (x, y), [out])

    def add_to(self, out: FloatImage, x: FloatImage, y: FloatImage, factor: float, shift: float) -> None:
        """Add to ``out``, (rows, columns, 4), the image at ``factor`` times the places, (rows, columns), plus
        ``shift``; pixel 0's centre is 0."""
        _run(_adding(), self, (x, y), [out], factor, (shift, shift))

    def compared(
        self, image: FloatImage, x: FloatImage, y: FloatImage
    ) -> tuple[FloatImage, FloatImage, FloatImage, FloatImage]:
        """This image at the places, (rows, columns), against another one that shows the same, (rows, columns, 4).

        First the samples that are linear between pixels, then what these lack against the cubic ones, both (rows,
        columns, 4). Then two products over the channels, (rows, columns): what the other image has beyond the linear
        samples, with that lack, and the lack with itself.
        """
        linear, lack = np.empty_like(image), np.empty_like(image)
        has, all_of_it = np.empty_like(x), np.empty_like(x)
        _run(_comparing(), self, (x, y), [image, linear, lack, has, all_of_it])
        return linear, lack, has, all_of_it


@dataclass(frozen=True)
class Enlarged:
    """Up-sampling of a low-resolution image for where no detail of the picture may be used.

    A cubic kernel on the slightly sharpened image, held between the smallest and the largest value nearby: edges
    of drawings come out crisper than by bilinear or bicubic up-sampling, without halos.
    """

    origin: tuple[int, int]
    sharpened: Sampled
    low: Sampled
    high: Sampled

    @classmethod
    def of(cls, image: FloatImage, origin: tuple[int, int]) -> Enlarged:
        """For an image (h, w, 4), a part of another one that begins at its pixel ``origin``, (x, y)."""
        sharpened = cv2.addWeighted(image, 1.5, cv2.blur(image, (3, 3)), -0.5, 0)
        low, high = cv2.erode(image, _NEIGHBOURS), cv2.dilate(image, _NEIGHBOURS)
        return cls(origin, *(Sampled.of(each, clamped=True) for each in (sharpened, low, high)))

    def blend_into(self, out: FloatImage, x: FloatImage, y: FloatImage, kept: FloatImage) -> None:
        """Put the image at places of the other one, (rows, columns), into ``out``, (rows, columns, 4), of which the
        share ``kept``, (rows, columns), stays."""
        others = [self.low.padded, self.high.padded, kept, out]
        _run(_holding(), self.sharpened, (x, y), others, shifts=(-self.origin[0], -self.origin[1]))


def _run(
    kernel: Compiled,
    image: Sampled,
    places: tuple[FloatImage, FloatImage],
    others: Sequence[FloatImage],
    factor: float = 1.0,
    shifts: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Visit the image at ``factor`` times the places plus ``shifts``."""
    (rows, columns), (height, width) = places[0].shape, image.padded.shape[:2]
    pitches = [array.strides[0] // 4 for array in (*places, *others)]
    ends = [side - _BEFORE - _BEHIND + 1 for side in (width, height)]
    kernel(image.padded, *places, *others, width, *pitches, rows, columns, factor, *shifts, *ends)


#: Makes something of a pixel: its surroundings, the other arrays, and where the pixel stands in each.
Use = Callable[["_Taps", list[Value], list[Value]], None]


@dataclass
class _Taps:
    """A pixel's surroundings in the image."""

    kernel: Kernel
    at: Value
    """Where the first of the sixteen stands."""
    pitch: Value
    lines: list[list[Value]]
    """Four rows of two pairs."""
    across: list[Value]
    down: list[Value]
    """The taps' weights."""
    shares: list[Value]
    """How far the place lies behind the second tap, across and down."""

    def cubic(self) -> Value:
        k = self.kernel
        pairs = [self.across[c].spread(4).joined(self.across[c + 1].spread(4)) for c in (0, 2)]
        sums = [k.multiply_add(line[0], pairs[0], line[1] * pairs[1]) for line in self.lines]
        total = sums[0] * self.down[0].spread(8)
        for r in (1, 2, 3):
            total = k.multiply_add(sums[r], self.down[r].spread(8), total)
        return total.part(0, 1, 2, 3) + total.part(4, 5, 6, 7)

    def linear(self) -> Value:
        return self._between([(a.part(4, 5, 6, 7), b.part(0, 1, 2, 3)) for a, b in self.lines[1:3]])

    def linear_in(self, padded: Value) -> Value:
        """The same place of another image of this size."""
        k = self.kernel
        rows = [k.load(padded, self.at + (self.pitch * (4 * r) + 4), 8) for r in (1, 2)]
        return self._between([(row.part(0, 1, 2, 3), row.part(4, 5, 6, 7)) for row in rows])

    def _between(self, rows: list[tuple[Value, Value]]) -> Value:
        k, (u, v) = self.kernel, (share.spread(4) for share in self.shares)
        upper, lower = (k.blend(a, b, u) for a, b in rows)
        return k.blend(upper, lower, v)


def _compiled(name: str, channels: Sequence[int], use: Use) -> Compiled:
    """A kernel that visits every place; ``channels`` of the other arrays that ``use`` works on."""
    count = len(channels)
    k = Kernel(name, *[FLOATS] * (3 + count), *[INDEX] * (5 + count), *[FLOAT] * 5)
    source, *arrays = k.arguments[: 3 + count]
    pitch, *pitches = k.arguments[3 + count : 6 + 2 * count]
    rows, columns, factor, *bounds = k.arguments[6 + 2 * count :]

    def group(row: Value, i: Value, size: int) -> None:
        """Some pixels of a row."""
        factors, *ends = (number.spread(size) for number in (factor, *bounds))
        places = []
        for array, of, shift, limit in zip(arrays[:2], pitches[:2], ends[:2], ends[2:]):
            place = k.load(array, row * of + i, size)
            place = place if size > 1 else place.spread(1)
            places.append(k.multiply_add(place, factors, shift).clamped(-2.0, limit))
        corners = [place.floor() for place in places]
        shares = [place - corner for place, corner in zip(places, corners)]
        weights = [_weights(k, share) for share in shares]
        # The tap before the corner, behind the pixels in front of the image.
        first_column, first_row = (corner.as_int() + (_BEFORE - 1) for corner in corners)
        starts = [row * of for of in pitches[2:]]
        for p in range(size):
            at = (first_row[p].as_index() * pitch + first_column[p].as_index()) * 4
            lines = [[k.load(source, at + pitch * (4 * r) + 8 * c, 8) for c in (0, 1)] for r in range(4)]
            across, down = ([weight[p] for weight in axis] for axis in weights)
            taps = _Taps(k, at, pitch, lines, across, down, [share[p] for share in shares])
            use(taps, arrays[2:], [start + (i + p) * n for start, n in zip(starts, channels)])

    whole = columns // _GROUP * _GROUP
    with k.loop(0, rows) as row:
        for begin, end, size in ((k.index(0), whole, _GROUP), (whole, columns, 1)):
            with k.loop(begin, end, size) as i:
                group(row, i, size)
    return k.compiled()


@built_once
def _writing() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        taps.kernel.store(taps.linear(), others[0], at[0])

    return _compiled("sampled_writing", [4], use)


@built_once
def _adding() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (out,) = taps.kernel, others
        k.store(taps.cubic() + k.load(out, at[0], 4), out, at[0])

    return _compiled("sampled_adding", [4], use)


@built_once
def _comparing() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (image, linear, lack, has, all_of_it) = taps.kernel, others
        there = taps.linear()
        less = taps.cubic() - there
        k.store(there, linear, at[1])
        k.store(less, lack, at[2])
        k.store(((k.load(image, at[0], 4) - there) * less).total(), has, at[3])
        k.store((less * less).total(), all_of_it, at[4])

    return _compiled("sampled_comparing", [4, 4, 4, 1, 1], use)


@built_once
def _holding() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (low, high, kept, out) = taps.kernel, others
        plain = taps.cubic().clamped(taps.linear_in(low), taps.linear_in(high))
        k.store(k.blend(plain, k.load(out, at[3], 4), k.load(kept, at[2]).spread(4)), out, at[3])

    return _compiled("sampled_holding", [4, 4, 1, 4], use)


def _weights(k: Kernel, t: Value) -> list[Value]:
    """Of the four taps, for places ``t`` behind the second one."""
    rest = 1.0 - t
    outer = [_A * x * (y * y) for x, y in ((t, rest), (rest, t))]
    inner = [k.multiply_add(x * x, k.multiply_add(x, _A + 2, -(_A + 3)), 1.0) for x in (t, rest)]
    return [outer[0], inner[0], inner[1], outer[1]]
