# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp as one graph for a GPU, run on the CPU, against ResWarp by tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest

from keywarp.core.color import linear_to_srgb, over_srgb8, to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.motion import Motion
from keywarp.core.resample import Affine, inverse, place_picture, square_picture, then, warp_by_flow
from keywarp.core.reswarp import ResWarp
from keywarp.core.reswarp.device import DeviceResWarp, reswarp_on
from keywarp.core.reswarp.graph import encoding_table, reswarp_network
from keywarp.core.runtime.device import DeviceMotion
from keywarp.core.runtime.session import cuda_available

Image = npt.NDArray[np.float32]


def drawing(height: int, width: int) -> Image:
    """A figure with hard edges, thin lines and soft shading before nothing."""
    image = np.zeros((height, width, 4), np.uint8)
    centre, unit = (width // 2, height // 2), min(height, width) // 20
    cv2.ellipse(image, centre, (6 * unit, 9 * unit), 0, 0, 360, (220, 170, 140, 255), -1, cv2.LINE_AA)
    random = np.random.default_rng(1)
    for _ in range(60):
        a, b = (
            centre + random.normal(0, 3.4 * unit, 2).clip(-6 * unit, 6 * unit).astype(int) for _ in range(2)
        )
        colour = (*random.integers(0, 255, 3).tolist(), 255)
        cv2.line(image, a.tolist(), b.tolist(), colour, int(random.integers(1, 5)), cv2.LINE_AA)
    shade = 0.6 + 0.4 * np.linspace(0, 1, width)[None, :, None]
    linear = (image / 255.0) ** 2.2
    linear[..., :3] *= shade * linear[..., 3:]
    return linear.astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """What both kinds of ResWarp are made of, and a motion to show."""

    source: Image
    square_to_frame: Affine
    rest: Image
    settings: dict[str, Any]
    motion: Motion

    def both(self) -> tuple[ResWarp, DeviceResWarp]:
        made = self.source, self.square_to_frame, self.rest
        return ResWarp(*made, **self.settings), DeviceResWarp(*made, device="cpu", **self.settings)


def scene(size: tuple[int, int], framing: Framing, side: int, **settings: Any) -> Scene:
    """A picture of 900x700 in a frame of ``size``, centred; the model's square lies in it by ``framing``."""
    picture = drawing(900, 700)
    (width, height), scale = size, min(size[0] / 700, size[1] / 900)
    x, y = round((width - 700 * scale) / 2), round((height - 900 * scale) / 2)
    to_frame = np.array([[scale, 0, x], [0, scale, y]])
    rest = square_picture(picture, framing, side)
    return Scene(
        place_picture(picture, to_frame, width, height),
        then(inverse(framing.matrix()), to_frame),
        rest,
        {"canvas": (x, y, x + round(700 * scale), y + round(900 * scale)), **settings},
        motion_of(rest),
    )


def motion_of(rest: Image) -> Motion:
    """A turn and a sway; a disc of new colour, and one that the model says it painted."""
    side = len(rest)
    y, x = np.mgrid[:side, :side] * (2 / side) - 1
    flow = np.dstack([0.05 * y + 0.02 * np.sin(3 * x), -0.05 * x + 0.03 * np.cos(2 * y)]).astype(np.float32)
    image = warp_by_flow(rest, flow)
    image[np.hypot(x - 0.1, y + 0.2) < 0.1] = [0.1, 0.05, 0.4, 1]
    painted = (np.hypot(x + 0.1, y - 0.2) < 0.12).astype(np.float32)[..., None] * np.float32(0.8)
    return Motion(image, flow, painted)


def psnr(a: Image, b: Image) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


UPRIGHT = Framing.of_square(-20, 60, 740)
TURNED = Framing(2 / 760, 20, -0.65, -1.35)
WEIGHT = np.minimum((np.arange(128)[::-1, None] + 0.5) / 20, 1) * np.ones((128, 128))
SCENES = {
    "upright": lambda: scene((1024, 1024), UPRIGHT, 256),
    "turned, not square": lambda: scene((1000, 760), TURNED, 128),
    "odd size, fading out": lambda: scene((701, 1203), UPRIGHT, 128, weight=WEIGHT.astype(np.float32)),
    "small": lambda: scene((300, 280), UPRIGHT, 256),
    "one residual": lambda: scene((640, 640), TURNED, 256, multiscale=False),
    "one residual, odd size": lambda: scene((701, 901), UPRIGHT, 64, multiscale=False),
    "held by a mask": lambda: scene(
        (640, 900), UPRIGHT, 128, move_mask=np.tile(np.linspace(0, 1, 640, dtype=np.float32), (900, 1))
    ),
}


LARGE = {
    "four residuals": lambda: scene((1100, 1200), UPRIGHT, 64),
    "large, turned": lambda: scene((900, 1200), TURNED, 128),
}


@pytest.fixture(params=SCENES, ids=str)
def of(request: pytest.FixtureRequest) -> Scene:
    made: Scene = SCENES[request.param]()
    return made


def test_frames_are_those_of_the_tiles(of: Scene) -> None:
    by_tiles, by_graph = of.both()
    expected, frame = by_tiles.frame(of.motion), by_graph.frame(of.motion)
    assert psnr(frame, expected) >= 50
    moved = np.abs(expected - of.source).max(-1) > 0.05
    assert moved.mean() > 0.02
    for background in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        levels = over_srgb8(frame, background).astype(int) - over_srgb8(expected, background)
        assert (np.abs(levels).max(-1) <= 2).mean() >= 0.999


@pytest.mark.parametrize("name", LARGE)
def test_large_enlargements_look_the_same(name: str) -> None:
    by_tiles, by_graph = (made := LARGE[name]()).both()
    assert by_graph.geometry.gated_at > 1
    expected, frame = by_tiles.frame(made.motion), by_graph.frame(made.motion)
    assert psnr(frame, expected) >= 65
    levels = over_srgb8(frame, (1.0, 1.0, 1.0)).astype(int) - over_srgb8(expected, (1.0, 1.0, 1.0))
    assert (np.abs(levels).max(-1) <= 2).mean() >= 0.999
    assert (np.abs(expected - made.source).max(-1) > 0.3).mean() > 0.01


def test_bytes_are_those_of_the_float_frame(of: Scene) -> None:
    _, by_graph = of.both()
    frame = by_graph.frame(of.motion)
    pixels = by_graph.frame_srgb8(DeviceMotion.of(of.motion, "cpu")).astype(int)
    assert pixels.shape == frame.shape
    alpha = frame[..., 3:].astype(np.float64)
    assert np.abs(pixels[..., 3:] - 255 * np.clip(alpha, 0, 1)).max() <= 0.5 + 1e-3
    visible = alpha[..., 0] >= 0.5 / 255
    straight = np.clip(frame[..., :3] / np.where(alpha > 0, alpha, 1), 0, 1)
    exact = 255 * linear_to_srgb(straight)
    assert np.abs(pixels[..., :3] - exact)[visible].max() <= 0.6
    still = to_srgb8(of.source)
    left, top, right, bottom = by_graph.geometry.box
    around = np.ones(visible.shape, np.bool_)
    around[top:bottom, left:right] = False
    np.testing.assert_array_equal(pixels[around], still[around])


def test_cuda_runs_every_operator(of: Scene, refused_by_cuda: Callable[[onnx.ModelProto], list[str]]) -> None:
    _, by_graph = of.both()
    for encoded in (False, True):
        model = reswarp_network(by_graph.geometry, encoded)
        assert refused_by_cuda(model) == []
        assert not {node.op_type for node in model.graph.node} & {"AffineGrid", "Shape", "If", "Loop"}


def test_large_frames_need_no_large_file() -> None:
    """A protocol buffer ends at 2 GB."""
    _, by_graph = scene((512, 512), UPRIGHT, 128).both()
    large = replace(by_graph.geometry, width=8192, height=8192, box=(0, 0, 8192, 8192), scales=(1, 4, 8, 16))
    assert reswarp_network(large, encoded=True).ByteSize() < 1 << 26


def test_at_rest_the_picture_is_returned() -> None:
    made = scene((1024, 1024), UPRIGHT, 256)
    still = Motion(made.rest, np.zeros((256, 256, 2), np.float32), np.zeros((256, 256, 1), np.float32))
    frame = made.both()[1].frame(still)
    assert psnr(frame, made.source) >= 60


@pytest.mark.parametrize("way", ["tiles", "graph"])
def test_frames_may_be_written_to_any_memory(way: str) -> None:
    made = scene((400, 420), UPRIGHT, 128)
    reswarp = dict(zip(("tiles", "graph"), made.both()))[way]
    expected = reswarp.frame(made.motion)
    given = np.empty_like(expected)
    assert reswarp.frame(made.motion, given) is given
    np.testing.assert_array_equal(given, expected)
    count = expected.size
    for other in (
        np.empty((*expected.shape[:2], 8), np.float32)[..., ::2],
        np.empty(count + 1, np.float32)[1:].reshape(expected.shape),
        np.empty(expected.shape, np.float32)[::-1],
    ):
        reswarp.frame(made.motion, other)
        np.testing.assert_array_equal(other, expected)
    # An earlier answer is not written to again.
    reswarp.frame(replace(made.motion, flow=made.motion.flow * 0))
    np.testing.assert_array_equal(given, expected)


def test_a_square_outside_of_the_frame_leaves_the_picture() -> None:
    made = scene((300, 300), Framing.of_square(5000, 5000, 300), 64)
    _, by_graph = made.both()
    np.testing.assert_array_equal(by_graph.frame(made.motion), made.source)
    np.testing.assert_array_equal(
        by_graph.frame_srgb8(DeviceMotion.of(made.motion, "cpu")), to_srgb8(made.source)
    )


def test_the_table_of_bytes_is_within_a_level_of_the_formula() -> None:
    table = encoding_table().astype(int)
    assert (np.diff(table) >= 0).all() and table[0] == 0 and table[-1] == 255
    for at in (0.0, 1.0):
        steps = np.clip((np.arange(len(table)) + at) / len(table), 0, 1)
        assert np.abs(table - 255 * linear_to_srgb(steps)).max() <= 0.6


@pytest.mark.skipif(not cuda_available(), reason="no CUDA device")
def test_cuda_frames_are_those_of_the_tiles(of: Scene) -> None:
    by_tiles, _ = of.both()
    on_gpu = reswarp_on("cuda", of.source, of.square_to_frame, of.rest, **of.settings)
    assert isinstance(on_gpu, DeviceResWarp)
    expected = by_tiles.frame(of.motion)
    assert psnr(on_gpu.frame(of.motion), expected) >= 50
    pixels = on_gpu.frame_srgb8(DeviceMotion.of(of.motion, "cuda"))
    clear = expected[..., 3] > 0.1
    difference = np.abs(pixels.astype(int) - to_srgb8(expected)).max(-1)[clear]
    assert (difference <= 2).mean() >= 0.999
