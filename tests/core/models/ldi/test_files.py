# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the family on disk: recognised, or refused with what is missing; and the exported network's numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelSource
from keywarp.core.models.exported import CARD_FILE, PREPARE_FILE, Card
from keywarp.core.models.ldi import FAMILY
from keywarp.core.models.ldi.files import LAYERS_FILE, PICTURE_FILE
from keywarp.core.models.registry import find_model
from keywarp.core.training.recipe import Recipe, load_recipe, presets
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from .conftest import SIDE, Baked

SMALL = 64


@pytest.fixture
def folder(baked: Baked, tmp_path: Path) -> Path:
    """A copy of the baked character, to be damaged."""
    return Path(shutil.copytree(baked.folder, tmp_path / "who"))


def test_a_baked_folder_is_recognised(baked: Baked) -> None:
    assert sorted(path.name for path in baked.folder.iterdir()) == [
        *(CARD_FILE, PICTURE_FILE, "character.yaml", LAYERS_FILE)
    ]
    for path in (baked.folder, baked.folder / CARD_FILE, baked.folder / LAYERS_FILE):
        info = find_model(path).info
        assert (info.family, info.space, info.side) == ("ldi", "tha45", SIDE)
        assert info.picture == baked.folder / PICTURE_FILE
        assert info.rest == {"mouth_aaa": 0.0}
        assert info.licence == "CC0-1.0"


def opened(path: Path) -> ModelSource:
    source = find_model(path)
    source.open("cpu")
    return source


def card(**changed: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        said = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        (folder / CARD_FILE).write_text(json.dumps({**said, **changed}), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / PICTURE_FILE).unlink(), "character.png beside them is missing"),
        (lambda folder: (folder / LAYERS_FILE).unlink(), "neither prepare.onnx nor layers.npz beside it"),
        (lambda folder: (folder / LAYERS_FILE).write_bytes(b"PK"), "no whole layered picture"),
        (card(space="au17", rest=None), "posed in tha45"),
        (card(side=SIDE * 2), "256 pixels wide, its card says 512"),
        (card(rest={"mouth": 0}), "'mouth', which is no channel of tha45"),
        (card(rest={"mouth_aaa": "shut"}), "finite numbers"),
        (card(rest={"mouth_aaa": float("nan")}), "finite numbers"),
        (card(rest=[0]), "finite numbers"),
    ],
)
def test_what_is_missing_or_wrong_is_named(folder: Path, change: Callable[[Path], object], said: str) -> None:
    change(folder)
    with pytest.raises(KeywarpError) as caught:
        opened(folder)
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def recipe(**changed: Any) -> Recipe:
    found = load_recipe(FAMILY.recipes, "ldi", "animator")
    return replace(found, side=SMALL, network={"width": 8, "blocks": 1, "head": 8}, **changed)


def test_every_preset_is_a_recipe() -> None:
    from keywarp.core.models.ldi.settings import Settings

    for name in presets(FAMILY.recipes):
        Settings.of(load_recipe(FAMILY.recipes, "ldi", name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"depth": 3}}, "no network setting depth"),
        ({"network": {"width": "wide"}}, "no network setting width"),
        ({"network": {"width": 20}}, "multiples of 8"),
        ({"network": {"width": 0}}, "multiples of 8"),
        ({"losses": {"style": 1}}, "no loss 'style'"),
        ({"space": "au17"}, "not in au17"),
        ({"side": 72}, "multiple of 32, not 72"),
    ],
)
def test_a_setting_that_there_is_not_is_named(changed: dict[str, Any], said: str) -> None:
    from keywarp.core.models.ldi.settings import Settings

    with pytest.raises(KeywarpError) as caught:
        Settings.of(replace(recipe(), **changed))
    assert said in str(caught.value)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with a network of random weights, and the network."""
    torch = pytest.importorskip("torch")
    from keywarp.core.models.ldi.networks import RigNet
    from keywarp.core.models.ldi.settings import Settings

    torch.manual_seed(3)
    network = RigNet(Settings.of(recipe())).eval()
    torch.nn.init.normal_(network.joints.weight, std=0.05)  # as drawn it says the same of every picture
    weights = {f"rig.{name}": value.numpy() for name, value in network.state_dict().items()}
    folder = tmp_path_factory.mktemp("exported")
    for name, graph in FAMILY.export(recipe(), weights).items():
        onnx.save(graph, str(folder / name))
    facts = Card("ldi", "a test", "tha45", SMALL, 1234, "CC0", "nobody", rest={"mouth_aaa": 0})
    (folder / CARD_FILE).write_text(facts.text(), encoding="utf-8")
    return folder, network


def picture(side: int) -> Any:
    random = np.random.Generator(np.random.PCG64(1))
    out = random.random((side, side, 4), np.float32)
    out[..., 3] = out[..., 3] > 0.2
    out[..., :3] *= out[..., 3:]
    return out


def test_the_exported_graph_answers_as_pytorch_does(exported: tuple[Path, Any]) -> None:
    """Its weights are stored in half precision."""
    import onnxruntime as ort
    import torch

    from keywarp.core.models.blocks import to_network

    folder, network = exported
    session = ort.InferenceSession(str(folder / PREPARE_FILE), providers=["CPUExecutionProvider"])
    rest = np.ascontiguousarray(picture(SMALL).transpose(2, 0, 1)[None])
    found = dict(zip(("fields", "joints"), session.run(["fields", "joints"], {"rest": rest}), strict=True))
    with torch.no_grad():
        wanted = network(to_network(torch.from_numpy(rest)))
    for name, value in found.items():
        assert np.ptp(wanted[name].numpy()) > 0.05
        assert np.abs(value - wanted[name].numpy()).max() < 2e-3, name
    stored = onnx.load(str(folder / PREPARE_FILE)).graph.initializer
    parameters = sum(p.numel() for p in network.parameters())
    assert sum(len(tensor.raw_data) for tensor in stored) < 2.6 * parameters


def test_a_network_is_recognised_and_poses_any_picture(exported: tuple[Path, Any]) -> None:
    source = find_model(exported[0])
    assert (source.info.family, source.info.picture) == ("ldi", None)
    assert source.info.rest == {"mouth_aaa": 0}
    animator = source.open("cpu")
    state = animator.prepare(picture(200), Framing.of_square(0, 0, 200))
    motion = animator.motion(state, space("tha45").pose({"mouth_aaa": 0.0, "head_y": 0.5}))
    assert motion.image.shape == (SMALL, SMALL, 4)
    assert (motion.image[..., :3] <= motion.image[..., 3:] + 1e-5).all()
    for part in (motion.image, motion.flow, motion.painted):
        assert np.isfinite(part).all()


def test_a_graph_of_something_else_is_refused(exported: tuple[Path, Any], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported[0], tmp_path / "net"))
    card(side=SMALL * 2)(folder)
    with pytest.raises(KeywarpError, match="the card beside it stands for a graph that takes"):
        find_model(folder)
    (folder / PREPARE_FILE).write_bytes(b"no graph")
    with pytest.raises(KeywarpError, match=PREPARE_FILE):
        find_model(folder)
