# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's checkpoints, its graphs against PyTorch, and what its Motion says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.animo.files import AniMoSource
from keywarp.core.models.animo.layout import Form, network_shapes
from keywarp.core.models.registry import model_at
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import convert
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]
SIDE = 64
NARROW = Form(16, 2, 8, 32, 4, 2, 8, 32, 2, 1)
SPACE = space("animeceleb20")


@pytest.fixture(scope="module")
def state(recipe: ModuleType) -> State:
    shapes = network_shapes(NARROW).items()
    return {n: {k: recipe.fill(k, shape, "float32") for k, shape in each.items()} for n, each in shapes}


def lightning(path: Path, state: State) -> Path:
    """A checkpoint as the authors' trainer saves it."""
    flat = {f"{n}.{k}": torch.from_numpy(np.array(v)) for n, each in state.items() for k, v in each.items()}
    flat["perceptual_warp.mean"] = torch.zeros(3)
    optimizer = {"state": {0: {"exp_avg": torch.ones(4)}}, "param_groups": []}
    torch.save({"epoch": 7, "state_dict": flat, "optimizer_states": [optimizer]}, path)
    return path


def opened(source: Any) -> Any:
    """For pictures of 64 pixels."""
    assert isinstance(source, AniMoSource)
    return replace(source, info=replace(source.info, side=SIDE))


@pytest.fixture(scope="module")
def narrow(state: State, tmp_path_factory: pytest.TempPathFactory) -> AniMoSource:
    source: AniMoSource = opened(model_at(lightning(tmp_path_factory.mktemp("animo") / "a.ckpt", state)))
    return source


def test_what_a_checkpoint_is(narrow: AniMoSource, state: State, tmp_path: Path) -> None:
    info = narrow.info
    assert (info.family, info.space) == ("animo", "animeceleb20")
    assert "substitute" in info.form
    assert info.parameters == sum(np.size(v) for each in state.values() for v in each.values())
    nested = {n: {k: torch.from_numpy(np.array(v)) for k, v in each.items()} for n, each in state.items()}
    torch.save(nested, tmp_path / "nested.pt")
    assert model_at(tmp_path / "nested.pt").info.content == info.content
    np.save(tmp_path / "pose_coeffs.npy", np.ones((17, 257)))
    other = model_at(tmp_path / "nested.pt").info
    assert "pose_coeffs.npy" in other.form
    assert other.content != info.content


def test_what_is_wrong_with_a_checkpoint_is_named(state: State, tmp_path: Path) -> None:
    file = tmp_path / "x.ckpt"
    lightning(file, {n: each for n, each in state.items() if n != "editing_netV"})
    with pytest.raises(KeywarpError, match="looks like an AniMo checkpoint, but its editing_netV is missing"):
        model_at(file)
    less = {k: v for k, v in state["warpping_netA"].items() if k != "flow_out.2.bias"}
    lightning(file, {**state, "warpping_netA": less})
    with pytest.raises(KeywarpError, match=r"in its warpping_netA 1 of .*flow_out\.2\.bias"):
        model_at(file)
    wrong = {**state["mapping_net"], "encoder1.1.bias": np.zeros(3, np.float32)}
    lightning(file, {**state, "mapping_net": wrong})
    with pytest.raises(KeywarpError, match=r"encoder1.1.bias has the shape \(3,\) instead of \(16,\)"):
        model_at(file)
    file.write_bytes(lightning(file, state).read_bytes()[:20000])
    with pytest.raises(KeywarpError, match=r"x\.ckpt is not a PyTorch checkpoint, or only part of one"):
        model_at(file)


def test_the_graphs_answer_as_pytorch_does(narrow: AniMoSource) -> None:
    import onnxruntime as ort

    from keywarp.core.models.animo.loading import networks_of
    from keywarp.core.models.animo.networks import backward_map, resized_map

    folder, networks = narrow.export(), networks_of(narrow.state)
    random = np.random.default_rng(5)
    picture = random.uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    pose = random.uniform(-1, 1, (1, 70)).astype(np.float32)

    def run(name: str, **given: np.ndarray) -> dict[str, np.ndarray]:
        session = ort.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        outputs = [each.name for each in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, given), strict=True))

    posed = run("pose", picture=picture, pose=pose, **run("source", picture=picture))
    with torch.no_grad():
        answer = networks(torch.from_numpy(picture), torch.from_numpy(pose))
    np.testing.assert_allclose(posed["output"], answer.output, atol=1e-3)
    np.testing.assert_allclose(posed["grid"], resized_map(backward_map(answer.flow), SIDE, SIDE), atol=1e-3)


def picture() -> np.ndarray:
    y, x = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE * 2 - 1
    alpha = np.clip((0.7 - np.hypot(x, y)) * 12, 0, 1)[..., None]
    colour = np.stack([0.6 + 0.3 * np.sin(5 * x), 0.4 + 0.2 * np.sin(4 * y), np.full_like(x, 0.2)], -1)
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)


def test_the_neutral_pose_is_the_rest(narrow: AniMoSource) -> None:
    animator = narrow.open("cpu")
    state = animator.prepare(picture(), Framing.of_square(0, 0, SIDE))
    rest = animator.motion(state, SPACE.rest())
    assert rest.painted.max() == 0
    posed = animator.motion(state, SPACE.pose({"mouth_a": 1, "yaw": 15}))
    assert np.abs(rest.flow).max() == 0
    assert np.abs(posed.flow).max() > 0.01
    for motion in (rest, posed):
        assert motion.image.flags.c_contiguous
        assert motion.flow.flags.c_contiguous
        assert motion.image.min() >= 0
        assert motion.image.max() <= 1
        assert (motion.image[..., :3] <= motion.image[..., 3:] + 1e-6).all()


def test_a_constant_flow_moves_the_picture(narrow: AniMoSource, tmp_path: Path) -> None:
    """The flow layer answers a fixed shift of 2 of its 16 pixels, which is an eighth of the picture."""
    state = {network: dict(each) for network, each in narrow.state.items()}
    out = dict(state["warpping_netA"])
    out["flow_out.2.weight"] = np.zeros_like(out["flow_out.2.weight"])
    out["flow_out.2.bias"] = np.array([-2, 0], np.float32)
    state["warpping_netA"] = out
    animator: Any = opened(model_at(lightning(tmp_path / "shift.ckpt", state))).open("cpu")
    prepared = animator.prepare(picture(), Framing.of_square(0, 0, SIDE))
    inside = slice(12, -12)
    np.testing.assert_allclose(prepared.rest_flow[inside, inside, 0].mean(), -2 * 2 / 15, atol=0.01)
    np.testing.assert_allclose(prepared.rest_flow[inside, inside, 1].mean(), 0, atol=0.01)
    # The alpha goes along, and the network's constant shift is no motion of the character.
    alphas = (picture()[..., 3], prepared.rest_image[..., 3])
    columns = [(alpha.sum(0) @ np.arange(SIDE)) / alpha.sum() for alpha in alphas]
    assert columns[1] - columns[0] == pytest.approx(SIDE / 2 * 2 * 2 / 15, abs=1.5)
    assert np.abs(animator.motion(prepared, SPACE.rest()).flow).max() == 0


def test_human_motion_comes_in_through_arkit() -> None:
    """A tracked face opens its mouth and turns: AniMo's pose has both."""
    lips = {"mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5}
    face = space("arkit52").pose({"jawOpen": 1.0, "head_yaw": 10.0, **lips})
    pose = convert(face, "arkit52", "animeceleb20")
    assert pose[SPACE.index("mouth_a")] > 0.5
    assert abs(pose[SPACE.index("yaw")]) > 5
