# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling an image at places given pixel by pixel, several times as fast as libraries do it, and exactly: OpenCV 4
rounds places to 32nds of a pixel.

The cubic kernel is Keys' cubic convolution with a = -0.75, which OpenCV and ONNX's GridSample use too. What is made
of the samples is made at once, while they are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.newness import Levels
from keywarp.core.opencv import cv2
from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.scratch import Scratch

_A = -0.75
_BEFORE, _BEHIND = 4, 5
"""Pixels that stand around an image, so that no place needs a question about the border."""
_GROUP = 4
"""Pixels whose places are computed together."""
_scratch = Scratch()


class Compared(NamedTuple):
    """A picture at the places where an image of it shows it, (rows, columns), against that image."""

    image: FloatImage
    """(rows, columns, 4): the image; taken back to the picture where it is weighted."""
    lack: FloatImage
    """(rows, columns, 4): what samples that are linear between pixels lack against the cubic ones."""
    has: FloatImage
    """(rows, columns): that lack times what the image has beyond the linear samples, summed over the channels."""
    all_of_it: FloatImage
    """(rows, columns): the lack times itself, likewise."""
    opacity: FloatImage
    """(rows, columns): the larger alpha of both."""
    levels: Levels
    """(rows, columns, 4): brightness of the image (see ``core.newness``)."""
    expected: Levels
    """(rows, columns, 4): that of the linear samples."""


@dataclass(frozen=True)
class Sampled:
    """An image, (h, w, 4), ready to be sampled."""

    padded: FloatImage

    @classmethod
    def of(cls, image: FloatImage, clamped: bool) -> Sampled:
        """Beyond the border the image is ``clamped``, or 0."""
        border = cv2.BORDER_REPLICATE if clamped else cv2.BORDER_CONSTANT
        return cls(cv2.copyMakeBorder(image, _BEFORE, _BEHIND, _BEFORE, _BEHIND, border))

    @classmethod
    def empty(cls, name: str, h: int, w: int) -> Sampled:
        """Room for an image, which is this thread's until it asks for the ``name`` again; see ``clamp``."""
        around = _BEFORE + _BEHIND
        return cls(_scratch.array(name, h + around, w + around, 4))

    @property
    def inner(self) -> FloatImage:
        """(h, w, 4): the image."""
        return self.padded[_BEFORE:-_BEHIND, _BEFORE:-_BEHIND]

    def clamp(self) -> None:
        """Repeat the image's border around it."""
        padded = self.padded
        for side in (padded[_BEFORE:-_BEHIND].swapaxes(0, 1), padded):
            side[:_BEFORE], side[-_BEHIND:] = side[_BEFORE], side[-_BEHIND - 1]

    @cached_property
    def _seen_columns(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """For each row the first column that is not transparent, and the one behind the last; ``w`` and 0 where all
        of it is."""
        seen = self.inner[..., 3] > 0
        some, width = seen.any(1), seen.shape[1]
        return np.where(some, seen.argmax(1), width), np.where(some, width - seen[:, ::-1].argmax(1), 0)

    def seen_columns(self, top: int, bottom: int) -> tuple[int, int]:
        """The first column in which anything is seen of some rows, and the one behind the last."""
        first, behind = (ends[max(top, 0) : max(bottom, 0)] for ends in self._seen_columns)
        return int(first.min(initial=self.inner.shape[1])), int(behind.max(initial=0))

    def add_to(self, out: FloatImage, x: FloatImage, y: FloatImage, factor: float, shift: float) -> None:
        """Add to ``out``, (rows, columns, 4), the image at ``factor`` times the places, (rows, columns), plus
        ``shift``; pixel 0's centre is 0."""
        _run(_adding(), self, (x, y), [out], factor, shift)

    def map_into(
        self,
        out: Sequence[FloatImage],
        own: tuple[FloatImage, FloatImage],
        x: FloatImage,
        y: FloatImage,
        other: Sampled | None,
        other_out: FloatImage,
    ) -> None:
        """Write this image's first three channels at the places, (rows, columns), linear between its pixels, to the
        three ``out``, (rows, columns), the first two with ``own`` added, (columns,) and (rows,); and, where there is
        an ``other`` image of the same size, that one's to ``other_out``, (rows, columns, 4)."""
        more = [] if other is None else [other.padded, other_out]
        own_x = np.broadcast_to(own[0], x.shape)
        _run(_mapping(other is not None), self, (x, y), [own_x, own[1][:, None], *out, *more])

    def compared(self, image: FloatImage, x: FloatImage, y: FloatImage, weight: FloatImage) -> Compared:
        """This picture at the places, (rows, columns), against an image that shows the same, (rows, columns, 4).

        ``weight``, (rows, columns) in [0, 1]: how far the image is believed; see ``gate.gated``.
        """
        arrays = [np.empty((*x.shape, n), np.float32) for n in (4, 4)]
        arrays += [np.empty_like(x) for _ in range(3)]
        levels = [np.empty((*x.shape, 4), np.uint8) for _ in range(2)]
        _run(_comparing(), self, (x, y), [image, weight, *arrays, *levels])
        return Compared(*arrays, *levels)

    def blend_into(self, out: FloatImage, x: FloatImage, y: FloatImage, kept: FloatImage) -> None:
        """Put the image, plainly enlarged, at places, (rows, columns), into ``out``, (rows, columns, 4), of which the
        share ``kept``, (rows, columns) in [0, 1], stays.

        This is for where no detail of the picture may be used. A cubic kernel on the slightly sharpened image, held
        between the smallest and the largest value nearby: edges of drawings come out crisper than by bilinear or
        bicubic up-sampling, without halos.
        """
        _run(_blending(), self, (x, y), [kept, out])


def _run(
    kernel: Compiled,
    image: Sampled,
    places: tuple[FloatImage, FloatImage],
    others: Sequence[npt.NDArray[np.float32] | Levels],
    factor: float = 1.0,
    shift: float = 0.0,
) -> None:
    """Visit the image at ``factor`` times the places plus ``shift``."""
    (rows, columns), (height, width) = places[0].shape, image.padded.shape[:2]
    pitches = [array.strides[0] // array.itemsize for array in (*places, *others)]
    ends = [side - _BEFORE - _BEHIND + 1 for side in (width, height)]
    kernel(image.padded, *places, *others, width, *pitches, rows, columns, factor, shift, *ends)


#: Makes something of a pixel: its surroundings, the other arrays, and where the pixel stands in each.
Use = Callable[["_Taps", list[Value], list[Value]], None]


@dataclass
class _Taps:
    """A pixel's surroundings in the image."""

    kernel: Kernel
    image: Value
    at: Value
    """Where the first of the sixteen stands."""
    pitch: Value
    across: list[Value]
    down: list[Value]
    """The taps' weights."""
    shares: list[Value]
    """How far the place lies behind the second tap, across and down."""

    def _pairs(self, row: int, *columns: int) -> list[Value]:
        """Pairs of pixels that begin in these columns of a row, counted from the first tap."""
        k, start = self.kernel, self.at + self.pitch * (4 * row)
        return [k.load(self.image, start + 4 * column, 8) for column in columns]

    def _weighted(self, pairs: list[Value], weights: list[Value]) -> Value:
        """The sum of pixels, two after each other in a vector; one weight for each pixel."""
        k, total = self.kernel, None
        for i, pair in enumerate(pairs):
            both = weights[2 * i].spread(4).joined(weights[2 * i + 1].spread(4))
            total = pair * both if total is None else k.multiply_add(pair, both, total)
        assert total is not None
        return total

    def _summed(self, rows: list[Value], weights: list[Value]) -> Value:
        total = rows[0] * weights[0].spread(8)
        for row, weight in zip(rows[1:], weights[1:]):
            total = self.kernel.multiply_add(row, weight.spread(8), total)
        return total.part(0, 1, 2, 3) + total.part(4, 5, 6, 7)

    def cubic(self) -> Value:
        return self._summed([self._weighted(self._pairs(r, 0, 2), self.across) for r in range(4)], self.down)

    def sharp_cubic(self) -> Value:
        """The same of half as much again of the image, less half of its mean within 3x3 pixels."""
        none = self.kernel.like(0.0, self.across[0])
        wide = [self._pairs(r, -1, 1, 3) for r in range(-1, 5)]
        own = [self._weighted(pairs, [none, *self.across, none]) for pairs in wide[1:-1]]
        means = [self._weighted(pairs, _smoothed(self.across)) for pairs in wide]
        return self._summed(
            [*own, *means], [*(w * 1.5 for w in self.down), *(w * -0.5 for w in _smoothed(self.down))]
        )

    def linear(self) -> Value:
        return self._between([self._pairs(r, 1)[0] for r in (1, 2)])

    def extreme(self, choice: str) -> Value:
        """What is ``minnum`` or ``maxnum`` within 3x3 pixels, linear between them."""

        def chosen(*values: Value) -> Value:
            first, *others = values
            for other in others:
                first = self.kernel.intrinsic(choice, first, other)
            return first

        rows = []
        for r in range(4):
            first, last = self._pairs(r, 0, 2)
            middle = chosen(first.part(4, 5, 6, 7), last.part(0, 1, 2, 3))
            outer = first.part(0, 1, 2, 3).joined(last.part(4, 5, 6, 7))
            rows.append(chosen(outer, middle.joined(middle)))
        return self._between([chosen(*rows[:3]), chosen(*rows[1:])])

    def _between(self, rows: list[Value]) -> Value:
        """Two rows of a pair of pixels, at the place between them."""
        k, (u, v) = self.kernel, (share.spread(4) for share in self.shares)
        upper, lower = (k.blend(row.part(0, 1, 2, 3), row.part(4, 5, 6, 7), u) for row in rows)
        return k.blend(upper, lower, v)


def _compiled(name: str, others: Sequence[tuple[Any, int]], use: Use, lacking: int | None = None) -> Compiled:
    """A kernel that visits every place.

    ``others``: kind and channels of the other arrays that ``use`` works on; without channels, one number a row.
    ``lacking``: which of them is looked at first: places where it holds 1 are not visited.
    """
    kinds, channels = zip(*others)
    count = len(channels)
    k = Kernel(name, *[FLOATS] * 3, *kinds, *[INDEX] * (5 + count), *[FLOAT] * 4)
    source, *arrays = k.arguments[: 3 + count]
    pitch, *pitches = k.arguments[3 + count : 6 + 2 * count]
    rows, columns, factor, shift, *limits = k.arguments[6 + 2 * count :]

    def group(row: Value, i: Value, size: int) -> None:
        """Some pixels of a row."""
        starts = [row * of for of in pitches[2:]]
        if lacking is None:
            visit(row, i, size, starts)
            return
        full = k.load(arrays[2 + lacking], starts[lacking] + i, size)
        full = full.total() if size > 1 else full
        with k.only_if(full.bits(INT), "<", int(np.float32(size).view(np.int32))):
            visit(row, i, size, starts)

    def visit(row: Value, i: Value, size: int, starts: list[Value]) -> None:
        factors, shifts, *ends = (number.spread(size) for number in (factor, shift, *limits))
        places = []
        for array, of, limit in zip(arrays[:2], pitches[:2], ends):
            place = k.load(array, row * of + i, size)
            place = place if size > 1 else place.spread(1)
            places.append(k.multiply_add(place, factors, shifts).clamped(-2.0, limit))
        corners = [place.floor() for place in places]
        shares = [place - corner for place, corner in zip(places, corners)]
        weights = [_weights(k, share) for share in shares]
        # The tap before the corner, behind the pixels in front of the image.
        first_column, first_row = (corner.as_int() + (_BEFORE - 1) for corner in corners)
        for p in range(size):
            at = (first_row[p].as_index() * pitch + first_column[p].as_index()) * 4
            across, down = ([weight[p] for weight in axis] for axis in weights)
            taps = _Taps(k, source, at, pitch, across, down, [share[p] for share in shares])
            theirs = [start + (i + p) * n for start, n in zip(starts, channels)]
            use(taps, arrays[2:], theirs)

    whole = columns // _GROUP * _GROUP
    with k.loop(0, rows) as row:
        for begin, end, size in ((k.index(0), whole, _GROUP), (whole, columns, 1)):
            with k.loop(begin, end, size) as i:
                group(row, i, size)
    return k.compiled()


@built_once
def _adding() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (out,) = taps.kernel, others
        k.store(taps.cubic() + k.load(out, at[0], 4), out, at[0])

    return _compiled("sampled_adding", [(FLOATS, 4)], use)


@built_once
def _mapping(with_other: bool) -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (own_x, own_y, x, y, kept, *more) = taps.kernel, others
        there = taps.linear()
        k.store(there[0] + k.load(own_x, at[0]), x, at[2])
        k.store(there[1] + k.load(own_y, at[1]), y, at[3])
        k.store(there[2], kept, at[4])
        if with_other:
            k.store(replace(taps, image=more[0]).linear(), more[1], at[6])

    others = [(FLOATS, 1), (FLOATS, 0), *[(FLOATS, 1)] * 3]
    more = [(FLOATS, 4)] * 2 if with_other else []
    return _compiled(f"sampled_mapping_{with_other}", others + more, use)


@built_once
def _comparing() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (image, weight, tapered, lack, has, all_of_it, opacity, levels, expected) = taps.kernel, others
        there = taps.linear()
        less = taps.cubic() - there
        share = k.load(weight, at[1])
        beyond = (k.load(image, at[0], 4) - there) * share.spread(4)
        own = there + beyond
        k.store(own, tapered, at[2])
        k.store(less, lack, at[3])
        k.store((beyond * less).total(), has, at[4])
        k.store((less * less).total(), all_of_it, at[5])
        k.store(k.intrinsic("maxnum", own[3], there[3]), opacity, at[6])
        for value, to, where in ((own, levels, at[7]), (there, expected, at[8])):
            root = k.intrinsic("sqrt", value.clamped(0.0, 1.0))
            k.store((root * 255.0).nearest().as_int().as_byte(), to, where)

    floats = [(FLOATS, channels) for channels in (4, 1, 4, 4, 1, 1, 1)]
    return _compiled("sampled_comparing", [*floats, (BYTES, 4), (BYTES, 4)], use)


@built_once
def _blending() -> Compiled:
    def use(taps: _Taps, others: list[Value], at: list[Value]) -> None:
        k, (kept, out) = taps.kernel, others
        plain = taps.sharp_cubic().clamped(taps.extreme("minnum"), taps.extreme("maxnum"))
        k.store(k.blend(plain, k.load(out, at[1], 4), k.load(kept, at[0]).spread(4)), out, at[1])

    return _compiled("sampled_blending", [(FLOATS, 1), (FLOATS, 4)], use, lacking=0)


def _smoothed(weights: list[Value]) -> list[Value]:
    """Of the six taps of the mean of three neighbours, from those of four."""
    a, b, c, d = weights
    return [x * (1 / 3) for x in (a, a + b, a + b + c, b + c + d, c + d, d)]


def _weights(k: Kernel, t: Value) -> list[Value]:
    """Of the four taps, for places ``t`` behind the second one."""
    rest = 1.0 - t
    outer = [_A * x * (y * y) for x, y in ((t, rest), (rest, t))]
    inner = [k.multiply_add(x * x, k.multiply_add(x, _A + 2, -(_A + 3)), 1.0) for x in (t, rest)]
    return [outer[0], inner[0], inner[1], outer[1]]
