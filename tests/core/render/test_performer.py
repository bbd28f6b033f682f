# SPDX-License-Identifier: GPL-3.0-or-later
"""What the frames of every size share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from PIL import Image

from keywarp.core.character import load_character
from keywarp.core.models.exported import MOTION_FILE
from keywarp.core.render.performer import Performer, foreign, load_artwork
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from ..models.stand_in import SIDE, SPACE, save_animator

pytestmark = pytest.mark.shared


def judged(picture: Path, model: Path) -> str | None:
    character = load_character(picture, str(model))
    info = character.find_model().info
    return foreign(character, load_artwork(character, info), info)


def test_a_model_of_another_picture_is_noticed(shared: Path) -> None:
    model = shared / "reference" / "lambda_00"
    for name in ("renpy_eileen_happy_1080", "raven_aria1"):
        sentence = judged(shared / "images" / f"{name}.png", model)
        assert sentence is not None and "character.png" in sentence


@pytest.mark.parametrize("side", [384, 512, 1300])
def test_the_same_artwork_at_another_size_is_its_own(side: int, shared: Path, tmp_path: Path) -> None:
    model = shared / "reference" / "lambda_00"
    picture = cv2.imread(str(model / "character.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(tmp_path / "same.png"), cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))
    assert judged(tmp_path / "same.png", model) is None


@pytest.mark.parametrize("kind", ["grey", "grey and alpha", "colour"])
def test_half_a_mask_is_half_of_the_motion(shared: Path, tmp_path: Path, kind: str) -> None:
    """Painted values are shares, and no light: 128 of 255 is half."""
    painted = {
        "grey": Image.new("L", (64, 64), 128),
        "grey and alpha": Image.new("LA", (64, 64), (128, 255)),
        "colour": Image.new("RGB", (64, 64), (128, 128, 128)),
    }[kind]
    painted.save(tmp_path / "mask.png")
    who = load_character(shared / "reference" / "lambda_00")
    art = load_artwork(replace(who, move_mask=tmp_path / "mask.png"), who.find_model().info)
    assert art.mask is not None
    np.testing.assert_allclose(art.mask, 128 / 255, atol=1e-3)


def test_broken_weights_are_said_to_be_broken(shared: Path, tmp_path: Path) -> None:
    picture = shared / "images" / "raven_ol1.png"
    who = load_character(picture, str(save_animator(tmp_path / "nan", reach=float("nan"))))
    with pytest.raises(KeywarpError, match=r"^nan answers with what are no numbers"):
        Performer(who, "cpu")
    folder = save_animator(tmp_path / "odd")
    graph = Graph("odd", DEVICE_OPSET)
    rest, pose = graph.input("rest", [1, 4, SIDE, SIDE]), graph.input("pose", [1, len(space(SPACE))])
    graph.output("image", graph.op("Identity", rest), [1, 4, SIDE, SIDE])
    graph.output("flow", graph.constant(np.zeros((1, 2, SIDE, SIDE), np.float32)), [1, 2, SIDE, SIDE])
    # In order for whoever only reads it: a channel is looked up by a number that the pose decides.
    number = graph.op(
        "Cast", graph.op("Add", graph.op("ReduceSum", pose, keepdims=0), 7.0), to=TensorProto.INT64
    )
    looked_up = graph.op("Gather", rest, number, axis=1)
    graph.output("painted", graph.op("Reshape", looked_up, [1, 1, SIDE, SIDE]), [1, 1, SIDE, SIDE])
    onnx.save(graph.build(), str(folder / MOTION_FILE))
    with pytest.raises(KeywarpError, match=r"^odd cannot be run by ONNX Runtime: .*Gather"):
        Performer(load_character(picture, str(folder)), "cpu")
