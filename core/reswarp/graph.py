# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp as one ONNX graph of static shapes, for a GPU: the same steps as ``warper``, without its tiles.

papers: Animating Through Warping, section 3.4. Images are (1, channels, height, width); grids for GridSample hold
places from -1 to 1 (align_corners False), in which a level's scale disappears: one flow serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from keywarp.core.color import linear_to_srgb
from keywarp.core.newness_graph import blurred, dilated, eroded, newness
from keywarp.core.resample import Affine, then
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph

LINEAR_STEPS = 65536
"""Even steps of linear light from which 8-bit sRGB is looked up; they move a value by 0.026 of a level at most."""
Grid = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Geometry:
    """What the shapes and constants of the graph depend on."""

    width: int
    height: int
    box: Box
    """The part of the frame that moves."""
    side: int
    """Of the model's low-resolution image."""
    scales: tuple[int, ...]
    """Of the pyramid's levels, from 1 up."""
    to_low: Affine
    """The box's continuous pixels to those of the low-resolution image."""
    linear: npt.NDArray[np.float64]
    """(2, 2): flow in the square's units to flow in the frame's pixels."""
    tapered: bool
    """Whether motion fades out towards an edge (``gate.gated``)."""
    masked: bool
    """Whether a part of the picture is held still by a mask."""

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) of the box."""
        left, top, right, bottom = self.box
        return bottom - top, right - left

    def level(self, scale: int) -> tuple[int, int]:
        """(height, width) of a level, made a multiple of the largest scale at full size."""
        coarsest = self.scales[-1]
        h, w = (-(-n // coarsest) * coarsest // scale for n in self.inner)
        return h, w

    @property
    def gated_at(self) -> int:
        """The scale of the level on which the gate is applied: the last one before full size."""
        return self.scales[1] if len(self.scales) > 1 else 1

    @property
    def around(self) -> dict[str, tuple[int, int]]:
        """(height, width) of the parts of the frame around the box, those that are not empty."""
        left, top, right, bottom = self.box
        parts = {
            "above": (top, self.width),
            "left": (bottom - top, left),
            "right": (bottom - top, self.width - right),
            "below": (self.height - bottom, self.width),
        }
        return {name: size for name, size in parts.items() if min(size) > 0}


def reswarp_network(geometry: Geometry, encoded: bool) -> onnx.ModelProto:
    """The frame that shows a motion.

    Inputs: ``image`` (1, 4, s, s), ``flow`` (1, 2, s, s), ``painted`` (1, 1, s, s), a ``Motion`` with channels first;
    ``rest`` (1, 4, s, s), the picture as the model sees it; ``residual_N`` (1, 4, h, w) for each scale N, inputs
    because a model file holds no more than 2 GB; ``weight`` (1, 1, s, s) where ``tapered``; ``still`` (1, 4, h, w)
    and ``move_mask`` (1, 1, h, w), of the box, where ``masked``; and the still picture around the box, ``above``,
    ``left``, ``right`` and ``below``, as pixels of the frame, those that exist.

    Output: ``frame`` (height, width, 4): 8-bit sRGB with straight alpha (0 under transparent pixels) where
    ``encoded``, else float32, premultiplied, linear light.
    """
    graph = Graph("reswarp", DEVICE_OPSET)
    side, flow = geometry.side, graph.input("flow", [1, 2, geometry.side, geometry.side])
    image, rest = (graph.input(name, [1, 4, side, side]) for name in ("image", "rest"))
    painted = graph.input("painted", [1, 1, side, side])
    weight = graph.input("weight", [1, 1, side, side]) if geometry.tapered else None
    if weight is not None:
        flow, painted = graph.op("Mul", flow, weight), graph.op("Mul", painted, weight)
    own_grid = _own_grid(graph, flow, side, side)
    moved = _sampled(graph, rest, own_grid)
    if weight is not None:
        # The motion itself shrinks, the image does not fade: nothing is seen twice.
        image = graph.op("Add", moved, graph.op("Mul", graph.op("Sub", image, moved), weight))
    kept = _kept(graph, image, moved, painted)
    lost = graph.op("Sub", _sampled(graph, rest, own_grid, "bicubic"), moved)
    image = _restored(graph, geometry, image, moved, lost, kept)

    frame = _without_padding(graph, geometry, _climb(graph, geometry, image, flow, kept))
    if geometry.masked:
        h, w = geometry.inner
        still, mask = graph.input("still", [1, 4, h, w]), graph.input("move_mask", [1, 1, h, w])
        frame = graph.op("Add", still, graph.op("Mul", graph.op("Sub", frame, still), mask))
    pixels = graph.op("Transpose", _srgb8(graph, frame) if encoded else frame, perm=[0, 2, 3, 1])
    dtype = TensorProto.UINT8 if encoded else TensorProto.FLOAT
    pixels = _with_still(graph, geometry, graph.op("Reshape", pixels, [*geometry.inner, 4]), dtype)
    graph.output("frame", pixels, [geometry.height, geometry.width, 4], dtype)
    return graph.build()


def _kept(graph: Graph, image: str, moved: str, painted: str) -> str:
    """How much of the picture's detail is carried along, (1, 1, s, s); see ``gate.carry``."""
    differs = dilated(graph, newness(graph, image, moved), 5)
    new = graph.op("Max", differs, dilated(graph, graph.op("Clip", painted, 0.0, 1.0), 3))
    return graph.op("Sub", 1.0, new)


def _restored(graph: Graph, geometry: Geometry, image: str, moved: str, lost: str, kept: str) -> str:
    """The image with what a bilinear warp has blurred given back; see ``gate.gated``."""

    side = geometry.side

    def product(a: str, b: str) -> str:
        flat = graph.op("Reshape", graph.op("Mul", a, b), [4, side * side])
        return blurred(
            graph, graph.op("Reshape", graph.op("MatMul", np.ones((1, 4)), flat), [1, 1, side, side]), 9
        )

    has = product(graph.op("Sub", image, moved), lost)
    share = graph.op("Clip", graph.op("Div", has, graph.op("Add", product(lost, lost), 1e-7)), 0.0, 1.0)
    given = graph.op("Mul", graph.op("Sub", 1.0, share), kept)
    return graph.op("Add", image, graph.op("Mul", lost, given))


def _climb(graph: Graph, geometry: Geometry, image: str, flow: str, kept: str) -> str:
    """From the model's image up the pyramid; every level adds its residual, moved. On the last one before full size
    the plainly enlarged image stands where detail is not ``kept``; full size adds of its residual what is kept."""
    coarsest, flow = geometry.scales[-1], _flow_to_box(graph, geometry, flow)
    ground = there = share = ""
    for scale in [1 << k for k in reversed(range(coarsest.bit_length()))]:
        ground = _doubled(graph, ground) if ground else ""
        if scale >= geometry.gated_at:
            # The device adds the axes once: at full size their sum could be larger than a model file.
            grid = graph.op("Add", *_low_axes(geometry, scale))
            ground, there = ground or _sampled(graph, image, grid), _sampled(graph, flow, grid)
        else:
            there = _doubled(graph, there)
        if share:
            share = _doubled(graph, share)
        if scale in geometry.scales:
            detail = _detail(graph, geometry, scale, there)
            ground = graph.op("Add", ground, graph.op("Mul", detail, share) if share else detail)
        if scale == geometry.gated_at:
            share = _sampled(graph, kept, grid)
            plain = _plainly_enlarged(graph, image, grid)
            ground = graph.op("Add", plain, graph.op("Mul", graph.op("Sub", ground, plain), share))
    return ground


def _flow_to_box(graph: Graph, geometry: Geometry, flow: str) -> str:
    """From the square's units to those of the box, whose sides are 2 as well."""
    height, width = geometry.level(1)
    matrix = graph.constant(np.array([[2 / width], [2 / height]]) * geometry.linear)
    flat = graph.op("MatMul", matrix, graph.op("Reshape", flow, [2, geometry.side**2]))
    return graph.op("Reshape", flat, [1, 2, geometry.side, geometry.side])


def _detail(graph: Graph, geometry: Geometry, scale: int, flow: str) -> str:
    """A level's residual, moved."""
    h, w = geometry.level(scale)
    residual = graph.input(f"residual_{scale}", [1, 4, h, w])
    # Nothing is known of the detail beyond the border, so none is added. The small levels are warped by a cubic
    # kernel: a linear one blurs what the levels above do not bring back.
    kernel = "bilinear" if scale == 1 else "bicubic"
    return _sampled(graph, residual, _own_grid(graph, flow, h, w), kernel, "zeros")


def _plainly_enlarged(graph: Graph, image: str, grid: str) -> str:
    """The model's image at the places of a level; see ``Sampled.blend_into``."""
    sharper = graph.op("Mul", graph.op("Sub", image, blurred(graph, image)), 0.5)
    plain = _sampled(graph, graph.op("Add", image, sharper), grid, "bicubic")
    plain = graph.op("Max", plain, _sampled(graph, eroded(graph, image, 3), grid))
    return graph.op("Min", plain, _sampled(graph, dilated(graph, image, 3), grid))


def _without_padding(graph: Graph, geometry: Geometry, frame: str) -> str:
    h, w = geometry.inner
    return frame if geometry.level(1) == (h, w) else graph.op("Slice", frame, [0, 0], [h, w], [2, 3])


def _srgb8(graph: Graph, frame: str) -> str:
    """(1, 4, h, w) uint8: sRGB (IEC 61966-2-1) with straight alpha; colours are 0 where alpha is."""
    alpha = graph.op("Slice", frame, [3], [4], [1])
    levels = graph.op("Round", graph.op("Mul", graph.op("Clip", alpha, 0.0, 1.0), 255.0))
    # A divisor that takes every colour to 0 where nothing is seen.
    step = graph.op("Mul", alpha, 1 / LINEAR_STEPS)
    divisor = graph.op("Where", graph.op("Less", levels, 0.5), np.float32(1e30), step)
    steps = graph.op("Div", graph.op("Slice", frame, [0], [3], [1]), divisor)
    steps = graph.op("Clip", steps, 0.0, LINEAR_STEPS - 1.0)
    table = graph.constant(encoding_table())
    encoded = graph.op("Gather", table, graph.op("Cast", steps, to=TensorProto.INT32), axis=0)
    return graph.op("Concat", encoded, graph.op("Cast", levels, to=TensorProto.UINT8), axis=1)


@cache
def encoding_table() -> npt.NDArray[np.uint8]:
    """8-bit sRGB of the middle of each step of linear light; of the first step: black."""
    linear = (np.arange(LINEAR_STEPS) + 0.5) / LINEAR_STEPS
    linear[0] = 0
    table: npt.NDArray[np.uint8] = np.rint(linear_to_srgb(linear) * 255).astype(np.uint8)
    return table


def _with_still(graph: Graph, geometry: Geometry, pixels: str, dtype: int) -> str:
    """The whole frame: the still picture around the moving ``pixels``, (h, w, 4)."""
    parts = {name: graph.input(name, [*size, 4], dtype) for name, size in geometry.around.items()}
    for axis, before, after in ((1, "left", "right"), (0, "above", "below")):
        row = [parts.get(before), pixels, parts.get(after)]
        there = [name for name in row if name is not None]
        pixels = graph.op("Concat", *there, axis=axis) if len(there) > 1 else pixels
    return pixels


def _sampled(graph: Graph, image: str, grid: str, mode: str = "bilinear", padding: str = "border") -> str:
    return graph.op("GridSample", image, grid, mode=mode, padding_mode=padding, align_corners=0)


def _doubled(graph: Graph, image: str, mode: str = "linear") -> str:
    """Up-sampled by 2, the border clamped."""
    return graph.op(
        "Resize",
        image,
        "",
        np.array([1, 1, 2, 2], np.float32),
        mode=mode,
        coordinate_transformation_mode="half_pixel",
    )


def _own_grid(graph: Graph, flow: str, height: int, width: int) -> str:
    """(1, h, w, 2): every pixel's own place and the flow from there, (1, 2, h, w) in the image's sides of 2."""
    x, y = ((2 * np.arange(n) + 1) / n - 1 for n in (width, height))
    columns, rows = np.zeros((1, 1, width, 2)), np.zeros((1, height, 1, 2))
    columns[0, 0, :, 0], rows[0, :, 0, 1] = x, y
    grid = graph.op("Transpose", flow, perm=[0, 2, 3, 1])
    return graph.op("Add", graph.op("Add", grid, columns), rows)


def _low_axes(geometry: Geometry, scale: int) -> tuple[Grid, Grid]:
    """(1, 1, w, 2) and (1, h, 1, 2): their sum is where a level's pixels lie in the low-resolution image."""
    height, width = geometry.level(scale)
    half = geometry.side / 2
    level_to_low = then(np.array([[scale, 0, 0], [0, scale, 0]], np.float64), geometry.to_low)
    matrix = then(level_to_low, np.array([[1 / half, 0, -1], [0, 1 / half, -1]]))
    columns = (np.arange(width) + 0.5)[:, None] * matrix[:, 0] + matrix[:, 2]
    rows = (np.arange(height) + 0.5)[:, None] * matrix[:, 1]
    return columns[None, None].astype(np.float32), rows[None, :, None].astype(np.float32)
