# SPDX-License-Identifier: GPL-3.0-or-later
"""The student as one graph for a GPU, run on the CPU: it must answer what the tiles and the published layers do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.base import DeviceAnimator, ModelInfo
from keywarp.core.models.tha import cover
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.student_cuda import WHOLE_FILE, DeviceStudentAnimator
from keywarp.core.models.tha.student_files import StudentSource, find_student
from keywarp.core.picture import read_picture
from keywarp.core.runtime.session import cuda_available
from keywarp.keyframes.spaces import space

SQUARE = Framing.of_square(0, 0, layout.SIDE)
Weights = dict[str, npt.NDArray[np.float32]]


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> Weights:
    """As SIREN's are drawn: later layers uniform within sqrt(6 / inputs) / 30."""
    random = np.random.default_rng(seed)
    out = {}
    for name, shape in shapes.items():
        inputs = shape[1] if len(shape) > 1 else 100
        bound = np.sqrt(6 / inputs) / layout.OMEGA
        out[name] = random.uniform(-bound, bound, shape).astype(np.float32)
    return out


@pytest.fixture(scope="module")
def source() -> StudentSource:
    """A student that no one has trained."""
    info = ModelInfo("tha", "THA4 student", "tha45", layout.SIDE, 0, "", "", "random", "random-student")
    face = random_weights(dict(layout.face_morpher_shapes()), 1)
    body = random_weights(dict(layout.body_rotator_shapes()), 2)
    # Stronger last layers: a visible picture, with flow and alpha of a real student's size.
    face["siren.last_linear.weight"] *= 20
    body["last_linear.weight"] *= np.array([1.5, 1.5, 12, 20, 20, 20, 20], np.float32)[:, None, None, None]
    return StudentSource(info, face, body)


@pytest.fixture(scope="module")
def picture() -> npt.NDArray[np.float32]:
    """(512, 512, 4): a disc of smooth colours."""
    y, x = np.mgrid[: layout.SIDE, : layout.SIDE] / layout.SIDE
    alpha = np.clip(12 * (0.42 - np.hypot(x - 0.5, y - 0.5)), 0, 1)
    colours = np.stack([0.5 + 0.5 * np.sin(9 * x), y, 0.5 + 0.5 * np.cos(7 * x * y)], -1)
    out: npt.NDArray[np.float32] = np.dstack([colours * alpha[..., None], alpha]).astype(np.float32)
    return out


def random_poses(count: int) -> npt.NDArray[np.float64]:
    tha45 = space("tha45")
    share = np.random.default_rng(7).random((count, len(tha45)))
    return tha45.minimum + share * (tha45.maximum - tha45.minimum)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    folder = tmp_path_factory.getbasetemp() / "student-cache"
    monkeypatch.setenv("KEYWARP_CACHE", str(folder))
    if not full:  # on a CPU this graph takes seconds for a pose; the tiles' tests look at what all poses show
        probes = cover.probing_poses()[::13]
        monkeypatch.setattr(cover, "probing_poses", lambda: probes)


def test_cuda_runs_every_operator(
    source: StudentSource, refused_by_cuda: Callable[[onnx.ModelProto], list[str]]
) -> None:
    assert refused_by_cuda(onnx.load(str(source.export_whole() / WHOLE_FILE))) == []


@pytest.mark.slow
@pytest.mark.full
def test_it_answers_what_the_tiles_do(source: StudentSource, picture: npt.NDArray[np.float32]) -> None:
    tiles = source.open("cpu")
    whole = DeviceStudentAnimator(source.info, source.export_whole(), "cpu")
    assert isinstance(whole, DeviceAnimator)
    by_tiles, by_whole = tiles.prepare(picture, SQUARE), whole.prepare(picture, SQUARE)
    for pose in random_poses(2):
        expected, motion = tiles.motion(by_tiles, pose), whole.motion(by_whole, pose)
        assert np.abs(motion.image - expected.image).max() < 1e-3
        assert np.abs(motion.flow - expected.flow).max() < 1e-4
        assert expected.flow.std() > 0.005
        assert np.abs(motion.painted - expected.painted).mean() < 1e-4


@pytest.mark.slow
def test_it_answers_what_the_published_layers_do(
    source: StudentSource, picture: npt.NDArray[np.float32], full: bool
) -> None:
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, pose_picture

    face, body = FaceMorpher(), BodyRotator()
    for network, weights in ((face, source.face), (body, source.body)):
        network.load_state_dict({name: torch.from_numpy(np.asarray(x)) for name, x in weights.items()})
    whole = DeviceStudentAnimator(source.info, source.export_whole(), "cpu")
    state = whole.prepare(picture, SQUARE)
    rest = torch.from_numpy(picture.transpose(2, 0, 1)[None] * 2 - 1)
    seen = state.seen.numpy()[0, 0] > 0
    for pose in random_poses(3 if full else 1):
        with torch.inference_mode():
            answer = pose_picture(face, body, rest, torch.from_numpy(pose[None].astype(np.float32)))
        motion = whole.motion(state, pose)
        image = np.clip(answer["image"][0].numpy().transpose(1, 2, 0) * 0.5 + 0.5, 0, 1)
        assert np.abs(motion.image - image)[seen].max() < 1e-3
        assert np.abs(motion.flow - answer["flow"][0].numpy().transpose(1, 2, 0))[seen].max() < 1e-3


@pytest.mark.slow
def test_at_rest_the_face_is_not_new(source: StudentSource, picture: npt.NDArray[np.float32]) -> None:
    whole = DeviceStudentAnimator(source.info, source.export_whole(), "cpu")
    state = whole.prepare(picture, SQUARE)
    whole.motion(state, random_poses(1)[0])
    whole.motion(state, space("tha45").rest())
    face = whole._graph.outputs["face"].numpy()
    np.testing.assert_allclose(face, state.rest_face.numpy(), atol=1e-6)


@pytest.mark.shared
@pytest.mark.slow
def test_the_published_character_is_met(shared: Path, full: bool) -> None:
    real = find_student(shared / "reference" / "lambda_00")
    assert real is not None and real.info.picture is not None
    whole = DeviceStudentAnimator(real.info, real.export_whole(), "cpu")
    state = whole.prepare(read_picture(real.info.picture).pixels, SQUARE)
    seen = state.seen.numpy()[0, 0] > 0
    reference = np.load(shared / "reference" / "lambda_00.reference.npz")
    count = len(reference["pose"]) if full else 1
    for pose, output in zip(reference["pose"][:count], reference["output"][:count], strict=True):
        expected = np.clip(output.astype(np.float64).transpose(1, 2, 0), -1, 1)
        image = whole.motion(state, pose).image * 2.0 - 1
        error = np.mean((image - expected)[seen] ** 2)
        assert 10 * np.log10(4 / error) >= 60


@pytest.mark.skipif(not cuda_available(), reason="no CUDA device")
def test_cuda_answers_what_the_cpu_does(source: StudentSource, picture: npt.NDArray[np.float32]) -> None:
    cpu = DeviceStudentAnimator(source.info, source.export_whole(), "cpu")
    gpu = source.open("cuda")
    on_cpu, on_gpu = cpu.prepare(picture, SQUARE), gpu.prepare(picture, SQUARE)
    for pose in random_poses(3):
        expected, motion = cpu.motion(on_cpu, pose), gpu.motion(on_gpu, pose)
        assert np.abs(motion.image - expected.image).max() < 2e-3
        assert np.abs(motion.flow - expected.flow).max() < 2e-3
