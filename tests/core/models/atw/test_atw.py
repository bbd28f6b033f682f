# SPDX-License-Identifier: GPL-3.0-or-later
"""ATW's networks: what the paper fixes, and that the exported graphs answer as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.atw import FAMILY
from keywarp.core.models.exported import CARD_FILE, Card
from keywarp.core.models.registry import find_model
from keywarp.core.resample import warp_by_flow
from keywarp.core.training.recipe import Recipe, load_recipe
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")


def recipe(preset: str = "small", **network: Any) -> Recipe:
    found = load_recipe(FAMILY.recipes, "atw", preset)
    return replace(found, network={**found.network, **network})


def learner(given: Recipe) -> Any:
    from keywarp.core.training.losses import detail_difference

    torch.manual_seed(1)
    made = FAMILY.learner(given, detail_difference)
    # As drawn, the last layers answer next to nothing; a trained network does not.
    for closing in (
        made.generator.motion.closing,
        made.generator.refinement.closing,
        made.generator.motion.common,
    ):
        if closing is not None:
            torch.nn.init.normal_(closing.weight, std=0.05)
    return made


def kept_weights(made: Any) -> dict[str, np.ndarray]:
    return {f"generator.{name}": value.numpy() for name, value in made.generator.state_dict().items()}


def picture(side: int, seed: int = 0) -> np.ndarray:
    """(side, side, 4) premultiplied: soft blobs, a quarter of them transparent."""
    random = np.random.Generator(np.random.PCG64(seed))
    small = random.random((5, 5, 4)).astype(np.float32)
    from keywarp.core.opencv import cv2

    out = np.clip(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC) * 1.3 - 0.15, 0, 1)
    out[..., :3] *= out[..., 3:]
    return out


def parameters(preset: str) -> int:
    return sum(p.numel() for p in learner(recipe(preset)).generator.parameters())


@pytest.mark.parametrize("preset", ["paper", "animator"])
def test_the_generator_has_as_many_parameters_as_the_paper_says(preset: str) -> None:
    assert 2.7e6 <= parameters(preset) <= 9.4e6


def test_the_small_preset_has_every_block_of_the_paper() -> None:
    def kinds(preset: str) -> list[str]:
        generator = learner(recipe(preset, modulated=False)).generator
        return [f"{name} {type(module).__name__}" for name, module in generator.named_modules()]

    assert kinds("small") == kinds("paper")
    generator = learner(recipe()).generator
    assert (len(generator.motion.blocks), len(generator.refinement.blocks)) == (6, 4)
    assert not any("Norm" in type(module).__name__ for module in generator.refinement.modules())
    norms = [module for module in generator.motion.modules() if isinstance(module, torch.nn.InstanceNorm2d)]
    assert len(norms) == 1 + 2 + 12 + 2


def test_the_flow_is_bounded_and_the_warped_picture_is_what_it_says() -> None:
    made = learner(recipe(reach=0.3))
    with torch.no_grad():
        made.generator.motion.closing.weight *= 100
        rest = picture(64)
        given = torch.from_numpy(rest.transpose(2, 0, 1)[None] * 2 - 1)
        out = made.generator(given, torch.ones(1, 22))
    flow = out["flow"][0].permute(1, 2, 0).numpy()
    assert 0.25 < np.abs(flow).max() <= 0.3
    warped = out["warped"][0].permute(1, 2, 0).numpy() * 0.5 + 0.5
    assert np.abs(warped - warp_by_flow(rest, flow)).max() < 0.03  # OpenCV counts in 32nds of a pixel
    assert np.abs(warped - warp_by_flow(rest, flow)).mean() < 1e-3


@pytest.mark.parametrize("modulated", [False, True])
def test_the_driving_signal_reaches_the_flow(modulated: bool) -> None:
    """Instance normalisation takes constant planes away; the signal must have been used before."""
    made = learner(recipe(modulated=modulated))
    given = torch.from_numpy(picture(64).transpose(2, 0, 1)[None] * 2 - 1)
    with torch.no_grad():
        one, other = (made.generator(given, torch.eye(22)[i : i + 1])["flow"] for i in (0, 5))
    assert (one - other).abs().max() > 0.01 * one.abs().max()


CASES = {
    "pairs": ("small", {}),
    "not modulated": ("small", {"modulated": False}),
    "motion at half the size, with places": ("small", {"motion_scale": 2, "placed": True, "common": True}),
    "painting that is not learned": ("paper", {"width": 8, "critic_width": 8}),
    "categories": ("categories", {"width": 8, "critic_width": 8}),
    "placed categories": ("categories", {"width": 8, "critic_width": 8, "placed": True, "common": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_exported_graphs_answer_as_pytorch_does(
    case: str, refused_by_cuda: Callable[[onnx.ModelProto], list[str]]
) -> None:
    given = replace(recipe(CASES[case][0], **CASES[case][1]), side=64)
    made = learner(given)
    graphs = FAMILY.export(given, kept_weights(made))
    random = np.random.Generator(np.random.PCG64(3))
    poses = space(given.space)
    pose = random.uniform(poses.minimum, poses.maximum).astype(np.float32)[None]
    if made.settings.categories:
        pose /= pose.sum() * 1.5
    feeds = {"rest": picture(64).transpose(2, 0, 1)[None].copy()}
    for name in ("prepare.onnx", "motion.onnx"):
        if name in graphs:
            session = ort.InferenceSession(
                graphs[name].SerializeToString(), providers=["CPUExecutionProvider"]
            )
            names = [out.name for out in session.get_outputs()]
            needed = {i.name for i in session.get_inputs()}
            everything = {**feeds, "pose": pose}
            answers = session.run(names, {key: x for key, x in everything.items() if key in needed})
            feeds.update(zip(names, answers, strict=True))
        assert name not in graphs or refused_by_cuda(graphs[name]) == []
    from keywarp.core.training.learner import Batch

    rest = torch.from_numpy(feeds["rest"])
    batch = Batch(rest, rest, torch.from_numpy(pose), *[torch.zeros(1)] * 6)
    wanted = made.answer(batch)
    assert np.abs(feeds["image"] - wanted.image.numpy()).max() < 1e-3
    assert np.abs(feeds["flow"] - wanted.flow.numpy()).max() < 1e-3
    assert np.abs(wanted.flow.numpy()).max() > 0.01
    if given.losses.get("painted"):
        assert np.abs(feeds["painted"] - wanted.painted.numpy()).max() < 1e-3
    else:
        assert 0 < feeds["painted"].mean() < 1


@pytest.fixture
def model(tmp_path: Path) -> Path:
    given = recipe()
    folder = tmp_path / "model"
    folder.mkdir()
    for name, graph in FAMILY.export(given, kept_weights(learner(given))).items():
        onnx.save(graph, str(folder / name))
    card = Card("atw", "a test", given.space, given.side, 1234, "CC0", "nobody")
    (folder / CARD_FILE).write_text(card.text(), encoding="utf-8")
    return folder


def test_a_model_is_found_and_animates_any_picture(model: Path) -> None:
    source = find_model(model)
    assert (source.info.family, source.info.space, source.info.side) == ("atw", "animeceleb20gaze", 64)
    assert (source.info.licence, source.info.picture) == ("CC0", None)
    animator = source.open("cpu")
    state = animator.prepare(picture(300), Framing.of_square(0, 0, 300))
    found = animator.motion(state, space("animeceleb20gaze").pose({"yaw": 15.0}))
    assert found.image.shape == (64, 64, 4)
    assert (found.image[..., :3] <= found.image[..., 3:]).all()
    assert find_model(model / "motion.onnx").info == source.info


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "motion.onnx").unlink(), "motion.onnx beside it is missing"),
        (lambda folder: (folder / "motion.onnx").write_bytes(b"ONNX"), "no whole ONNX file"),
        (lambda folder: _card(folder, side=128), r"takes .*64.*128"),
        (lambda folder: _card(folder, space="au17"), "stands for a graph"),
        (lambda folder: _card(folder, space="nothing"), "no pose space"),
        (lambda folder: _card(folder, side="wide"), "whole numbers"),
        (lambda folder: _card(folder, family="other"), "holds no weights"),
        (lambda folder: _card(folder, head=[0, 0]), "three numbers"),
        (lambda folder: _card(folder, head=[0, 0, float("nan")]), "three numbers"),
        (lambda folder: _card(folder, keywarp_model=7), "version 7"),
    ],
)
def test_a_damaged_model_is_named_for_what_it_is(
    model: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(model)
    with pytest.raises(KeywarpError, match=said):
        find_model(model)


def _card(folder: Path, **changed: Any) -> None:
    import json

    path = folder / CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.parametrize("loss", ["cycle", "adversarial", "driving", "warp", "refine"])
def test_every_loss_of_equation_10_can_be_left_out(loss: str) -> None:
    """Table 2."""
    given = replace(recipe("paper", width=4, critic_width=4), side=32)
    given = replace(given, losses={**given.losses, loss: 0})
    made = learner(given)
    from keywarp.core.training.learner import batch_of
    from keywarp.core.training.sample import Example

    one = picture(32)
    nothing = np.zeros((32, 32, 3), np.float32)
    pose = space("au17").rest() + 1
    example = Example("a", one, one, pose, False, nothing[..., :2], nothing[..., 0], False, nothing)
    batch = batch_of([example] * 2)
    terms = {name for turn in made.turns for name in made.losses(turn.name, batch)}
    critics = {"adversarial": {"critic", "penalty"}, "driving": {"critic_driving"}, "warp": {"critic_warp"}}
    everything = {"cycle", "refine", "adversarial", "driving", "warp"}.union(*critics.values())
    assert terms == everything - {loss} - critics.get(loss, set())


def test_a_setting_that_there_is_not_is_named() -> None:
    with pytest.raises(KeywarpError, match="no network setting depth"):
        learner(recipe(depth=3))
    with pytest.raises(KeywarpError, match="no loss 'style'"):
        learner(replace(recipe(), losses={"style": 1}))
    with pytest.raises(KeywarpError, match="multiple of 16"):
        learner(replace(recipe(), side=100))
