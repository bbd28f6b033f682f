# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of a generated character, against projections of its triangles that are worked out here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from keywarp.core.layered import BODY, DEPTH, FIELD_DEGREES, HEAD, LEFT, Layer, Layered, shape_fields
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.layers import GAP, Peeler, vertex_fields
from keywarp.core.studio.rig import BonePose

SEED, SIDE, COUNT = 4, 128, 4
MOUTHS = ("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo", "mouth_delta", "mouth_smirk")


@dataclass(frozen=True)
class Peeled:
    actor: Actor
    layered: Layered
    mouth: Layer
    """What lies behind the lips alone."""


@pytest.fixture(scope="module")
def peeled() -> Peeled:
    """Without outlines, whose surfaces lie beside the figure's own."""
    character = generated_character(SEED, SIDE)
    actor = Actor(character.figure, character.annotation, "head")
    studio = actor.studio(SIDE, "flat", Pose())
    peeler = Peeler(actor, studio, vertex_fields(actor, Pose()))
    return Peeled(actor, peeler.layered(COUNT), peeler.with_inside().layers[1])


def in_square(actor: Actor, pose: Pose) -> Any:
    """(V, 3): where vertices are: x, y, depth in the square's units, y down."""
    positions = actor.placed(pose)[0].astype(np.float64)
    camera = actor.camera
    away = (positions - (camera.x, camera.y, camera.z)) / camera.half
    return away * (1, -1, 1)


def projected(points: Any) -> Any:
    """(V, 2): through a pinhole that sees the square in full at depth 0."""
    distance = 1 / np.tan(np.radians(FIELD_DEGREES / 2))
    return points[..., :2] * (distance / (distance + points[..., 2:]))


def nearest_triangles(actor: Actor, count: int) -> list[tuple[int, int, int, Any]]:
    """Pixels of chance with the nearest of the triangles that face the camera there: row, column, which, and the
    shares of its corners."""
    points = in_square(actor, Pose())
    triangles = actor.figure.triangles
    corners, depth = projected(points)[triangles], points[:, 2][triangles]
    distance = 1 / np.tan(np.radians(FIELD_DEGREES / 2))
    random = np.random.Generator(np.random.PCG64(2))
    found = []
    a, b, c = (corners[:, i] for i in range(3))
    area = cross(b - a, c - a)
    for row, column in random.integers(0, SIDE, (count, 2)):
        here = (2 * np.array([column, row]) + 1) / SIDE - 1
        flat = np.stack([cross(c - b, here - b), cross(a - c, here - c), cross(b - a, here - a)], -1)
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = flat / area[:, None]
        over = np.flatnonzero((flat > 1e-4).all(1))
        if not len(over):
            continue
        # What is linear in the picture is not the depth but the nearness.
        shares = flat[over] / (depth[over] + distance)
        shares /= shares.sum(1, keepdims=True)
        own = (shares * depth[over]).sum(1)
        first = int(own.argmin())
        found.append((int(row), int(column), int(over[first]), shares[first]))
    return found


def cross(a: Any, b: Any) -> Any:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def test_the_first_layer_knows_the_surface_that_each_pixel_shows(peeled: Peeled) -> None:
    """Its depth, its side of the face, how far each shape moves it, and what turns of head and body do with it."""
    actor, first = peeled.actor, peeled.layered.layers[0]
    rest = in_square(actor, Pose())
    hits = nearest_triangles(actor, 900)
    assert len(hits) > 300
    places = tuple(np.array([[row, column] for row, column, *_ in hits]).T)
    assert first.seen[places].mean() > 0.99
    corners = actor.figure.triangles[[which for _, _, which, _ in hits]]
    shares = np.stack([share for *_, share in hits])

    def there(values: Any) -> Any:
        return np.einsum("pc,pc...->p...", shares, values[corners])

    depth = there(rest[:, 2])
    # Where a texture is transparent, the surface behind it is seen; and a few lie on each other within rounding.
    same = np.abs(first.fields[places][:, DEPTH] - depth) < 2e-4
    assert same.mean() > 0.9
    fields = first.fields[places][same]
    for shape, pose in (
        ("mouth_aaa", Pose({"mouth_aaa": 1.0})),
        ("mouth_smirk", Pose({"mouth_smirk": 1.0})),
        ("gaze_up", Pose(gaze=(1.0, 0.0))),
        ("gaze_left", Pose(gaze=(0.0, 1.0))),
        ("eye_wink", Pose({"eye_wink_left": 1.0, "eye_wink_right": 1.0})),
        ("eyebrow_raised", Pose({"eyebrow_raised_left": 1.0, "eyebrow_raised_right": 1.0})),
    ):
        moved = there((in_square(actor, pose) - rest)[:, :2])[same]
        assert np.abs(moved).max() > 0.003, shape
        np.testing.assert_allclose(fields[:, shape_fields(shape)], moved, atol=2e-4, err_msg=shape)
    one_sided = there((in_square(actor, Pose({"eye_wink_left": 1.0})) - rest)[:, :2])[same]
    left = np.abs(one_sided).max(1) > 0.01
    assert left.any() and (fields[left, LEFT] > 0.5).all()
    assert set(np.round(fields[:, LEFT], 4)) >= {0.0, 1.0}
    for field, bones in ((HEAD, BonePose(head=(0, 0, 8.0))), (BODY, BonePose(body=(0, 0, 8.0)))):
        turned = there((in_square(actor, Pose(bones=bones)) - rest)[:, :2])[same]
        still = np.abs(turned).max(1) < 1e-6
        assert np.array_equal(fields[:, field] < 1e-6, still) or (fields[still, field] < 1e-3).all()
        assert (fields[~still, field] > 0).all()
        assert fields[:, field].max() == pytest.approx(1.0, abs=1e-4)


def test_an_outline_goes_with_the_surface_that_it_is_drawn_around(peeled: Peeled) -> None:
    """And not with what is seen beside it, far behind: nearer than its own hull, whose far side a line is."""
    actor, bare = peeled.actor, peeled.layered.layers[0]
    studio = actor.studio(SIDE, "outline", Pose())
    drawn = Peeler(actor, studio, vertex_fields(actor, Pose())).with_inside().layers[0]
    found = studio.surfaces()
    points = in_square(actor, Pose())
    outlines = found.corners[..., 0] >= len(points)
    hull = (1 / found.nearness - 1) / np.tan(np.radians(FIELD_DEGREES / 2))
    before = outlines & bare.seen & (hull < bare.fields[..., DEPTH] - 0.05)
    around = outlines & ~bare.seen
    assert before.sum() > 30 and around.sum() > 30
    assert (drawn.fields[before][:, DEPTH] < hull[before] + 2e-3).all()
    assert (drawn.fields[around][:, DEPTH] < hull[around] + 2e-3).all()
    np.testing.assert_allclose(
        drawn.fields[~outlines & bare.seen], bare.fields[~outlines & bare.seen], atol=1e-6
    )


def test_colours_of_the_first_layer_are_the_picture(peeled: Peeled) -> None:
    rest = peeled.actor.studio(SIDE, "flat", Pose()).rest
    np.testing.assert_allclose(peeled.layered.layers[0].colour[..., 3], rest[..., 3] / 255, atol=1e-6)


def test_each_deeper_layer_lies_behind_the_one_before_it(peeled: Peeled) -> None:
    first, inside, *behind = peeled.layered.layers
    assert len(peeled.layered.layers) == COUNT
    mouth = peeled.mouth
    for front, back in ((first, inside), (first, mouth), (first, behind[0]), (behind[0], behind[1])):
        both = front.seen & back.seen
        assert both.sum() > 10
        gaps = (back.fields - front.fields)[both][:, DEPTH]
        # The first layer has its depth at the pixel's centre, its mask from the whole pixel.
        assert (
            gaps > (0 if back is inside else 0.9 * GAP)
        ).mean() > 0.99  # the white lies close behind irises
    assert not (behind[1].seen & ~behind[0].seen).any()
    assert (behind[0].colour[behind[0].seen][:, 3] > 0.4).mean() > 0.95
    for layer in (inside, *behind):
        assert not layer.fields[~layer.seen].any()


def test_the_inside_of_the_mouth_lies_behind_the_lips_and_nowhere_else(peeled: Peeled) -> None:
    actor, inside = peeled.actor, peeled.mouth
    rest = in_square(actor, Pose())
    lips = np.zeros(len(rest), bool)
    for mouth in MOUTHS:
        lips |= np.abs(in_square(actor, Pose({mouth: 1.0})) - rest).max(1) > 1e-4
    around = (projected(rest[lips]) + 1) * SIDE / 2
    low, high = around.min(0), around.max(0)
    rows, columns = np.nonzero(inside.seen)
    assert len(rows) > 20
    assert columns.min() >= low[0] - 1.5 and columns.max() <= high[0] + 0.5
    assert rows.min() >= low[1] - 1.5 and rows.max() <= high[1] + 0.5
    # It is there where lips part: at the middle of the mouth, between those that an open mouth drives apart.
    open_ = (in_square(actor, Pose({"mouth_aaa": 1.0})) - rest)[:, 1]
    ((x, y),) = ((projected(rest[[open_.argmax()]]) + 1) * SIDE / 2).tolist()
    near = np.hypot(columns + 0.5 - x, rows + 0.5 - y).min()
    assert near < 4
    assert (inside.fields[inside.seen][:, DEPTH] > rest[lips][:, 2].min()).all()
    red, green, blue, alpha = inside.colour[inside.seen].mean(0)
    assert alpha > 0.9 and red > 1.5 * max(green, blue)
    second = peeled.layered.layers[1]
    assert not (inside.seen & ~second.seen).any()
    first = peeled.layered.layers[0]
    others = second.seen & ~inside.seen
    gazes = first.fields[..., shape_fields("gaze_up")], first.fields[..., shape_fields("gaze_left")]
    assert others.any() and (np.abs(np.concatenate(gazes, -1)).max(-1)[others] > 1e-4).all()


def test_joints_are_where_the_bones_are(peeled: Peeled) -> None:
    actor, joints = peeled.actor, peeled.layered.joints
    heads = {role: actor.figure.bone_heads[bone] for role, bone in actor.rig.roles.items()}
    spine = [role for role in ("spine", "chest", "upperchest") if role in heads]
    camera = actor.camera
    for found, role in zip(joints, (spine[0], spine[-1], "neck", "head"), strict=True):
        x, y, z = found * camera.half
        np.testing.assert_allclose((camera.x + x, camera.y - y, camera.z + z), heads[role], atol=1e-5)
    assert (np.diff(joints[:, 1]) < 0).all()  # from the hips upwards
    # What turns about the head's joint alone leaves it where it is.
    pixels = camera.seen(np.stack([heads["head"]]), SIDE)[0, :2]
    np.testing.assert_allclose((projected(joints[3]) + 1) * SIDE / 2 - 0.5, pixels, atol=0.01)
