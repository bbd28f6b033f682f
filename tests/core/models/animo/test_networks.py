# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's networks answer as the published ones do, with the published layout of weights."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.animo.layout import Form, form_of, network_shapes

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def state(recipe: ModuleType, reference: Path) -> State:
    filled: State = recipe.state_dict(reference / "animo.keys.json")
    return filled


@pytest.fixture(scope="module")
def stored(reference: Path) -> Any:
    with np.load(reference / "animo.reference.npz") as answers:
        return {name: answers[name].astype(np.float32) for name in answers.files}


def test_the_published_layout_is_the_default_form(state: State) -> None:
    shapes = {name: {k: np.shape(v) for k, v in tensors.items()} for name, tensors in state.items()}
    assert form_of(shapes) == Form()
    assert network_shapes(Form()) == shapes


@pytest.mark.parametrize(
    "form", [Form(), Form(16, 2, 8, 32, 4, 2, 8, 32, 2, 1), Form(warping_limit=512, editing_limit=512)]
)
def test_every_form_is_told_from_its_shapes(form: Form) -> None:
    from keywarp.core.models.animo.networks import AniMo

    with torch.device("meta"):
        networks = AniMo(form)
    built: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, value in networks.state_dict().items():
        network, tensor = name.split(".", 1)
        built.setdefault(network, {})[tensor] = tuple(value.shape)
    assert built == network_shapes(form)
    assert form_of(built) == form


@pytest.mark.slow
def test_answers_are_the_published_ones(state: State, stored: Any, recipe: ModuleType) -> None:
    from keywarp.core.models.animo.loading import networks_of

    networks = networks_of(state)
    picture = torch.from_numpy(recipe.image(256, 3, 31))[None]
    for seed in (1, 2):
        pose = torch.from_numpy(stored[f"pose70_{seed}"])[None]
        with torch.no_grad():
            code, answer = networks.mapping_net(pose), networks(picture, pose)
        np.testing.assert_allclose(code, stored[f"descriptor_{seed}"], atol=1e-4)
        np.testing.assert_allclose(answer.flow, stored[f"flow_{seed}"], atol=1e-3)
        np.testing.assert_allclose(answer.warped[:, :, ::2, ::2], stored[f"warp_{seed}"], atol=2e-3)
        np.testing.assert_allclose(answer.output[:, :, ::2, ::2], stored[f"output_{seed}"], atol=2e-3)


def test_a_shift_of_the_flow_is_opencvs_remap() -> None:
    import cv2

    from keywarp.core.models.animo.networks import backward_map, sampled

    random = np.random.default_rng(4)
    picture = random.random((32, 32)).astype(np.float32)
    flow = random.uniform(-6, 6, (1, 2, 32, 32)).astype(np.float32)
    grid = backward_map(torch.from_numpy(flow))
    mine = sampled(torch.from_numpy(picture[None, None]), grid)[0, 0].numpy()
    # Units with the outermost centres at -1 and 1 on the way in, the picture's edges there on the way out.
    y, x = np.mgrid[0:32, 0:32].astype(np.float32)
    unit = [(place + moved) * 2 / 31 - 1 for place, moved in ((x, flow[0, 0]), (y, flow[0, 1]))]
    where = [((value + 1) * 32 - 1) / 2 for value in unit]
    theirs = cv2.remap(picture, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(mine - theirs).max() < 0.05  # OpenCV rounds places to 1/32 of a pixel
    assert np.abs(mine - theirs).mean() < 0.01
