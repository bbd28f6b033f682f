# SPDX-License-Identifier: GPL-3.0-or-later
"""The step to full size, which nearly all pixels of a frame are made in, as one pass over the frame.

papers: Animating Through Warping, section 3.4: the smaller level up-sampled, plus the residual warped by the
up-sampled flow. Libraries take four passes (two enlargements, a warp, a sum), each through memory; here a pixel is
finished before the next one is begun, and tiles that hold no detail, or nothing at all, are spared the warp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.reswarp.pyramid import Box, Level
from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.scratch import Scratch
from keywarp.core.runtime.session import in_parallel

TILE = 32
"""Side of the tiles of the frame for which it is known beforehand what they need."""
EMPTY, PLAIN, DETAILED = 0, 1, 2
"""What a tile needs: nothing is seen; the smaller level up-sampled; the residual too."""
_LANES = 8
_SPARE = _LANES + 2
"""Numbers that stand behind each row, because rows are read several at a time."""
_LINE = 4
"""Pixels of a line of the caches."""
_AHEAD = 6
"""Rows of the residual by which its pixels are fetched ahead: they lie too far apart for the processor to guess."""
_scratch = Scratch()

Plan = npt.NDArray[np.uint8]
"""(rows, columns): a number for each tile."""


@dataclass(frozen=True)
class Below:
    """A part of the next smaller level, finished: what the full size is up-sampled from.

    Its arrays have a pixel more on every side, and spare numbers behind each row.
    """

    scale: int
    box: Box
    """In the level's pixels."""
    image: FloatImage
    """(rows, pitch, 4)."""
    x: FloatImage
    """(rows, pitch): where a pixel's content comes from, in full-size pixels, pixel 0's centre at 0."""
    y: FloatImage
    kept: FloatImage
    """(rows, pitch): the share of the residual that is added."""

    seen: Plan
    """For each tile of full size, counted from the corner of the box, whether anything is seen there."""

    @classmethod
    def empty(cls, scale: int, box: Box, seen: Plan) -> Below:
        """Room for everything; it is this thread's, and its again when it asks for the next."""
        # A pitch of whole pixels' worth of numbers keeps everything where vectors of four may be written.
        rows, pitch = box[3] - box[1] + 2, -(-(box[2] - box[0] + _SPARE) // 4) * 4
        x, y, kept = (_scratch.array(f"{name}{scale}", rows, pitch) for name in ("x", "y", "kept"))
        return cls(scale, box, _scratch.array(f"image{scale}", rows, pitch, 4), x, y, kept, seen)

    @property
    def columns(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def inner(self) -> FloatImage:
        """(h, w, 4): the image in the box."""
        return self.image[1:-1, 1 : 1 + self.columns]

    def part(self, box: Box) -> tuple[slice, slice]:
        """Rows and columns of the arrays in which a part of the level stands."""
        x, y = self.box[0] - 1, self.box[1] - 1
        return slice(box[1] - y, box[3] - y), slice(box[0] - x, box[2] - x)

    def clear(self, top: int, bottom: int) -> None:
        """Leave nothing in some rows of the level."""
        above = self.box[1] - 1
        for array in (self.image, self.x, self.y, self.kept):
            array[top - above : bottom - above] = 0

    def clamp(self) -> None:
        """Repeat the image's border around the box."""
        image = self.image[:, : self.columns + 2]
        image[:, 0], image[:, -1] = image[:, 1], image[:, -2]
        image[0], image[-1] = image[1], image[-2]


@cache
def phases(scale: int) -> npt.NDArray[np.float32]:
    """(scale, 3): how much of the smaller level's pixels i - 1, i and i + 1 is in pixel scale * i + phase.

    Bilinear up-sampling by 2, again and again: smoother than once by 4, and so closer to the picture.
    """
    line = np.eye(5)
    for _ in range(int(np.log2(scale))):
        before, after = np.roll(line, 1, 0), np.roll(line, -1, 0)
        line = np.stack([0.75 * line + 0.25 * before, 0.75 * line + 0.25 * after], 1).reshape(-1, 5)
    return np.ascontiguousarray(line[2 * scale : 3 * scale, 1:4], np.float32)


def takes(out: Picture) -> bool:
    """Whether frames can be written to this memory: float32 pixels side by side, at multiples of their size."""
    address = out.__array_interface__["data"][0]
    return out.dtype == np.float32 and out.strides[1:] == (16, 4) and out.strides[0] % 16 == address % 16 == 0


def draw(finest: Level, below: Below, out: Picture, rows: range) -> None:
    """Finish the ``rows`` of the full-size image ``out`` (H, W, 4), in the columns that ``below`` covers."""
    plan = np.where(below.seen, np.where(_detailed(finest, below), DETAILED, PLAIN), EMPTY).astype(np.uint8)
    left, top = below.box[0] * below.scale, below.box[1] * below.scale
    height, width = finest.padded.shape[:2]
    target = out[top:, left:]
    columns = min(below.columns, -(-target.shape[1] // below.scale))
    pitch = out.strides[0] // out.itemsize
    kernel, weights = _kernel(below.scale), phases(below.scale)

    def band(first: int) -> None:
        kernel(
            below.image, below.x, below.y, below.kept, _scratch.array("row", 7 * below.image.shape[1] + 9 * TILE),
            weights, finest.padded, plan, target,
            below.image.shape[1], plan.shape[1], first - top, min(first + TILE, rows.stop) - top,
            columns, min(target.shape[1], columns * below.scale), width, pitch,
            width - 2, height - 2,
        )  # fmt: skip

    in_parallel(band, range(rows.start, rows.stop, TILE))


def _detailed(finest: Level, below: Below) -> npt.NDArray[np.bool_]:
    """For each tile whether the map takes any residual to it."""
    rows, columns = below.seen.shape
    step = TILE // below.scale // 4  # four samples along a tile; the margin contains what lies between them
    lows: list[FloatImage] = []
    highs: list[FloatImage] = []
    for axis in (below.x, below.y):
        samples = np.ascontiguousarray(
            axis[: below.box[3] - below.box[1] + 2 : step, : below.columns + 2 : step]
        )
        shape = 4 * rows + 1, 4 * columns + 1
        short = [n - m for n, m in zip(shape, samples.shape)]
        samples = cv2.copyMakeBorder(samples, 0, max(short[0], 0), 0, max(short[1], 0), cv2.BORDER_REPLICATE)
        for reduce, into in ((cv2.erode, lows), (cv2.dilate, highs)):
            into.append(reduce(samples, np.ones((5, 5), np.uint8))[2 : shape[0] : 4, 2 : shape[1] : 4])
    return finest.holding(lows[0] - 8, lows[1] - 8, highs[0] + 8, highs[1] + 8)


@built_once
def _kernel(scale: int) -> Compiled:
    """The rows of an image from those of the one ``scale`` times smaller, and the warped residual."""
    k = Kernel(f"finest_{scale}", *[FLOATS] * 7, BYTES, FLOATS, *[INDEX] * 8, *[FLOAT] * 2)
    image, x, y, kept, row, weights, residual, plan, out, *numbers, right, bottom = k.arguments
    pitch, plan_pitch, first, last, columns, width, residual_pitch, out_pitch = numbers
    # Behind the row of the image, interpolated between three of the smaller level, stand those of the map and the
    # share; behind them the pixels of a last group that reaches beyond the border.
    planes = [pitch * (4 + i) + _LANES * (i + 1) for i in range(3)]
    spill = pitch * 7 + _LANES * 4
    # What is found of a tile's pixels before any of them is made: what one waits for the next one need not.
    found = [spill + TILE * (4 + n) for n in range(4)]
    across = [k.vector(phases(scale)[:, i].tolist()) for i in range(3)]
    limits = [bound.spread(scale) for bound in (right, bottom)]
    short = residual_pitch.as_short()

    def interpolated(source: Value, to: Value, channels: int, line: Value, shares: list[Value]) -> None:
        step = pitch * channels
        with k.loop(0, (columns + 2) * channels, _LANES) as i:
            at = line * step + i
            value = k.load(source, at, _LANES) * shares[0]
            for j in (1, 2):
                value = k.multiply_add(k.load(source, at + step * j, _LANES), shares[j], value)
            k.store(value, row, to + i)

    def enlarged(plane: Value, i: Value) -> Value:
        """A group's numbers, one for each of its pixels."""
        near = [k.load(row, plane + (i + j)).spread(scale) for j in range(3)]
        value = near[0] * across[0]
        for j in (1, 2):
            value = k.multiply_add(near[j], across[j], value)
        return value

    def ground(i: Value) -> Value:
        """The smaller level up-sampled: a group's pixels, one after another."""
        value = None
        for j in range(3):
            near = k.load(row, (i + j) * 4, 4).part(*[0, 1, 2, 3] * scale)
            shares = k.vector(phases(scale)[:, j].repeat(4).tolist())
            value = near * shares if value is None else k.multiply_add(near, shares, value)
        assert value is not None
        return value

    def locate(i: Value, to: Value) -> None:
        """Where the map takes a group's pixels, and how much is kept there; brings it closer, too."""
        # The residual's first pixel stands behind one of zeros.
        places = [(enlarged(plane, i) + 1.0).clamped(0.0, limit) for plane, limit in zip(planes[:2], limits)]
        corners = [place.floor() for place in places]
        at = (corners[1].as_int() * short.spread(scale) + corners[0].as_int()) * 4
        for q in range(0, scale, _LINE):
            k.fetch(residual, at[q].as_index() + residual_pitch * (4 * _AHEAD))
        shares = [place - corner for place, corner in zip(places, corners)]
        for value, start in zip((at.bits(FLOAT), *shares, enlarged(planes[2], i)), found):
            k.store(value, row, start + to)

    def detailed(i: Value, place: Value) -> Value:
        """The smaller level up-sampled, and the residual at the places found, as far as it is kept."""
        along, down, share = (k.load(row, start + place, scale) for start in found[1:])
        upper, lower = [], []
        for q in range(scale):
            corner = k.load(row, found[0] + (place + q)).bits(INT).as_index()
            upper.append(k.load(residual, corner, 8))
            lower.append(k.load(residual, corner + residual_pitch * 4, 8))
        pairs = [
            k.blend(joined(upper[q : q + 2]), joined(lower[q : q + 2]), down.part(*[q] * 8, *[q + 1] * 8))
            for q in range(0, scale, 2)
        ]
        left, right = (
            joined(pairs).part(*(8 * q + 4 * side + c for q in range(scale) for c in range(4)))
            for side in (0, 1)
        )
        each = [q for q in range(scale) for _ in range(4)]
        return k.multiply_add(k.blend(left, right, along.part(*each)), share.part(*each), ground(i))

    def joined(vectors: list[Value]) -> Value:
        return vectors[0] if len(vectors) == 1 else vectors[0].joined(vectors[1])

    def write(line: Value, i: Value, pixels: Value) -> None:
        beyond = (i + 1) * scale
        address = k.where(beyond, ">", width, row, out)
        at = k.where(beyond, ">", width, spill, line + i * (4 * scale))
        for q in range(0, 4 * scale, 4):
            k.store(pixels.part(*range(q, q + 4)), address, at + q, aside=True)

    group = TILE // scale
    with k.loop(first, last) as line:
        above = line // scale
        shares = [k.load(weights, (line - above * scale) * 3 + j).spread(_LANES) for j in range(3)]
        interpolated(image, k.index(0), 4, above, shares)
        for source, plane in zip((x, y, kept), planes):
            interpolated(source, plane, 1, above, shares)
        start = line * out_pitch
        with k.loop(0, columns, group) as begin:
            need = k.load(plan, (line // TILE) * plan_pitch + begin // group).as_index()
            end = k.where(begin + group, "<", columns, begin + group, columns)
            with k.only_if(need, "==", EMPTY), k.loop(begin, end) as i:
                write(start, i, k.vector([0.0] * (4 * scale)))
            with k.only_if(need, "==", PLAIN), k.loop(begin, end) as i:
                write(start, i, ground(i))
            with k.only_if(need, "==", DETAILED):
                with k.loop(begin, end) as i:
                    locate(i, (i - begin) * scale)
                with k.loop(begin, end) as i:
                    write(start, i, detailed(i, (i - begin) * scale))
        done = width // scale * scale
        with k.loop(done * 4, width * 4) as i:
            k.store(k.load(row, spill + (i - done * 4)), out, start + i)
    return k.compiled()
