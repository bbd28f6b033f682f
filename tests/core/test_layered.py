# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of the mirrored picture."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from keywarp.core.layered import SHAPES, Layered, mirrored, shape_fields
from keywarp.core.models.ldi.posing import Posing
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.layers import Peeler, vertex_fields
from keywarp.core.studio.revealed import revealed
from keywarp.core.studio.rig import BonePose
from keywarp.keyframes.spaces import space

from .layers import layered

SIDE = 128
POSES: tuple[dict[str, float], ...] = (
    {},
    {"head_y": 0.8, "neck_z": -0.6},
    {"body_y": 1.0, "body_z": -1.0},
    {"eye_wink_left": 1.0, "eyebrow_angry_right": 1.0},
    {"iris_rotation_y": 1.0, "mouth_ooo": 1.0},
)


def test_shapes_have_fields_of_their_own() -> None:
    taken = [field for name in SHAPES for field in range(*shape_fields(name).indices(1000))]
    assert sorted(taken) == list(range(4, 4 + 2 * len(SHAPES)))


@pytest.mark.parametrize("seed", range(3))
def test_mirrored_twice_is_as_before(seed: int) -> None:
    one = layered(9, 14, 3, seed)
    places = np.random.default_rng(seed).normal(0, 1, (9, 9, 2)).astype(np.float32)
    one = replace(one, layers=(*one.layers[:-1], replace(one.layers[-1], places=places)))
    again = mirrored(mirrored(one))
    np.testing.assert_array_equal(again.joints, one.joints)
    for own, true in zip(again.layers, one.layers, strict=True):
        np.testing.assert_array_equal(own.seen, true.seen)
        np.testing.assert_array_equal(own.colour, true.colour)
        np.testing.assert_array_equal(own.fields, true.fields)
    np.testing.assert_array_equal(again.layers[-1].places, places)
    assert not np.array_equal(mirrored(one).layers[0].fields, one.layers[0].fields)


@cache
def somebody() -> Layered:
    character = generated_character(4, SIDE)
    actor = Actor(character.figure, character.annotation, "head")
    fields = vertex_fields(actor, Pose())
    peeled = Peeler(actor, actor.studio(SIDE, "flat", Pose()), fields).layered(3)
    turned = Pose(bones=BonePose((0.0, 15.0, 0.0)))
    new = revealed(actor, "flat", fields, peeled.layers[0], SIDE, turned)
    return replace(peeled, layers=(*peeled.layers, new))


@cache
def posings() -> tuple[Posing, Posing]:
    return Posing(somebody(), "tha45"), Posing(mirrored(somebody()), "tha45")


def turned_over(picture: Any) -> Any:
    return picture[:, ::-1]


@pytest.mark.parametrize("channels", POSES)
def test_the_mirrored_pose_of_the_mirrored_layers_is_the_mirrored_answer(channels: dict[str, float]) -> None:
    """Up to the diagonals by which the mesh divides its squares, which are not mirrored."""
    poses = space("tha45")
    pose = poses.pose({"mouth_aaa": 0.0, **channels})
    straight, other = posings()
    wanted, found = straight.motion(pose), other.motion(poses.mirror(pose))
    off = np.abs(found.image - turned_over(wanted.image)).max(-1)
    assert np.sqrt(np.mean(off**2)) < 0.04
    assert (off < 0.02).mean() > 0.93
    flow = turned_over(wanted.flow) * np.array([-1, 1])
    shown = (found.image[..., 3] > 0.99) & (turned_over(wanted.image)[..., 3] > 0.99)
    apart = np.linalg.norm(found.flow - flow, axis=-1)[shown] * SIDE / 2
    assert (apart < 0.2).mean() > 0.9
    if channels:  # or the test would not tell sides apart
        same = straight.motion(pose).image
        assert np.abs(found.image - same).max() > 0.2
