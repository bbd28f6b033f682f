# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM as an Animator: the graphs against PyTorch, what its Motion says, and how a video drives it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.driving import Driving
from keywarp.core.framing import Framing
from keywarp.core.models.registry import model_at
from keywarp.core.models.tpsmm.files import TpsmmSource
from keywarp.core.models.tpsmm.performance import at_frame, best_frame, carried_over, hull_area
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]
SIDE = 128
DRIVING = space("driving")


def helper(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = helper("videos").write_video(tmp_path_factory.mktemp("video") / "driving.mp4")
    return path


def small(state: State, file: Path) -> TpsmmSource:
    """A model of these weights for pictures of 128 pixels."""
    tensors = {n: {k: torch.from_numpy(np.array(v)) for k, v in each.items()} for n, each in state.items()}
    torch.save(tensors, file)
    found = model_at(file)
    assert isinstance(found, TpsmmSource)
    return replace(found, info=replace(found.info, side=SIDE))


@pytest.fixture(scope="module")
def narrow(narrow_state: State, tmp_path_factory: pytest.TempPathFactory) -> TpsmmSource:
    return small(narrow_state, tmp_path_factory.mktemp("narrow") / "a.pth.tar")


@pytest.fixture(scope="module")
def shifting(narrow_state: State, tmp_path_factory: pytest.TempPathFactory) -> TpsmmSource:
    """A model whose first spline alone moves the picture, and that keeps every warped pixel."""
    state = {network: dict(tensors) for network, tensors in narrow_state.items()}
    dense = state["dense_motion_network"]
    dense["maps.weight"] = np.zeros_like(dense["maps.weight"])
    dense["maps.bias"] = np.array([0, 60, 0], np.float32)
    for i in range(4):
        dense[f"occlusion.{i}.weight"] = np.zeros_like(dense[f"occlusion.{i}.weight"])
        dense[f"occlusion.{i}.bias"] = np.array([25], np.float32)
    return small(state, tmp_path_factory.mktemp("shifting") / "b.pth.tar")


def disc() -> np.ndarray:
    """(128, 128, 4): a soft, coloured disc, premultiplied, linear light."""
    y, x = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE * 2 - 1
    alpha = np.clip((0.5 - np.hypot(x, y)) * 12, 0, 1)[..., None]
    colour = np.stack([0.6 + 0.3 * np.sin(5 * x), 0.4 + 0.2 * np.sin(4 * y), np.full_like(x, 0.2)], -1)
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)


def spread_points(source: TpsmmSource) -> np.ndarray:
    count = len(source.state["kp_detector"]["fg_encoder.fc.bias"]) // 2
    points = np.random.default_rng(2).uniform(-0.8, 0.8, (count, 2))
    return points.astype(np.float32)


def pose(frame: float, strength: float) -> np.ndarray:
    return np.array([frame, strength])


def test_the_graphs_answer_as_pytorch_does(narrow: TpsmmSource) -> None:
    import onnxruntime as ort

    from keywarp.core.models.tpsmm.loading import networks_of

    folder, networks = narrow.export(), networks_of(narrow.state)
    random = np.random.default_rng(5)
    picture = random.random((1, 3, SIDE, SIDE)).astype(np.float32)
    points, target = (random.uniform(-0.7, 0.7, (1, 10, 2)).astype(np.float32) for _ in range(2))

    def run(name: str, **given: np.ndarray) -> dict[str, np.ndarray]:
        session = ort.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        outputs = [each.name for each in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, given), strict=True))

    given = [torch.from_numpy(x) for x in (picture, points, target)]
    with torch.no_grad():
        spline = networks.dense_motion_network.spline(given[1], given[2])
        inpainted, motion = networks(*given)
        found = networks.kp_detector(given[0])
        avd = networks.avd_network(given[1], given[2])
    posed = run(
        "pose",
        picture=picture,
        source_points=points,
        driving_points=target,
        weights=spline.weights.numpy(),
        affine=spline.affine.numpy(),
        **run("source", picture=picture),
    )
    np.testing.assert_allclose(run("keypoints", picture=picture)["points"], found, atol=1e-3)
    np.testing.assert_allclose(
        run("avd", source_points=points, driving_points=target)["points"], avd, atol=1e-3
    )
    np.testing.assert_allclose(posed["prediction"], inpainted.prediction, atol=1e-3)
    np.testing.assert_allclose(posed["mask"], motion.masks[-1], atol=1e-3)
    coarse = posed["grid"][0, :: SIDE - 1, :: SIDE - 1]  # the corners are those of the coarse map
    np.testing.assert_allclose(coarse, motion.deformation[0, ::31, ::31], atol=1e-3)


def test_a_shift_of_the_keypoints_is_the_flow_and_moves_the_picture(
    shifting: TpsmmSource, video: Path
) -> None:
    animator: Any = shifting.driven(Driving(video)).open("cpu")
    picture = disc()
    state = animator.prepare(picture, Framing.of_square(0, 0, SIDE))
    shift = np.array([16 / SIDE * 2 * SIDE / (SIDE - 1), 0], np.float32)  # 16 pixels to the right
    source = spread_points(shifting)
    state.source, state.performance = source, np.stack([source, source + shift])
    state.inputs = animator._inputs(np.ascontiguousarray(shown(picture)), source)
    _, state.rest_flow, _ = animator._answer(state, source)
    motion = animator.motion(state, pose(1, 1))
    inside = slice(24, -24)
    # The ridge of the splines keeps them from meeting their targets exactly.
    np.testing.assert_allclose(motion.flow[inside, inside, 0], -16 / SIDE * 2, atol=0.02)
    np.testing.assert_allclose(motion.flow[inside, inside, 1], 0, atol=0.02)
    moved = np.roll(picture, 16, 1)
    assert np.abs(motion.image - moved).mean() < 0.01
    assert np.abs(motion.image[..., 3] - moved[..., 3]).mean() < 0.01
    assert motion.painted.max() < 0.05
    half = animator.motion(state, pose(1, 0.5)).flow[inside, inside, 0]
    np.testing.assert_allclose(half, -8 / SIDE * 2, atol=0.02)
    between = animator.motion(state, pose(0.25, 1)).flow[inside, inside, 0]
    np.testing.assert_allclose(between, -4 / SIDE * 2, atol=0.02)


def shown(picture: np.ndarray) -> np.ndarray:
    from keywarp.core.models.opaque import over_backdrop

    return over_backdrop(picture).transpose(2, 0, 1)[None]


def test_at_rest_nothing_moves_and_nothing_is_new(shifting: TpsmmSource, video: Path) -> None:
    animator = shifting.driven(Driving(video)).open("cpu")
    state = animator.prepare(disc(), Framing.of_square(0, 0, SIDE))
    for rest in (DRIVING.rest(), pose(0, 1), pose(3, 0)):  # relative: the first frame is the rest, too
        motion = animator.motion(state, rest)
        assert np.abs(motion.flow).max() < 1e-6
        assert motion.painted.max() == 0
        assert np.abs(motion.image - disc()).mean() < 0.01


def test_an_opaque_picture_stays_opaque(narrow: TpsmmSource, video: Path) -> None:
    animator = narrow.driven(Driving(video, "standard")).open("cpu")
    picture = np.concatenate([disc()[..., :3], np.ones((SIDE, SIDE, 1), np.float32)], -1)
    state = animator.prepare(picture, Framing.of_square(0, 0, SIDE))
    motion = animator.motion(state, pose(4, 1))
    assert motion.image[..., 3].min() == 1
    assert motion.image.min() >= 0
    assert motion.image.max() <= 1


def test_without_a_video_it_says_what_it_needs(narrow: TpsmmSource) -> None:
    with pytest.raises(KeywarpError, match=r"takes its motion from a driving video: name it with --driving"):
        narrow.open("cpu")
    with pytest.raises(KeywarpError, match="best frame is for the mode relative"):
        narrow.driven(Driving(Path("x.mp4"), "standard", True))


def performance() -> np.ndarray:
    base = np.random.default_rng(1).uniform(-0.5, 0.5, (10, 2)).astype(np.float32)
    bent = base * np.array([1.5, 0.6], np.float32)
    return np.stack([bent, base * 0.5 + 0.3, base])


def carried(mode: str, best: bool, source: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return carried_over(Driving(Path("x.mp4"), mode, best), frames, source, lambda s, d: s + d)  # type: ignore[arg-type]


def test_modes_carry_the_keypoints_over() -> None:
    frames = performance()
    source = frames[2] * 0.8
    np.testing.assert_array_equal(carried("standard", False, source, frames), frames)
    np.testing.assert_array_equal(carried("avd", False, source, frames), frames + source)
    relative = carried("relative", False, source, frames)
    np.testing.assert_allclose(relative[0], source, atol=1e-6)
    scale = np.sqrt(hull_area(source) / hull_area(frames[0]))
    np.testing.assert_allclose(relative[1] - relative[0], (frames[1] - frames[0]) * scale, atol=1e-6)
    # Frame 1 has the source's shape elsewhere and smaller; frame 2 has it, too: the first of the two counts.
    assert best_frame(frames, source) in (1, 2)
    best = carried("relative", True, source, frames)
    np.testing.assert_allclose(best[best_frame(frames, source)], source, atol=1e-6)


def test_the_hull_s_area_is_scipys() -> None:
    from scipy.spatial import ConvexHull

    points = performance()[0]
    assert hull_area(points) == pytest.approx(ConvexHull(points).volume, rel=1e-5)


def test_frames_are_interpolated_and_held_at_the_ends() -> None:
    frames = performance()
    np.testing.assert_allclose(at_frame(frames, 0.25), 0.75 * frames[0] + 0.25 * frames[1], atol=1e-6)
    np.testing.assert_array_equal(at_frame(frames, 2), frames[2])
    np.testing.assert_array_equal(at_frame(frames, 1e5), frames[2])
    np.testing.assert_array_equal(at_frame(frames[:1], 7), frames[0])


def test_a_video_s_keypoints_are_those_of_its_frames(narrow: TpsmmSource, video: Path) -> None:
    from keywarp.core.driving_video import square_frames
    from keywarp.core.models.tpsmm.loading import networks_of

    animator: Any = narrow.driven(Driving(video, "standard")).open("cpu")
    state = animator.prepare(disc(), Framing.of_square(0, 0, SIDE))
    detector = networks_of(narrow.state).kp_detector
    frames = list(square_frames(video, SIDE))
    assert len(state.performance) == len(frames) == 5
    with torch.no_grad():
        for points, frame in zip(state.performance, frames, strict=True):
            expected = detector(torch.from_numpy(frame.transpose(2, 0, 1)[None].astype(np.float32) / 255))
            np.testing.assert_allclose(points, expected[0], atol=1e-4)
