# SPDX-License-Identifier: GPL-3.0-or-later
"""HFWB's networks: the paper's equations, its variants, and that the exported graph answers as PyTorch does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from keywarp.core.models.exported import CARD_FILE, Card
from keywarp.core.models.hfwb import FAMILY
from keywarp.core.models.hfwb.settings import VARIANTS, face_columns, head_columns
from keywarp.core.models.registry import find_model
from keywarp.core.training.recipe import Recipe, load_recipe
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")

SIDE = 64


def recipe(preset: str = "small", **network: Any) -> Recipe:
    found = load_recipe(FAMILY.recipes, "hfwb", preset)
    return replace(found, side=SIDE, network={**found.network, "width": 8, "critic_width": 4, **network})


def learner(given: Recipe) -> Any:
    from keywarp.core.training.losses import detail_difference

    torch.manual_seed(1)
    made = FAMILY.learner(given, detail_difference)
    if made.model.grid is not None:  # as drawn it answers next to nothing; a trained one does not
        torch.nn.init.normal_(made.model.grid.grid.weight, std=0.05)
    return made


def batch(given: Recipe, poses: np.ndarray) -> Any:
    """Soft blobs with these poses, (N, C); what is posed is the mirrored picture."""
    from keywarp.core.training.learner import Batch

    torch.manual_seed(2)
    small = torch.rand(len(poses), 4, 5, 5)
    rest = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    rest[:, :3] *= rest[:, 3:]
    n = len(poses)
    return Batch(
        rest,
        rest.flip(3),
        torch.from_numpy(poses).float(),
        torch.ones(n, dtype=torch.bool),
        torch.zeros(n, 2, SIDE, SIDE),
        torch.ones(n, 1, SIDE, SIDE),
        torch.ones(n, dtype=torch.bool),
        torch.zeros(n, 3, SIDE, SIDE),
        torch.zeros(n, dtype=torch.long),
    )


def random_poses(name: str, count: int) -> np.ndarray:
    of, random = space(name), np.random.Generator(np.random.PCG64(5))
    return random.uniform(of.minimum, of.maximum, (count, len(of)))


def test_eyes_and_mouth_drive_the_face_stage_and_rotations_the_head_stage() -> None:
    assert (face_columns("anitalk6"), head_columns("anitalk6")) == ([0, 1, 2], [3, 4, 5])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_exported_graph_answers_as_pytorch_does(variant: str) -> None:
    given = recipe(variant=variant)
    made = learner(given)
    weights = {
        f"{name}.{key}": value.numpy()
        for name in made.kept
        for key, value in made.networks[name].state_dict().items()
    }
    graph = FAMILY.export(given, weights)["motion.onnx"]
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    one = batch(given, random_poses(given.space, 1))
    names = ["image", "flow", "painted"]
    answers = session.run(names, {"rest": one.rest.numpy(), "pose": one.pose.numpy()})
    wanted = made.answer(one)
    for name, found in zip(names, answers, strict=True):
        assert np.abs(found - getattr(wanted, name).numpy()).max() < 1e-3, name
    assert (np.abs(answers[1]).max() > 0.01) == (variant != "baseline")


def test_a_head_pose_is_taken_in_k_steps() -> None:
    """k steps of a k-th each: with blocks that add nothing and an attention that keeps nothing, k times the step."""
    made = learner(recipe(iterations=4)).model.grid
    seen: list[Any] = []
    made.blocks.register_forward_hook(lambda module, given, out: seen.append(given[0].detach()))
    pose = torch.ones(1, len(head_columns("animeceleb20gaze")))
    picture = torch.rand(1, 4, SIDE, SIDE)
    with torch.no_grad():
        made(picture, pose)
        start = made.encoder(picture)[-1]
        small = made.pose(pose / 4)[:, :, None, None]
    assert len(seen) == 4
    assert torch.allclose(seen[0], start + small)
    one = learner(recipe(iterations=4, variant="baseline_grid")).model.grid
    assert one.steps == 1


def test_selective_fusion_follows_equations_2_to_5() -> None:
    from keywarp.core.models.hfwb.networks import SelectiveFusion

    torch.manual_seed(3)
    unit = SelectiveFusion(6, 10).eval()
    here, below = torch.randn(1, 6, 8, 8), torch.randn(1, 10, 4, 4)
    with torch.no_grad():
        f_u = unit.up(below)
        out = unit(here, below)

        def conv(layer: Any, x: Any) -> Any:
            return torch.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)

        r = 1 / (1 + torch.exp(-conv(unit.reset, torch.cat([here, f_u], 1))))
        z = 1 / (1 + torch.exp(-conv(unit.update, torch.cat([here, f_u], 1))))
        q = torch.tanh(conv(unit.candidate, torch.cat([f_u * r, here], 1)))
    assert torch.allclose(out, z * q + (1 - z) * f_u, atol=1e-6)


def test_stages_learn_in_their_own_phases_with_the_losses_of_equation_10() -> None:
    given = recipe("paper", mask_blocks=1, grid_blocks=1, blend_blocks=1)
    made = learner(given)
    assert [phase.name for phase in given.phases] == [
        turn.phases[0] for turn in made.turns if turn.name in ("mask", "grid", "blend")
    ]
    assert all(turn.phases for turn in made.turns)
    many = batch(given, random_poses(given.space, 2))
    terms = {turn.name: set(made.losses(turn.name, many)) for turn in made.turns}
    drawing = ("content", "perceptual", "adversarial")
    assert terms == {
        "mask_critic": {"mask_critic", "mask_penalty"},
        "mask": {f"mask_{name}" for name in drawing},
        "grid": {"grid_content", "grid_perceptual", "grid_offset"},
        "blend_critic": {"blend_critic", "blend_penalty"},
        "blend": {f"blend_{name}" for name in drawing},
    }


def test_the_face_stage_does_not_learn_from_turned_heads() -> None:
    """A picture with its head turned teaches it to leave the rest picture as it is."""
    given = recipe()
    made = learner(given)
    turned = batch(given, space(given.space).pose({"yaw": 20.0})[None])
    frontal = batch(given, space(given.space).pose({"mouth_a": 1.0})[None])
    assert torch.equal(made._heads_at_rest(turned).posed, turned.rest)
    assert torch.equal(made._heads_at_rest(frontal).posed, frontal.posed)


def test_a_model_is_found_and_animates_any_picture(tmp_path: Path) -> None:
    from keywarp.core.framing import Framing

    given = recipe()
    made = learner(given)
    weights = {
        f"{name}.{key}": x.numpy()
        for name in made.kept
        for key, x in made.networks[name].state_dict().items()
    }
    for name, graph in FAMILY.export(given, weights).items():
        onnx.save(graph, str(tmp_path / name))
    card = Card("hfwb", "a test", given.space, given.side, 1234, "CC0", "nobody")
    (tmp_path / CARD_FILE).write_text(card.text(), encoding="utf-8")
    animator = find_model(tmp_path).open("cpu")
    picture = np.random.default_rng(0).random((200, 200, 4), np.float32)
    picture[..., :3] *= picture[..., 3:]
    motion = animator.motion(
        animator.prepare(picture, Framing.of_square(0, 0, 200)), space(given.space).pose({"yaw": 15.0})
    )
    assert motion.image.shape == (SIDE, SIDE, 4)
    assert (motion.image[..., :3] <= motion.image[..., 3:] + 1e-6).all()


def test_a_setting_that_there_is_not_is_named() -> None:
    with pytest.raises(KeywarpError, match="no network setting 'depth'"):
        learner(recipe(depth=3))
    with pytest.raises(KeywarpError, match="no variant 'half'"):
        learner(recipe(variant="half"))
    with pytest.raises(KeywarpError, match="no loss 'style'"):
        learner(replace(recipe(), losses={"style": 1}))
