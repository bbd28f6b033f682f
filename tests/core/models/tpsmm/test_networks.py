# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM's networks answer as the published ones do, with the published layout of weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.tpsmm.layout import Form, form_of, network_shapes

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]


def shapes_of(state: State) -> dict[str, dict[str, tuple[int, ...]]]:
    return {name: {k: np.shape(v) for k, v in tensors.items()} for name, tensors in state.items()}


def test_the_published_layout_is_the_default_form(vox_state: State) -> None:
    assert form_of(shapes_of(vox_state)) == Form()
    assert network_shapes(Form()) == shapes_of(vox_state)


@pytest.mark.parametrize(
    "form",
    [
        Form(),
        Form(background=False),
        Form(avd=False),
        Form(many_masks=False),
        Form(
            splines=4,
            encoder_width=16,
            motion_width=16,
            motion_limit=128,
            inpainting_width=16,
            inpainting_limit=128,
        ),
        Form(inpainting_limit=1024, inpainting_depth=4, bottleneck=64),
        Form(2, True, True, 8, 8, 32, 3, 8, 32, 3, True, 16),
    ],
)
def test_every_form_is_told_from_its_shapes(form: Form) -> None:
    from keywarp.core.models.tpsmm.networks import Tpsmm

    with torch.device("meta"):
        networks = Tpsmm(form)
    built: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, value in networks.state_dict().items():
        network, tensor = name.split(".", 1)
        built.setdefault(network, {})[tensor] = tuple(value.shape)
    assert built == network_shapes(form)
    assert form_of(built) == form


@pytest.fixture(scope="module")
def answers(reference: Path) -> Any:
    with np.load(reference / "tpsmm_vox.reference.npz") as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


@pytest.fixture(scope="module")
def vox(vox_state: State) -> Iterator[Any]:
    from keywarp.core.models.tpsmm.loading import networks_of

    with torch.no_grad():
        yield networks_of(vox_state)


@pytest.fixture(scope="module")
def pictures(recipe: ModuleType) -> Any:
    return tuple(torch.from_numpy(recipe.image(256, 3, seed) * 0.5 + 0.5)[None] for seed in (11, 12))


def apart(answer: Any, stored: np.ndarray) -> float:
    return float(np.abs(answer.numpy() - stored).max())


def test_keypoints_and_background_are_the_published_ones(vox: Any, pictures: Any, answers: Any) -> None:
    source, driving = (vox.kp_detector(picture) for picture in pictures)
    assert apart(source, answers["kp_source"]) <= 1e-4
    assert apart(driving, answers["kp_driving"]) <= 1e-4
    assert apart(vox.avd_network(source, driving), answers["kp_avd"]) <= 1e-4
    assert apart(vox.bg_predictor(*pictures), answers["bg_param"]) <= 1e-4


@pytest.mark.slow
def test_motion_masks_and_picture_are_the_published_ones(vox: Any, pictures: Any, answers: Any) -> None:
    given = (torch.from_numpy(answers[name]) for name in ("kp_source", "kp_driving", "bg_param"))
    inpainted, motion = vox(pictures[0], *given)
    assert apart(motion.deformation, answers["deformation"]) <= 1e-3
    assert len(motion.masks) == 4
    for i, mask in enumerate(motion.masks):
        assert apart(mask[:, :, ::2, ::2], answers[f"occlusion_{i}"]) <= 2e-3
    assert apart(inpainted.prediction[:, :, ::2, ::2], answers["prediction"]) <= 2e-3


def test_contributions_sum_to_one_with_and_without_dropout() -> None:
    from keywarp.core.models.tpsmm.networks import mixed

    logits = torch.randn(64, 11, 2, 2, generator=torch.Generator().manual_seed(1))
    plain, dropped = mixed(logits, 0.0), mixed(logits, 0.5)
    assert torch.allclose(plain.sum(1), torch.ones(64, 2, 2))
    assert torch.allclose(dropped.sum(1), torch.ones(64, 2, 2), atol=1e-3)
    # Equations 7 and 8: some splines take no part, the background always does, what is left keeps its ratios.
    silent = (dropped == 0).all((2, 3))
    assert not silent[:, 0].any()
    assert 0.35 < silent[:, 1:].float().mean() < 0.65
    kept = ~silent[0, 1:]
    ratio = dropped[0, 1:][kept] / plain[0, 1:][kept]
    assert torch.allclose(ratio, ratio[:1].expand_as(ratio), rtol=1e-4)
    # Their expected share before normalisation is what it was: each weighs 1 / (1 - P).
    background = dropped[0, 0] / plain[0, 0]
    assert torch.allclose(ratio[0] / background, torch.full_like(background, 2.0), rtol=1e-4)
