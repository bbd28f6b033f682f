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
from keywarp.core.runtime.kernels import BYTES, FLOAT, FLOATS, INDEX, Compiled, Kernel, Value, built_once
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

    @classmethod
    def empty(cls, scale: int, box: Box) -> Below:
        """Room for everything; it is this thread's, and its again when it asks for the next."""
        # A pitch of whole pixels' worth of numbers keeps everything where vectors of four may be written.
        rows, pitch = box[3] - box[1] + 2, -(-(box[2] - box[0] + _SPARE) // 4) * 4
        planes = (_scratch.array(f"{name}{scale}", rows, pitch) for name in ("x", "y", "kept"))
        return cls(scale, box, _scratch.array(f"image{scale}", rows, pitch, 4), *planes)

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


def draw(finest: Level, below: Below, seen: Plan, out: Picture, rows: range) -> None:
    """Finish the ``rows`` of the full-size image ``out`` (H, W, 4), in the columns that ``below`` covers.

    ``seen``: for each tile, counted from the corner of ``below``, whether anything is seen there.
    """
    plan = np.where(seen, np.where(_detailed(finest, below), DETAILED, PLAIN), EMPTY).astype(np.uint8)
    left, top = below.box[0] * below.scale, below.box[1] * below.scale
    height, width = finest.padded.shape[:2]
    target = out[top:, left:]
    columns = min(below.columns, -(-target.shape[1] // below.scale))
    pitch = out.strides[0] // out.itemsize
    kernel, weights = _kernel(below.scale), phases(below.scale)

    def band(first: int) -> None:
        kernel(
            below.image, below.x, below.y, below.kept, _scratch.array("row", 7 * below.image.shape[1] + 64),
            weights, finest.padded, plan, target,
            below.image.shape[1], plan.shape[1], first - top, min(first + TILE, rows.stop) - top,
            columns, min(target.shape[1], columns * below.scale), width, pitch,
            width - 2, height - 2,
        )  # fmt: skip

    in_parallel(band, range(rows.start, rows.stop, TILE))


def tiles(below: Below) -> tuple[int, int]:
    """(rows, columns) of the tiles that the box of ``below`` has at full size."""
    rows, columns = (-(-(below.box[i + 2] - below.box[i]) * below.scale // TILE) for i in (1, 0))
    return rows, columns


def _detailed(finest: Level, below: Below) -> npt.NDArray[np.bool_]:
    """For each tile whether the map takes any residual to it."""
    rows, columns = tiles(below)
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

    def grounds(i: Value) -> list[Value]:
        """The smaller level up-sampled, by pairs of pixels."""
        near = [k.load(row, (i + j) * 4, 4) for j in range(3)]
        pairs = [n.joined(n) for n in near]
        values = []
        for p in range(0, scale, 2):
            shares = [
                k.vector([float(phases(scale)[p + q, j]) for q in (0, 1) for _ in range(4)]) for j in range(3)
            ]
            value = pairs[0] * shares[0]
            for j in (1, 2):
                value = k.multiply_add(pairs[j], shares[j], value)
            values.append(value)
        return values

    def detailed(i: Value) -> list[Value]:
        """The same, and the residual where the map points, as far as it is kept."""
        # The residual's first pixel stands behind one of zeros.
        places = [(enlarged(plane, i) + 1.0).clamped(0.0, limit) for plane, limit in zip(planes[:2], limits)]
        corners = [place.floor() for place in places]
        along, down = (place - corner for place, corner in zip(places, corners))
        at = (corners[1].as_int() * short.spread(scale) + corners[0].as_int()) * 4
        share = enlarged(planes[2], i)
        values = []
        for p, ground in zip(range(0, scale, 2), grounds(i)):
            halves = []
            for q in (p, p + 1):
                upper = at[q].as_index()
                if q % _LINE == 0:
                    k.fetch(residual, upper + residual_pitch * (4 * _AHEAD))
                lines = [k.load(residual, upper + offset, 8) for offset in (k.index(0), residual_pitch * 4)]
                halves.append(k.blend(lines[0], lines[1], down.part(*[q] * 8)))
            ends = [halves[0].part(*range(f, f + 4)).joined(halves[1].part(*range(f, f + 4))) for f in (0, 4)]
            pair = [p] * 4 + [p + 1] * 4
            values.append(
                k.multiply_add(k.blend(ends[0], ends[1], along.part(*pair)), share.part(*pair), ground)
            )
        return values

    def write(line: Value, i: Value, pairs: list[Value]) -> None:
        beyond = (i + 1) * scale
        address = k.where(beyond, ">", width, row, out)
        at = k.where(beyond, ">", width, spill, line + i * (4 * scale))
        for p, pair in enumerate(pairs):
            for half in (0, 4):
                k.store(pair.part(*range(half, half + 4)), address, at + (8 * p + half), aside=True)

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
                write(start, i, [k.vector([0.0] * 8)] * (scale // 2))
            with k.only_if(need, "==", PLAIN), k.loop(begin, end) as i:
                write(start, i, grounds(i))
            with k.only_if(need, "==", DETAILED), k.loop(begin, end) as i:
                write(start, i, detailed(i))
        done = width // scale * scale
        with k.loop(done * 4, width * 4) as i:
            k.store(k.load(row, spill + (i - done * 4)), out, start + i)
    return k.compiled()
