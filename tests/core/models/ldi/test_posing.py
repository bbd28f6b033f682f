# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a baked character beside photographs of the 3D character that it was baked from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from keywarp.core.framing import Framing
from keywarp.core.layered import BODY, FIELDS, HEAD, Layer, Layered
from keywarp.core.models.ldi.posing import Posing
from keywarp.core.picture import read_picture
from keywarp.core.resample import square_picture
from keywarp.keyframes.spaces import space

from .conftest import PICTURE, SIDE, Baked, seen

POSES: dict[str, tuple[dict[str, float], float]] = {
    "turn": ({"head_y": 1.0}, 10.5),
    "nod": ({"head_x": -0.8}, 12),
    "roll": ({"neck_z": 1.0}, 17),
    "blink": ({"eye_wink_left": 1.0, "eye_wink_right": 1.0}, 18),
    "mouth": ({"mouth_aaa": 1.0}, 11),
    "gaze": ({"iris_rotation_x": 0.5, "iris_rotation_y": 1.0}, 7),
    "brows": ({"eyebrow_raised_left": 1.0, "eyebrow_raised_right": 1.0}, 4.5),
    "body": ({"body_y": 1.0, "body_z": 1.0}, 14),
    "all": (
        {
            **{"head_y": -0.6, "head_x": 0.4, "neck_z": 0.5, "body_y": -0.5},
            **{"eye_wink_left": 0.5, "mouth_ooo": 1.0},
        },
        9.5,
    ),
}
"""By how many decibels a pose is nearer to its photograph than the picture left as it is, where these differ."""
BLINK, MOUTH = POSES["blink"][0], POSES["mouth"][0]


def decibels(error: Any) -> float:
    return float(-10 * np.log10(np.mean(np.square(error)) + 1e-12))


def around(mask: Any, pixels: int) -> Any:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2)) > 0


def test_at_rest_the_answer_is_the_picture(baked: Baked) -> None:
    """But where lines and edges are as narrow as a pixel, whose samples are drawn again."""
    own = read_picture(baked.folder / "character.png").pixels
    wanted = seen(square_picture(own, Framing.of_square(0, 0, PICTURE), SIDE))
    motion = baked.motion()
    window = np.ones((5, 5))
    calm = (cv2.dilate(wanted, window) - cv2.erode(wanted, window)).max(-1) < 0.05
    assert 0.5 < calm.mean() < 0.9
    assert decibels((seen(motion.image) - wanted)[calm]) >= 60
    assert decibels(seen(motion.image) - wanted) >= 30
    visible = motion.image[..., 3] > 0.02
    assert np.abs(motion.flow[visible]).max() * SIDE / 2 < 0.02
    assert motion.painted[calm].max() < 1e-3
    assert motion.painted.mean() < 5e-3


@pytest.mark.parametrize("name", POSES)
def test_a_pose_looks_and_moves_as_its_photograph(baked: Baked, name: str) -> None:
    channels, gain = POSES[name]
    motion, shot = baked.motion(**channels), baked.shot(**channels)
    truth, rest = seen(shot.picture), seen(baked.studio.rest)
    differs = around(np.abs(truth - rest).max(-1) > 0.05, 2)
    answered = decibels((seen(motion.image) - truth)[differs])
    assert answered >= decibels((rest - truth)[differs]) + gain
    known = (shot.visible > 0.99) & (shot.picture[..., 3] > 250)
    error = np.linalg.norm(motion.flow - shot.flow, axis=-1)[known] * SIDE / 2
    assert error.mean() < 0.2
    assert (error < 1).mean() > 0.98
    if name in ("turn", "nod", "roll", "body", "all"):  # else most of it does not move at all
        moved = np.linalg.norm(shot.flow, axis=-1)[known] * SIDE / 2
        assert moved.mean() > 3
        assert error.mean() < 0.03 * moved.mean()


def test_alpha_is_that_of_the_photograph(baked: Baked) -> None:
    channels = POSES["body"][0]
    motion, shot = baked.motion(**channels), baked.shot(**channels)
    alpha = shot.picture[..., 3] / 255
    assert (motion.image[..., :3] <= motion.image[..., 3:] + 1e-5).all()
    assert np.isfinite(motion.image).all() and motion.image.min() >= 0 and motion.image.max() <= 1 + 1e-5
    wrong = np.abs(motion.image[..., 3] - alpha)
    unposed = np.abs(baked.studio.rest[..., 3] / 255 - alpha)
    assert (wrong > 0.5).mean() < 0.25 * (unposed > 0.5).mean()


def iris(picture: Any) -> Any:
    """Where the character's irises show: they are teal, and no part of a face is."""
    red, green, blue = np.moveaxis(seen(picture), -1, 0)
    return (green > red + 0.08) & (blue > red + 0.08)


def test_closed_lids_hide_the_irises(baked: Baked) -> None:
    eyes = around(baked.shot().regions["eyes"] > 0.5, 3)
    before = (iris(baked.motion().image) & eyes).sum()
    assert before > 150
    assert (iris(baked.shot(**BLINK).picture) & eyes).sum() < 0.02 * before
    assert (iris(baked.motion(**BLINK).image) & eyes).sum() < 0.05 * before
    half = (iris(baked.motion(eye_wink_left=1.0).image) & eyes).sum()
    assert 0.3 * before < half < 0.7 * before


def test_an_open_mouth_shows_its_inside(baked: Baked) -> None:
    """Where the photograph shows what no pixel of the rest picture does."""
    motion, shot = baked.motion(**MOUTH), baked.shot(**MOUTH)
    truth, rest = seen(shot.picture), seen(baked.studio.rest)
    new = (shot.visible < 0.01) & (shot.regions["mouth"] > 0.5) & (np.abs(truth - rest).max(-1) > 0.15)
    assert new.sum() > 40
    assert np.abs(seen(motion.image) - truth)[new].mean() < 0.6 * np.abs(rest - truth)[new].mean()
    assert (motion.painted[new] > 0.5).mean() > 0.5
    away = ~around(shot.regions["mouth"] > 0.01, 8)
    np.testing.assert_array_equal(motion.image[away], baked.motion().image[away])


@pytest.mark.parametrize("window", [(0, 0, SIDE, SIDE), (90, 70, 171, 155), (0, 200, 40, SIDE), (7, 3, 8, 4)])
@pytest.mark.parametrize("name", ["all", "blink"])
def test_a_window_is_that_part_of_the_whole(
    baked: Baked, name: str, window: tuple[int, int, int, int]
) -> None:
    left, top, right, bottom = window
    whole, part = baked.motion(**POSES[name][0]), baked.motion(window, **POSES[name][0])
    crop = np.s_[top:bottom, left:right]
    # But for the rounding of places, which are counted from the window's corner.
    np.testing.assert_allclose(part.image[crop], whole.image[crop], atol=1e-4)
    np.testing.assert_allclose(part.painted[crop], whole.painted[crop], atol=1e-3)
    # Where the first layer is not seen, the flow is that of the nearest pixel of the window that shows it.
    own = whole.painted[crop][..., 0] < 0.01
    own &= whole.image[crop][..., 3] > 0.99
    np.testing.assert_allclose(part.flow[crop][own], whole.flow[crop][own], atol=1e-5)


def flat(n: int, alpha: float = 1.0) -> Layered:
    """One plane that moves as the head does, with a smooth picture on it."""
    y, x = np.mgrid[0 : 1 : n * 1j, 0 : 1 : n * 1j].astype(np.float32)
    colour = np.stack([x, y, 1 - x, np.ones_like(x)], -1) * np.float32(alpha)
    fields = np.zeros((n, n, FIELDS), np.float32)
    fields[..., [BODY, HEAD]] = 1.0
    joints = np.array([[0, 1.5, 0], [0, 1.2, 0], [0, 0.9, 0], [0, 0.6, 0]], np.float32)
    return Layered((Layer(colour, np.full((n, n), alpha > 0), fields),), joints)


def test_an_opaque_picture_stays_opaque() -> None:
    """A character before a background that stands still: what is between them is stretched, not torn."""
    plane = flat(64)
    along = (2 * np.arange(64) + 1) / 64 - 1
    near = np.clip(1.6 - 1.9 * np.hypot(*np.meshgrid(along, along)), 0, 1)
    fields = plane.layers[0].fields.copy()
    fields[..., BODY] = fields[..., HEAD] = near
    posing = Posing(replace(plane, layers=(replace(plane.layers[0], fields=fields),)), "tha45")
    for channels in ({}, {"neck_z": 0.5}, {"head_y": 1.0}, {"body_z": 0.5}):
        motion = posing.motion(space("tha45").pose({"mouth_aaa": 0.0, **channels}))
        assert motion.image.shape == (64, 64, 4)
        np.testing.assert_allclose(motion.image[..., 3], 1, atol=1e-5)
        assert motion.painted.max() < 1e-5


def test_a_plane_turns_about_its_joints() -> None:
    """A roll of the head is a rotation in the picture's plane: half of it about the neck, half about the head."""
    layered = flat(64)
    degrees = 15.0  # tha45's neck_z at 1
    motion = Posing(layered, "tha45").motion(space("tha45").pose({"mouth_aaa": 0.0, "neck_z": 1.0}))
    angle = np.radians(degrees / 2)
    turns = []
    for sign in (1, -1):
        own = np.array([[np.cos(angle), sign * np.sin(angle)], [-sign * np.sin(angle), np.cos(angle)]])
        turns.append(own)
    along = (2 * np.arange(64) + 1) / 64 - 1
    places = np.stack(np.meshgrid(along, along), -1)[20:44, 20:44]
    neck, head = layered.joints[2, :2], layered.joints[3, :2]
    errors = []
    for turn in turns:  # backward: undo the neck's turn, then the head's
        back = (places - neck) @ turn + neck
        back = (back - head) @ turn + head
        errors.append(np.abs(back - places - motion.flow[20:44, 20:44]).max())
    assert min(errors) < 0.1 * 2 / 64
    assert max(errors) > 0.1


def test_a_picture_of_nothing_has_poses_of_nothing() -> None:
    motion = Posing(flat(64, 0.0), "tha45").motion(space("tha45").pose({"head_y": 1.0}))
    for part in (motion.image, motion.flow, motion.painted):
        assert np.isfinite(part).all() and not part.any()
