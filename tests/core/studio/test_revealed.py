# SPDX-License-Identifier: GPL-3.0-or-later
"""What poses bring to light, against where the figure's vertices are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keywarp.core.layered import DEPTH, DISTANCE, HEAD, Layer
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.layers import Peeler, vertex_fields
from keywarp.core.studio.photograph import Studio
from keywarp.core.studio.revealed import REVEALING, revealed
from keywarp.core.studio.rig import BonePose

SEED, SIDE = 4, 256
TURNED = Pose(bones=BonePose((0.0, 15.0, 0.0)))
BLINK = Pose({"eye_wink_left": 1.0, "eye_wink_right": 1.0})


@pytest.fixture(scope="module")
def actor() -> Actor:
    character = generated_character(SEED, SIDE)
    return Actor(character.figure, character.annotation, "head")


@pytest.fixture(scope="module")
def studio(actor: Actor) -> Studio:
    return actor.studio(SIDE, "outline", Pose())


@pytest.fixture(scope="module")
def first(actor: Actor, studio: Studio) -> Layer:
    return Peeler(actor, studio, vertex_fields(actor, Pose())).layered(2).layers[0]


def found(actor: Actor, first: Layer, pose: Pose) -> Layer:
    return revealed(actor, "outline", vertex_fields(actor, Pose()), first, SIDE, pose)


@pytest.mark.parametrize("pose", [TURNED, BLINK], ids=["turned", "blink"])
def test_a_pose_reveals_what_its_photograph_shows_and_the_rest_picture_does_not(
    actor: Actor, studio: Studio, first: Layer, pose: Pose
) -> None:
    layer, shot = found(actor, first, pose), studio.shot(actor.placed(pose))
    there = shot.picture[..., 3] > 250
    hidden, known = there & (shot.visible < 0.01), there & (shot.visible > 0.99)
    assert hidden.sum() > 150
    # Lines are a pixel wide, and what a sample in their middle shows depends on where it is.
    assert layer.seen[hidden].mean() > 0.9
    assert layer.seen[known].mean() < 0.3


def test_places_are_where_things_are_at_rest(actor: Actor, studio: Studio, first: Layer) -> None:
    """The true motion of the photograph leads to the same places of the rest picture."""
    layer, shot = found(actor, first, TURNED), studio.shot(actor.placed(TURNED))
    assert layer.places is not None
    flat = layer.places / (1 + layer.fields[..., DEPTH, None] / DISTANCE)
    along = (2 * np.arange(SIDE) + 1) / SIDE - 1
    wanted = shot.flow + np.stack(np.meshgrid(along, along), -1)
    same = layer.seen & (shot.picture[..., 3] == 255)
    error = np.linalg.norm(flat - wanted, axis=-1)[same] * SIDE / 2
    assert same.sum() > 300 and np.percentile(error, 90) < 0.05
    assert np.linalg.norm(shot.flow, axis=-1)[same].mean() * SIDE / 2 > 2


def test_what_is_revealed_moves_as_its_surface_does(actor: Actor, first: Layer) -> None:
    layer = found(actor, first, TURNED)
    assert (layer.fields[~layer.seen] == 0).all()
    on_head: Any = layer.fields[layer.seen][:, HEAD]
    assert on_head.min() >= 0 and on_head.max() == pytest.approx(1, abs=1e-4)


def test_every_pose_that_is_photographed_reveals_something(actor: Actor, first: Layer) -> None:
    for pose in REVEALING:
        assert found(actor, first, pose).seen.mean() > 0.005
