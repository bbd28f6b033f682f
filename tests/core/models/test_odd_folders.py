# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported models whose files are damaged, missing or another model's, and checkpoints under other names."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from keywarp.core.models.exported import CARD_FILE, Card
from keywarp.core.models.registry import model_at
from keywarp.core.runtime.graph import Graph
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SIDE = 64
GRAPHS = {
    "tpsmm": {"keypoints": ["points"], "source": ["reduced"], "pose": ["prediction", "grid", "mask"]},
    "animo": {"source": ["map_0"], "pose": ["output", "grid"]},
}
"""What the graphs of a trained model answer with."""


def complaint(path: Path) -> str:
    with pytest.raises(KeywarpError) as caught:
        model_at(path)
    return str(caught.value)


def graph(path: Path, answers: list[str], side: int = SIDE) -> None:
    made = Graph(path.stem)
    picture = made.input("picture", [1, 3, side, side])
    for name in answers:
        made.output(name, made.op("Identity", picture), [1, 3, side, side])
    onnx.save(made.build(), str(path))


@pytest.fixture(params=sorted(GRAPHS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(family: str, tmp_path: Path) -> Path:
    """A model as `keywarp export` makes it, with graphs that do nothing."""
    made = tmp_path / family
    made.mkdir()
    for name, answers in GRAPHS[family].items():
        graph(made / f"{name}.onnx", answers)
    taken = {"tpsmm": "driving", "animo": "animeceleb20"}[family]
    (made / CARD_FILE).write_text(Card(family, "a test", space(taken).name, SIDE, 7).text(), encoding="utf-8")
    np.save(made / "pose_mapping.npy", np.eye(17, 64, dtype=np.float32))
    return made


def test_a_graph_that_is_damaged_or_another_models(family: str, folder: Path) -> None:
    assert model_at(folder).info.family == family
    path = folder / "pose.onnx"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no graph"):
        path.write_bytes(damaged)
        for asked in (folder, path):
            assert f"{path} is no whole ONNX file" in complaint(asked)
    graph(path, ["image", "flow", "painted"])
    assert f"pose.onnx is not that of {family}: it gives image, flow, painted instead of" in complaint(folder)
    graph(path, GRAPHS[family]["pose"], SIDE // 2)
    assert "is for pictures of 32 pixels, the card beside it for 64" in complaint(folder)
    path.unlink()
    assert f"has a card of {family}, but pose.onnx beside it is missing" in complaint(folder)


def test_a_card_that_is_damaged_unknown_or_missing(folder: Path) -> None:
    card = folder / CARD_FILE
    whole = card.read_text()
    card.write_text(whole[: len(whole) // 2])
    assert "its card.json is damaged, or no model's" in complaint(folder)
    card.write_text(whole.replace(f'"{folder.name}"', '"nobody"'))
    assert "its card.json names the family 'nobody'" in complaint(folder)
    (folder / "pose.onnx").rename(folder / "motion.onnx")
    card.unlink()
    assert "card.json beside motion.onnx is missing" in complaint(folder)


@pytest.mark.parametrize("name", ["any.pt", "any.pth", "any.pth.tar", "any.ckpt"])
def test_a_checkpoint_is_known_by_its_tensors_and_not_by_its_name(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tpsmm.layout import Form, network_shapes

    form = Form(4, encoder_width=8, motion_width=8, motion_limit=16, motion_depth=3, inpainting_width=8,
                inpainting_limit=16, bottleneck=8)  # fmt: skip
    state = {
        network: {key: torch.zeros(shape) for key, shape in shapes.items()}
        for network, shapes in network_shapes(form).items()
    }
    torch.save(state, tmp_path / name)
    assert model_at(tmp_path / name).info.family == "tpsmm"
    assert model_at(tmp_path).info.family == "tpsmm"  # the only one there
    shutil.copy(tmp_path / name, tmp_path / f"second-{name}")
    assert "second" in complaint(tmp_path) or "holds no weights" in complaint(tmp_path)
