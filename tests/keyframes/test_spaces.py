# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of channels: order, sides, ranges, mirroring, and the names that files use."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import SPACES, channel_called, mmd, space, vrm

GROUPS = {"Brows", "Eyes", "Gaze", "Mouth", "Head", "Body", "Shape", "Expression", "Driving"}
spaces = pytest.mark.parametrize("each", SPACES.values(), ids=SPACES)


def random_poses(of: PoseSpace, seed: int, count: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).uniform(of.minimum, of.maximum, (count, len(of)))


def test_every_space_of_the_field_is_there() -> None:
    sizes = {name: len(each) for name, each in SPACES.items()}
    assert {
        k: sizes[k] for k in ("tha45", "anitalk6", "animeceleb20", "animeceleb20gaze", "au17", "bfm70")
    } == {
        "tha45": 45,
        "anitalk6": 6,
        "animeceleb20": 20,
        "animeceleb20gaze": 22,
        "au17": 17,
        "bfm70": 70,
    }
    # 52 coefficients, then the head that every tracker sends with them.
    assert SPACES["arkit52"].names[52:] == ("head_pitch", "head_yaw", "head_roll")
    assert {"vrm", "mmd"} <= set(SPACES)


def test_tha45_is_in_the_order_that_the_networks_take() -> None:
    names = space("tha45").names
    at = {0: "eyebrow_troubled_left", 11: "eyebrow_serious_right", 12: "eye_wink_left", 24: "iris_small_left"}
    at |= {26: "mouth_aaa", 31: "mouth_delta", 32: "mouth_lowered_corner_left", 36: "mouth_smirk"}
    at |= {37: "iris_rotation_x", 39: "head_x", 41: "neck_z", 43: "body_z", 44: "breathing"}
    assert {i: names[i] for i in at} == at
    bipolar = [name for name, low in zip(names, space("tha45").minimum) if low < 0]
    assert bipolar == list(names[37:44])
    assert space("tha45").rest()[26] == 1.0  # the picture's mouth is open
    assert np.count_nonzero(space("tha45").rest()) == 1


@spaces
def test_channels_are_sound(each: PoseSpace) -> None:
    for channel in each.channels:
        assert channel.minimum < channel.maximum
        assert channel.minimum <= channel.default <= channel.maximum
        assert channel.group in GROUPS
        assert channel.description
        assert channel.name.isascii() and channel.name.isidentifier()
        assert channel.mirror_sign in (1, -1)
        if channel.mirror_sign == -1:
            assert channel.minimum == -channel.maximum
        if channel.pair is not None:
            other = each[channel.pair]
            assert other.pair == channel.name
            assert (other.minimum, other.maximum, other.default) == (
                channel.minimum,
                channel.maximum,
                channel.default,
            )
            assert {channel.side, other.side} in ({"left", "right"}, {None})
        assert (channel.side is None) or channel.side in channel.name.lower()


@spaces
def test_every_sided_name_has_its_pair(each: PoseSpace) -> None:
    for channel in each.channels:
        swapped = channel.name.replace("left", "#").replace("right", "left").replace("#", "right")
        swapped = swapped.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        if swapped != channel.name and swapped in each:
            assert channel.pair == swapped


@spaces
@given(seed=st.integers(0, 2**32 - 1))
def test_mirroring_twice_changes_nothing(each: PoseSpace, seed: int) -> None:
    poses = random_poses(each, seed)
    mirrored = each.mirror(poses)
    np.testing.assert_array_equal(each.mirror(mirrored), poses)
    np.testing.assert_array_equal(each.clamp(mirrored), mirrored)
    np.testing.assert_array_equal(each.mirror(each.rest()), each.rest())


def test_mirroring_tha45_exchanges_sides_and_negates_what_turns() -> None:
    tha = space("tha45")
    pose = tha.pose({"eye_wink_left": 0.7, "head_x": 0.1, "head_y": 0.2, "neck_z": 0.3})
    pose[[tha.index(name) for name in ("body_y", "body_z", "iris_rotation_x", "iris_rotation_y")]] = 0.4
    expected = {"eye_wink_right": 0.7, "head_x": 0.1, "head_y": -0.2, "neck_z": -0.3, "body_y": -0.4}
    expected |= {"body_z": -0.4, "iris_rotation_x": 0.4, "iris_rotation_y": -0.4}
    np.testing.assert_array_equal(tha.mirror(pose), tha.pose(expected))


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(KeywarpError, match="tha45"):
        space("tha_45")
    with pytest.raises(KeywarpError, match="animeceleb20gaze"):
        space("something else")
    with pytest.raises(KeywarpError, match="eye_wink_left"):
        space("tha45").index("eye_wink_lef")


@pytest.mark.parametrize(
    ("of", "name", "channel"),
    [
        ("mmd", "まばたき", "blink"),
        ("mmd", "ｳｨﾝｸ２右", "wink_right"),
        ("mmd", "ウィンク", "smile_wink_left"),
        ("mmd", "困る左", "brow_troubled_left"),
        ("mmd", "あ", "a"),
        ("mmd", "ｷﾘｯ", "sharp"),
        ("vrm", "Joy", "happy"),
        ("vrm", "BLINK_L", "blinkLeft"),
        ("vrm", "aa", "aa"),
        ("vrm", "O", "oh"),
        ("arkit52", "EyeBlinkLeft", "eyeBlinkLeft"),
        ("arkit52", "jawOpened", None),
    ],
)
def test_channels_answer_to_the_names_in_files(of: str, name: str, channel: str | None) -> None:
    assert channel_called(of, name) == channel


@pytest.mark.parametrize("module", [mmd, vrm])
def test_no_name_in_files_means_two_channels(module: ModuleType) -> None:
    meant: dict[str, str] = {}
    for name, channel in module.ALIASES.items():
        assert channel in module.SPACE
        assert channel_called(module.SPACE.name, name) == channel
        assert meant.setdefault(name.casefold(), channel) == channel
    for stem in module.BONES.values():
        assert f"{stem}_pitch" in module.SPACE and f"{stem}_yaw" in module.SPACE


@pytest.mark.parametrize(
    ("space_name", "signs", "nose_and_up"),
    [
        # the signs that the tables state for angles about the x, y and z axis; the frame's nose, its up,
        # and where the picture's left is
        ("vrm", (-1, -1, 1), ((0, 0, 1), (0, 1, 0), (-1, 0, 0))),
        ("vrm in Unity", (-1, 1, -1), ((0, 0, 1), (0, 1, 0), (1, 0, 0))),
        ("mmd", (1, 1, 1), ((0, 0, -1), (0, 1, 0), (-1, 0, 0))),
    ],
)
def test_stated_signs_of_angles(
    space_name: str, signs: tuple[int, ...], nose_and_up: tuple[tuple[int, ...], ...]
) -> None:
    nose, up, picture_left = np.array(nose_and_up, float)
    # A rotation matrix is the same in left- and right-handed frames.
    about = [
        Rotation.from_euler(axis, 10 * sign, degrees=True).as_matrix() for axis, sign in zip("xyz", signs)
    ]
    assert (about[0] @ nose) @ up > 0.1, "pitch looks up"
    assert (about[1] @ nose) @ picture_left > 0.1, "yaw turns towards the picture's left"
    assert (about[2] @ up) @ picture_left > 0.1, "roll tilts towards the picture's left"


@pytest.mark.shared
def test_the_face_morphs_of_real_motions_are_known(shared) -> None:  # type: ignore[no-untyped-def]
    data = (shared / "motions" / "02_laugh.vmd").read_bytes()
    bones = int.from_bytes(data[50:54], "little")
    at = 54 + 111 * bones
    count = int.from_bytes(data[at : at + 4], "little")
    records = (data[at + 4 + 23 * i :][:15] for i in range(count))
    names = {record.split(b"\0")[0].decode("cp932") for record in records}
    known = {channel_called("mmd", name) for name in names}
    assert {"blink", "smile", "a", "i", "u", "e", "o", "brow_up", "smirk", "wink_right"} <= known
