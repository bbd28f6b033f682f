# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings between pose spaces, against values worked out by hand and against general solvers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls
from scipy.spatial.transform import Rotation

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import expression
from keywarp.keyframes.mappings import MAPPINGS, Mapping, cannot_carry, convert, mapping, route
from keywarp.keyframes.mappings.mouth import PROTOTYPES, SPARSITY, shapes
from keywarp.keyframes.spaces import SPACES, space

THA = space("tha45")
each_mapping = pytest.mark.parametrize("each", MAPPINGS.values(), ids=["-".join(key) for key in MAPPINGS])
seeds = st.integers(0, 2**32 - 1)
#: Each example is some forty poses.
few = settings(max_examples=25, deadline=None)


def random_poses(of: str, seed: int, count: int = 40) -> np.ndarray:
    """Poses with many channels at rest and at the ends of their ranges, as real ones are."""
    rng, each = np.random.default_rng(seed), space(of)
    poses = rng.uniform(each.minimum, each.maximum, (count, len(each)))
    which = rng.integers(0, 6, poses.shape)
    poses = np.where(which < 2, each.rest(), poses)
    poses = np.where(which == 2, each.minimum, poses)
    return np.where(which == 3, each.maximum, poses)


def changed(
    values: dict[str, float], source: str, target: str = "tha45", **tuned: object
) -> dict[str, float]:
    """What the mapping makes of a pose, as the channels of the target that are not 0."""
    pose = mapping(source, target).tuned(**tuned)(space(source).pose(values))
    return {name: float(value) for name, value in zip(space(target).names, pose) if value != 0}


def both(stem: str, value: float) -> dict[str, float]:
    return {f"{stem}_left": value, f"{stem}_right": value}


# --- the mouth ------------------------------------------------------------------------------------


def bounded_least_squares(point: np.ndarray) -> np.ndarray:
    """The same problem for scipy: the sum of the weights moved into the target of the least squares."""
    shifted = np.linalg.solve(PROTOTYPES, PROTOTYPES @ point - SPARSITY / 2)
    return lsq_linear(PROTOTYPES.T, shifted, bounds=(0, 1), tol=1e-14, method="bvls").x


def test_the_mouth_agrees_with_bounded_least_squares() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate((rng.random((400, 4)), rng.integers(0, 2, (40, 4)), rng.uniform(0, 0.1, (60, 4))))
    expected = np.array([bounded_least_squares(point) for point in points])
    assert (expected > 0.999).any() and (expected == 0).any()  # both bounds are met
    np.testing.assert_allclose(shapes(points), expected, atol=1e-7)


def test_the_mouth_is_close_to_plain_non_negative_least_squares() -> None:
    rng = np.random.default_rng(4)
    points = rng.random((200, 4)) * 0.5
    plain = np.array([nnls(PROTOTYPES.T, point)[0] for point in points])
    # The sum's weight moves the minimum by at most |G^-1| * 0.005 * 2, here below 0.07.
    assert np.abs(shapes(points) - np.minimum(plain, 1)).max() < 0.07


def test_many_mouths_at_once_are_each_by_itself() -> None:
    points = np.random.default_rng(5).random((5000, 4))
    together = shapes(points)
    np.testing.assert_allclose(
        together[::997], np.concatenate([shapes(p[None]) for p in points[::997]]), atol=1e-12
    )
    assert shapes(np.zeros((0, 4))).shape == (0, 4)


# --- ARKit, by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracked", "expected"),
    [
        ({}, {}),  # a face at rest has its mouth shut: mouth_aaa 0
        ({"eyeBlinkLeft": 0.8}, {"eye_wink_left": 1.0}),
        ({"eyeBlinkRight": 0.2}, {"eye_wink_right": 0.25}),
        (
            {"browInnerUp": 0.7, "browOuterUpLeft": 0.5},
            {"eyebrow_raised_left": 1.0, "eyebrow_raised_right": 0.7},
        ),
        (
            {"browDownLeft": 0.1, "browDownRight": 0.9},
            {"eyebrow_angry_left": 0.25, "eyebrow_angry_right": 1.0},
        ),
        ({"eyeWideRight": 0.3}, {"eye_surprised_right": 0.6}),
        ({"cheekSquintLeft": 0.4}, {"eye_raised_lower_eyelid_left": 0.5}),
        ({"cheekSquintLeft": 0.1}, {}),
        ({"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}, {"iris_rotation_y": 0.8}),
        ({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.3}, {"iris_rotation_y": -0.6}),
        ({"eyeLookUpLeft": 0.3, "eyeLookUpRight": 0.3}, {"iris_rotation_x": 0.4}),
        ({"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0}, {"iris_rotation_x": -1.0}),
        ({"head_pitch": 7.5}, {"head_x": 0.5}),
        ({"head_yaw": 5.0}, {"head_y": 0.5, "body_y": 0.5}),
        ({"head_yaw": -12.0}, {"head_y": -1.0, "body_y": -1.0}),
        ({"head_roll": -3.0}, {"neck_z": -0.2, "body_z": -0.2}),
        ({"mouthFrownLeft": 0.3}, both("mouth_lowered_corner", 0.5)),
        ({"mouthFrownLeft": 0.3, "jawOpen": 0.1}, both("mouth_lowered_corner", 0.5)),
        # p = (1, 0, 0, 0), lips at rest: aaa and ooo, 2 a + 1.5 o = 1.5 a + 1.66 o = 0.995; no funnel, so o
        # shows as uuu. An open mouth has no lowered corners.
        ({"jawOpen": 0.4, "mouthFrownLeft": 1.0}, {"mouth_aaa": 0.14879, "mouth_uuu": 0.46495}),
        # p = (1, 1, 0, 0): 4 (w - 1) + 0.01 = 0
        ({"jawOpen": 1.0, "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5}, {"mouth_aaa": 0.9975}),
        # p = (1/3, 1, 0, 0): aaa and iii; 1/3 from the first, less nothing, the rest from the sum
        ({"jawOpen": 0.2, "mouthLowerDownLeft": 1.0}, {"mouth_aaa": 1 / 3, "mouth_iii": 2 / 3 - 0.005}),
        # one smile, wholly: brows, corners; a closed eye is a happy one
        (
            {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.8, "eyeBlinkLeft": 0.4, "browDownLeft": 0.4},
            {**both("eyebrow_happy", 0.7), **both("mouth_raised_corner", 0.7), "eye_happy_wink_left": 0.5},
        ),
        # half a smile: 0.5 is midway between 0.4 and 0.6
        (
            {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3, "mouthShrugUpper": 0.2, "eyeBlinkRight": 0.8},
            {
                **both("eyebrow_happy", 0.25),
                **both("mouth_raised_corner", 0.5),
                "eye_wink_right": 0.5,
                "eye_happy_wink_right": 0.5,
            },
        ),
        ({"mouthSmileLeft": 0.4, "mouthSmileRight": 0.2}, both("mouth_raised_corner", 0.3)),
    ],
)
def test_arkit_by_hand(tracked: dict[str, float], expected: dict[str, float]) -> None:
    assert changed(tracked, "arkit52") == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("funnel", "share_of_ooo"), [(0.25, 0.0), (0.3, 0.2), (0.4, 0.6), (0.5, 1.0), (0.9, 1.0)]
)
def test_a_funnel_turns_uuu_into_ooo(funnel: float, share_of_ooo: float) -> None:
    pose = changed({"jawOpen": 0.3, "mouthFunnel": funnel, "mouthPucker": 0.6}, "arkit52")
    aaa, iii, uuu, ooo = bounded_least_squares(np.array([2 / 3, 0.0, funnel, 0.6]))
    expected = {"mouth_uuu": (uuu + ooo) * (1 - share_of_ooo), "mouth_ooo": (uuu + ooo) * share_of_ooo}
    expected |= {"mouth_aaa": aaa, "mouth_iii": iii}
    assert pose == pytest.approx({k: v for k, v in expected.items() if v > 1e-9}, abs=1e-6)


def test_arkit_settings() -> None:
    assert changed({"browDownLeft": 0.4}, "arkit52", brow_down_mode="troubled") == {
        "eyebrow_troubled_left": 1.0
    }
    assert changed({"eyeBlinkLeft": 0.8}, "arkit52", wink_mode="relaxed") == {"eye_relaxed_left": 1.0}
    assert changed({}, "arkit52", iris_small_left=0.3) == {"iris_small_left": 0.3}
    assert changed({}, "arkit52", iris_small_right=0.3) == {"iris_small_right": 0.3}
    assert changed({"head_yaw": 5.0}, "arkit52", head_y_degrees=20.0) == {"head_y": 0.25, "body_y": 0.25}
    assert changed({"eyeBlinkLeft": 0.8}, "arkit52", eye_blink_max=0.0) == {}
    tracked = {"jawOpen": 0.4, "mouthFunnel": 0.6, "mouthPucker": 0.6}
    assert "mouth_uuu" in changed(tracked, "arkit52", mouth_funnel_max=1.0)
    assert "mouth_uuu" not in changed(tracked, "arkit52")


@pytest.mark.parametrize(
    "bad",
    [
        {"smile": 1.0},
        {"jaw_open_min": "wide"},
        {"wink_mode": "sly"},
        {"head_x_degrees": 0.0},
        {"smile_min": math.nan},
    ],
)
def test_bad_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(KeywarpError, match=next(iter(bad))):
        mapping("arkit52", "tha45").tuned(**bad)


# --- the other ways to tha45 ----------------------------------------------------------------------


def test_vrm_by_hand() -> None:
    assert changed({"blinkLeft": 1.0}, "vrm") == {"eye_wink_left": 1.0}
    assert changed({"aa": 0.5, "oh": 0.25}, "vrm") == {"mouth_aaa": 0.5, "mouth_ooo": 0.25}
    assert changed({"aa": 1.0, "ih": 1.0}, "vrm") == {"mouth_aaa": 0.5, "mouth_iii": 0.5}
    assert changed({"lookLeft": 0.5}, "vrm") == {"iris_rotation_y": -0.5}
    assert changed({"head_yaw": 2.0, "neck_yaw": 3.0}, "vrm") == {"head_y": 0.5}
    assert changed({"spine_roll": -1.5, "chest_roll": -1.5}, "vrm") == {"body_z": -0.2}
    assert changed({"eye_left_pitch": 7.5, "eye_right_pitch": 7.5}, "vrm") == {"iris_rotation_x": 0.5}
    happy = changed({"happy": 1.0, "blink": 1.0}, "vrm")
    for side in ("left", "right"):  # two ways to shut one eye do not add up
        assert happy[f"eye_wink_{side}"] + happy[f"eye_happy_wink_{side}"] == 1.0
    assert "eye_happy_wink_left" not in changed({"happy": 1.0}, "vrm", happy_shuts_eyes=0.0)


def test_mmd_by_hand() -> None:
    assert changed({"blink": 0.5}, "mmd") == both("eye_wink", 0.5)
    assert changed({"smile": 1.0}, "mmd") == both("eye_happy_wink", 1.0)
    assert changed({"wink_right": 1.0}, "mmd") == {"eye_wink_right": 1.0}
    assert changed({"brow_angry": 0.25, "brow_angry_left": 0.25}, "mmd") == {
        "eyebrow_angry_left": 0.5,
        "eyebrow_angry_right": 0.25,
    }
    assert changed({"smirk": 1.0, "u": 0.5}, "mmd") == {"mouth_smirk": 1.0, "mouth_uuu": 0.5}
    assert changed({"eyes_yaw": -3.0}, "mmd") == pytest.approx({"iris_rotation_y": -0.2})
    assert changed({"upper_body_yaw": 2.0, "upper_body_2_yaw": 3.0}, "mmd") == {"body_y": 0.5}


def test_action_units_by_hand() -> None:
    assert changed({"AU45": 2.4}, "au17") == pytest.approx(both("eye_wink", 1.0))
    assert changed({"AU01": 2.5}, "au17") == pytest.approx(both("eyebrow_raised", 0.5))
    assert changed({"AU04": 1.0}, "au17") == pytest.approx(both("eyebrow_angry", 0.5))
    assert changed({"AU26": 2.0, "AU25": 5.0}, "au17") == pytest.approx({"mouth_aaa": 0.9975})
    assert changed({"AU12": 1.5}, "au17") == pytest.approx(both("mouth_raised_corner", 0.3))
    head = {"head_pitch": -15.0, "head_yaw": 5.0, "gaze_yaw": 11.25}
    assert changed(head, "au17head") == pytest.approx(
        {"head_x": -1.0, "head_y": 0.5, "body_y": 0.5, "iris_rotation_y": 0.5}
    )


def test_two_bones_angles_may_be_summed() -> None:
    bone = Rotation.from_euler("YXZ", [10, 10, 0], degrees=True)
    exact = (bone * bone).as_euler("YXZ", degrees=True)
    assert np.abs(exact - [20, 20, 0]).max() < 2


# --- to the other networks and back ---------------------------------------------------------------


def test_animeceleb_by_hand() -> None:
    # The model's angles: + looks down, turns towards the picture's right, tilts towards its left.
    there = changed({"mouth_aaa": 0.0, "head_x": 0.5, "head_y": 0.5, "neck_z": 0.5}, "tha45", "animeceleb20")
    assert there == {"pitch": -7.5, "yaw": -5.0, "roll": 7.5}
    there = changed({"eye_wink_left": 0.3, "iris_rotation_x": 0.4}, "tha45", "animeceleb20gaze")
    assert there == {"mouth_a": 1.0, "eye_closed_left": 0.3, "gaze_vertical": 0.4}


@pytest.mark.parametrize("other", ["animeceleb20", "animeceleb20gaze"])
@few
@given(seed=seeds)
def test_round_trip_keeps_what_both_carry(other: str, seed: int) -> None:
    poses = random_poses("tha45", seed)
    there = mapping("tha45", other)
    carried = [name not in there.cannot_carry for name in THA.names]
    back = convert(there(poses), other, "tha45")
    np.testing.assert_allclose(back[:, carried], poses[:, carried], atol=1e-12)
    lost = np.logical_not(carried)
    assert (back[:, lost] == 0).all()


@few
@given(seed=seeds)
def test_anitalk_survives_the_way_to_tha45_and_back(seed: int) -> None:
    poses = random_poses("anitalk6", seed)
    poses[:, 3:] *= 0.5  # turns that tha45 can show
    np.testing.assert_allclose(
        convert(convert(poses, "anitalk6", "tha45"), "tha45", "anitalk6"), poses, atol=1e-12
    )


def test_anitalk_by_hand() -> None:
    assert changed({}, "tha45", "anitalk6") == {"left_eye": 1.0, "right_eye": 1.0, "mouth": 1.0}
    shut = {"mouth_aaa": 0.0, "eye_wink_left": 0.4, "eye_happy_wink_left": 0.7, "eye_relaxed_right": 1.0}
    assert changed({**shut, "head_y": 1.0}, "tha45", "anitalk6") == pytest.approx(
        {"left_eye": 0.3, "left_right_head": 0.5}
    )
    np.testing.assert_array_equal(convert(space("anitalk6").rest(), "anitalk6", "tha45"), THA.rest())


# --- every mapping --------------------------------------------------------------------------------


@each_mapping
@few
@given(seed=seeds)
def test_mirroring_before_is_mirroring_after(each: Mapping, seed: int) -> None:
    poses = random_poses(each.source.name, seed)
    np.testing.assert_allclose(each(each.source.mirror(poses)), each.target.mirror(each(poses)), atol=1e-9)


@each_mapping
@few
@given(seed=seeds)
def test_ranges_are_respected_whatever_comes(each: Mapping, seed: int) -> None:
    poses = random_poses(each.source.name, seed) * np.random.default_rng(seed).choice([1.0, 1.5, -3.0, 1e6])
    mapped = each(poses)
    assert mapped.shape == (len(poses), len(each.target))
    np.testing.assert_array_equal(each.target.clamp(mapped), mapped)
    np.testing.assert_allclose(mapped, each(each.source.clamp(poses)), atol=1e-12)


@each_mapping
def test_what_is_said_to_be_lost_is_lost_and_nothing_else(each: Mapping) -> None:
    poses = np.concatenate([random_poses(each.source.name, seed) for seed in range(20)])
    mapped = each(poses)
    for i, channel in enumerate(each.source.channels):
        moved = poses.copy()
        moved[:, i] = moved[::-1, i]
        assert np.allclose(each(moved), mapped) == (channel.name in each.cannot_carry), channel.name


@each_mapping
def test_scaled_channels_are_what_they_say(each: Mapping) -> None:
    poses = random_poses(each.source.name, 9)
    mapped = each(poses)
    for name, copy in each.scaled_channels().items():
        expected = poses[:, each.source.index(copy.source)] * copy.scale + copy.offset
        channel = each.target[name]
        expected = np.clip(expected, channel.minimum, channel.maximum)
        np.testing.assert_allclose(mapped[:, each.target.index(name)], expected, atol=1e-12)


def test_rows_are_mapped_each_by_itself() -> None:
    poses = random_poses("arkit52", 1)
    each = mapping("arkit52", "tha45")
    np.testing.assert_allclose(each(poses), np.stack([each(pose) for pose in poses]), atol=1e-12)
    assert each(np.zeros((0, 55))).shape == (0, 45)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@each_mapping
def test_what_is_not_finite_is_refused(each: Mapping, bad: float) -> None:
    poses = np.tile(each.source.rest(), (3, 1))
    poses[1, 2] = bad
    with pytest.raises(KeywarpError, match=f"{each.source.names[2]} of row 1"):
        each(poses)


@pytest.mark.parametrize(
    "bad", [np.zeros(44), np.zeros((2, 46)), np.zeros((1, 1, 45)), "blink", 3.0, [[1], [2, 3]]]
)
def test_what_is_no_pose_is_refused(bad: object) -> None:
    with pytest.raises(KeywarpError, match="45"):
        convert(bad, "tha45", "anitalk6")  # type: ignore[arg-type]


# --- the way between two spaces -------------------------------------------------------------------


def test_spaces_meet_through_tha45() -> None:
    assert [(step.source.name, step.target.name) for step in route("mmd", "animeceleb20")] == [
        ("mmd", "tha45"),
        ("tha45", "animeceleb20"),
    ]
    poses = random_poses("mmd", 0)
    through = convert(convert(poses, "mmd", "tha45"), "tha45", "animeceleb20")
    np.testing.assert_array_equal(convert(poses, space("mmd"), space("animeceleb20")), through)
    assert any(loss == "mmd: tears" for loss in cannot_carry("mmd", "animeceleb20"))
    assert any(loss == "tha45: breathing" for loss in cannot_carry("mmd", "animeceleb20"))


def test_a_space_is_its_own_neighbour() -> None:
    assert route("au17", "au17") == ()
    np.testing.assert_array_equal(convert(np.full(17, 9.0), "au17", "au17"), np.full(17, 5.0))


def test_where_there_is_no_mapping_those_that_are_get_named() -> None:
    with pytest.raises(KeywarpError, match=r"no mapping from tha45 to bfm70.*anitalk6, animeceleb20"):
        mapping("tha45", "bfm70")
    with pytest.raises(KeywarpError, match=r"no mapping from arkit52 to anitalk6.*tha45"):
        mapping("arkit52", "anitalk6")
    with pytest.raises(KeywarpError, match="no mapping from bfm70 to tha45"):
        convert(space("bfm70").rest(), "bfm70", "vrm")
    with pytest.raises(KeywarpError, match="arkit52"):
        convert(np.zeros(52), "arkit", "tha45")


def test_the_work_order_s_mappings_exist() -> None:
    wanted = {(name, "tha45") for name in ("arkit52", "vrm", "mmd", "au17")}
    for name in ("anitalk6", "animeceleb20", "animeceleb20gaze"):
        wanted |= {(name, "tha45"), ("tha45", name)}
    assert wanted <= set(MAPPINGS)
    assert all(each.cannot_carry for each in MAPPINGS.values())
    assert set(SPACES) >= {name for pair in MAPPINGS for name in pair}


# --- back to units and categories -----------------------------------------------------------------


def test_a_face_in_action_units() -> None:
    def units(values: dict[str, float]) -> dict[str, float]:
        found = changed({"mouth_aaa": 0.0, **values}, "tha45", "au17")
        return {name: pytest.approx(value) for name, value in found.items()}

    assert units({}) == {}
    assert units(both("eye_wink", 1.0)) == {"AU45": 3.0}
    assert units({"eye_wink_left": 1.0}) == {"AU45": 1.5}
    assert units(both("eyebrow_raised", 0.4)) == {"AU01": 2.0, "AU02": 2.0}
    assert units({"mouth_aaa": 1.0}) == {"AU25": 5.0, "AU26": 5.0}
    assert units(both("mouth_raised_corner", 0.5)) == {"AU12": 2.5}


def test_action_units_come_back_as_the_movement_they_came_from() -> None:
    for values in ({"AU45": 3.0}, {"AU01": 2.0, "AU02": 2.0}, {"AU05": 2.0}):
        there = convert(space("au17").pose(values), "au17", "tha45")
        back = dict(zip(space("au17").names, convert(there, "tha45", "au17")))
        assert min(back[name] for name in values) > 0.5
        assert max(value for name, value in back.items() if name not in values) < 0.5


@pytest.mark.parametrize("name", space("expressions7").names)
def test_a_category_is_its_ready_made_face_and_is_found_in_it(name: str) -> None:
    half = space("expressions7").pose({name: 0.5})
    face = convert(half, "expressions7", "tha45")
    whole = convert(space("expressions7").pose({name: 1.0}), "expressions7", "tha45")
    np.testing.assert_allclose(face, (whole + THA.rest()) / 2, atol=1e-12)
    np.testing.assert_allclose(convert(face, "tha45", "expressions7"), half, atol=1e-9)


def test_the_happy_face_is_joy() -> None:
    joy = expression("joy").pose()
    face = convert(space("expressions7").pose({"happy": 1.0}), "expressions7", "tha45")
    assert {name: face[THA.index(name)] for name in joy} == pytest.approx(joy)


def test_what_is_no_expression_is_none() -> None:
    for values in ({"head_x": 1.0}, {"breathing": 1.0}, {"eye_wink_left": 1.0}):
        assert changed(values, "tha45", "expressions7") == {}
