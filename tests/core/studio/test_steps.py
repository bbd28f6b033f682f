# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures between a generated character at rest and in a pose, against each other and against the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keywarp.core.studio.actor import Actor, Pose, read_pose
from keywarp.core.studio.dataset import Order
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.photograph import Studio
from keywarp.core.studio.sampling import scheme
from keywarp.core.studio.steps import on_the_way, without_brows
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SIDE = 128
REST = scheme("tha45").rest()


@pytest.fixture(scope="module")
def actor() -> Actor:
    character = generated_character(4, SIDE)
    return Actor(character.figure, character.annotation, "tha")


@pytest.fixture(scope="module")
def studio(actor: Actor) -> Studio:
    return actor.studio(SIDE, "cel", read_pose("tha45", REST))


def premultiplied(picture: Any) -> Any:
    alpha = picture[..., 3:] / 255
    return np.concatenate([picture[..., :3] / 255 * alpha, alpha], -1)


def test_brows_before_what_is_behind_them_are_the_rest_picture(studio: Studio) -> None:
    found = without_brows("somebody", studio)
    bare, brows = premultiplied(found["bare"]), premultiplied(found["brows"])
    # The samples of a pixel that a brow covers in part need not be those that the mean of its background is of.
    assert np.abs(brows + bare * (1 - brows[..., 3:]) - premultiplied(studio.rest)).max() < 0.05
    alpha = found["brows"][..., 3]
    assert np.array_equal(found["bare"][alpha == 0], studio.rest[alpha == 0])
    assert np.array_equal(found["brows"][alpha == 255], studio.rest[alpha == 255])
    assert alpha.any()
    rows, columns = np.nonzero(found["brows"][..., 3])
    # In the crop of Talking Head Anime's decomposer: 64 to 192 and 192 to 320 of 512.
    assert rows.min() >= 16 and rows.max() < 48 and columns.min() >= 48 and columns.max() < 80


def test_each_step_takes_its_own_channels_from_the_pose(actor: Actor, studio: Studio) -> None:
    def pose(**channels: float) -> Any:
        return space("tha45").pose({"mouth_aaa": 0.0, **channels})

    def steps(**channels: float) -> dict[str, Any]:
        return on_the_way(actor, studio, REST, pose(**channels))

    brow = {"eyebrow_raised_left": 1.0, "eyebrow_raised_right": 1.0}
    face = {"eye_wink_left": 1.0, "mouth_aaa": 1.0, "iris_rotation_x": 0.8}
    found = steps(**brow, **face, head_y=1.0, body_z=0.6, breathing=1.0)
    for name, channels in (("browed", brow), ("morphed", {**brow, **face})):
        alone = studio.picture(actor.placed(read_pose("tha45", pose(**channels))))
        assert np.array_equal(found[name], alone), name
        assert not np.array_equal(found[name], studio.rest), name


def test_brows_that_are_skin_are_not_taken_off(actor: Actor) -> None:
    """As of a figure whose brow morphs move its whole face."""
    all_of_it = {
        name: np.ones(len(actor.figure.triangles), bool) for name in ("brows", "mouth", "eyes", "face")
    }
    placed = actor.placed(Pose())
    studio = actor.studio(SIDE, "flat")
    skin = Studio(actor.figure, actor.camera, placed, studio.style, SIDE, all_of_it)
    with pytest.raises(KeywarpError, match="somebody: its brows cannot be taken off"):
        without_brows("somebody", skin)


def test_stages_are_those_of_one_scheme() -> None:
    with pytest.raises(KeywarpError, match="those of the scheme tha45, not of animeceleb"):
        Order(scheme("animeceleb"), stages=True)
    assert replace(Order(scheme("tha45")), stages=True).stages
