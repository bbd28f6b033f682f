# SPDX-License-Identifier: GPL-3.0-or-later
"""What the frames of every size share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from keywarp.core.character import load_character
from keywarp.core.render.performer import foreign, load_artwork

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
