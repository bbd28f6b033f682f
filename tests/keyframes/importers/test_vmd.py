# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance motions: against an independent slerp along an independent Bezier curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load, vmd_file
from keywarp.keyframes.mappings import convert_clip
from keywarp.keyframes.spaces import arkit52

#: Three curves of one bone, each within 0.01 degrees; where the pace is upright, keys lie 0.02 frames apart.
DEGREES = 0.03
STILL = (0.0, 0.0, 0.0, 1.0)


def about(axis: Sequence[float], degrees: float) -> tuple[float, ...]:
    half = math.radians(degrees) / 2
    unit = np.array(axis) / np.linalg.norm(axis)
    return (*(unit * math.sin(half)).tolist(), math.cos(half))


def matrix(q: Sequence[float]) -> np.ndarray:
    """The rotation matrix of a quaternion, from the axis and the angle (Rodrigues)."""
    axis, cosine = np.array(q[:3]), q[3]
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        return np.eye(3)
    x, y, z = axis / sine
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = 2 * math.atan2(sine, cosine)
    return np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k


def turned(pitch: float, yaw: float, roll: float) -> np.ndarray:
    x, y, z = (matrix(about(axis, a)) for axis, a in zip(np.eye(3), (pitch, yaw, roll)))
    return y @ x @ z


def between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle from one rotation to another, in degrees."""
    return float(np.degrees(2 * np.arcsin(min(np.linalg.norm(a - b) / math.sqrt(8), 1.0))))


def pace(points: Sequence[int], u: float) -> float:
    """The height of MMD's curve at ``u``, by the roots of its cubic."""
    x1, y1, x2, y2 = (value / 127 for value in points)
    roots = np.roots(np.trim_zeros([1 + 3 * x1 - 3 * x2, 3 * x2 - 6 * x1, 3 * x1, -u], "f"))
    real = [r.real for r in roots if abs(r.imag) < 1e-6 and -1e-6 <= r.real <= 1 + 1e-6]
    t = min(max(real[0], 0.0), 1.0)
    return 3 * (1 - t) ** 2 * t * y1 + 3 * (1 - t) * t * t * y2 + t**3


def on_the_way(a: Sequence[float], b: Sequence[float], share: float) -> np.ndarray:
    """``share`` of the shorter rotation from ``a`` to ``b``, as a matrix."""
    way = matrix(a).T @ matrix(b)
    angle = math.acos(min(max((np.trace(way) - 1) / 2, -1.0), 1.0))
    if angle < 1e-9:
        return matrix(a)
    axis = np.array([way[2, 1] - way[1, 2], way[0, 2] - way[2, 0], way[1, 0] - way[0, 1]])
    return matrix(a) @ matrix(about(axis, math.degrees(angle) * share))


PACES = [
    (20, 20, 107, 107),
    (70, 0, 40, 127),
    (0, 127, 0, 127),
    (127, 0, 0, 127),
    (0, 20, 107, 107),
    (1, 90, 2, 3),
]


@pytest.mark.parametrize("points", PACES)
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (STILL, about((1, 0, 0), 25)),
        (STILL, about((0, 1, 0), -40)),
        (about((1, 2, 0), 30), about((0, -1, 3), 50)),
        (about((0, 1, 0), 170), about((0, 1, 0), -170)),
    ],
)
@pytest.mark.parametrize("length", [4, 37])
def test_rotations_follow_their_own_curve(
    points: Any, first: Any, last: Any, length: int, writers: Any, written: Callable[..., Path]
) -> None:
    data = writers.vmd([("首", 3, first, writers.straight), ("首", 3 + length, last, points)])
    clip = load(written(data)).clip
    for u in np.linspace(0, 1, 33):
        values = dict(zip(clip.pose_space.names, clip.sample([3 + u * length])[0]))
        ours = turned(*(values[f"neck_{angle}"] for angle in ("pitch", "yaw", "roll")))
        assert between(ours, on_the_way(first, last, pace(points, u))) < DEGREES


def test_turns_about_one_axis_keep_their_two_keys(writers: Any, written: Callable[..., Path]) -> None:
    keys = [("頭", 0, STILL, writers.straight), ("頭", 30, about((0, 1, 0), 20), (70, 0, 40, 127))]
    curve = load(written(writers.vmd(keys))).clip.curves["head_yaw"]
    assert [key.frame for key in curve.keys] == [0, 30]
    assert curve.keys[0].handle_right == pytest.approx((30 * 70 / 127, 0.0), abs=1e-4)
    assert curve.keys[1].handle_left == pytest.approx((30 * 40 / 127, 20.0), abs=1e-4)


def test_signs_are_those_of_the_pose_space(writers: Any, written: Callable[..., Path]) -> None:
    """MMD: left-handed, y up, the model looks along -z, its left is +x."""
    nose, top = np.array([0, 0, -1.0]), np.array([0, 1.0, 0])
    for axis, channel in ((0, "head_pitch"), (1, "head_yaw"), (2, "head_roll")):
        q = about(np.eye(3)[axis], 20)
        clip = load(written(writers.vmd([("頭", 0, STILL, PACES[0]), ("頭", 9, q, PACES[0])]))).clip
        assert set(clip.curves) == {channel}
        assert clip.curves[channel].sample([9])[0] == pytest.approx(20, abs=1e-4)
        moved = {
            "head_pitch": (matrix(q) @ nose)[1],
            "head_yaw": -(matrix(q) @ nose)[0],
            "head_roll": -(matrix(q) @ top)[0],
        }
        assert moved[channel] > 0.3, "looks up, or towards or tilts to the character's right"


def test_morphs_are_linear_and_start_on_their_frame(writers: Any, written: Callable[..., Path]) -> None:
    morphs = [("あ", 10, 1.0), ("あ", 0, 0.0), ("まばたき", 4, 0.5), ("笑い", 0, 0.0), ("髪消し", 3, 1.0)]
    imported = load(written(writers.vmd(morphs=morphs)))
    clip = imported.clip
    assert (clip.space, clip.fps, clip.start, clip.end) == ("mmd", 30, 0, 10)
    assert clip.curves["a"].sample([0, 5, 10]) == pytest.approx([0, 0.5, 1])
    assert set(clip.curves) == {"a", "blink"}, "what never moves gets no curve"
    assert any("髪消し" in note for note in imported.notes)


def test_arkit_names_are_known_by_their_first_15_bytes(writers: Any, written: Callable[..., Path]) -> None:
    names = [name[0].lower() + name[1:] for name in writers.arkit]
    assert len({name[:15] for name in names}) == 52
    morphs = [(name, 0, (i + 1) / 100) for i, name in enumerate(names)]
    q = about((0, 1, 0), 10)
    bones = [(bone, f, p, PACES[0]) for bone in ("首", "頭") for f, p in ((0, STILL), (10, q))]
    clip = load(written(writers.vmd(bones, morphs))).clip
    assert clip.space == "arkit52"
    for i, name in enumerate(names):
        assert clip.curves[name].sample([0])[0] == pytest.approx((i + 1) / 100)
    assert clip.curves["head_yaw"].sample([0, 5, 10]) == pytest.approx([0, 10, 20], abs=DEGREES)
    assert set(clip.curves) <= set(arkit52.SPACE.names)


def test_of_two_tracks_on_one_cut_name_the_larger_weight_is_taken(
    writers: Any, written: Callable[..., Path]
) -> None:
    morphs = [("mouthUpperUpLeft", 0, 0.7), ("mouthUpperUpLeftOld", 0, 0.2), ("mouthUpperUpLeft", 9, 0.1)]
    imported = load(written(writers.vmd(morphs=[*morphs, ("mouthUpperUpLeftOld", 9, 0.3)])))
    assert imported.clip.curves["mouthUpperUpLeft"].sample([0, 9]) == pytest.approx([0.7, 0.3])
    assert any("mouthUpperUpLef" in note and "larger" in note for note in imported.notes)


def test_names_cut_inside_a_character_are_read(writers: Any, written: Callable[..., Path]) -> None:
    imported = load(written(writers.vmd(morphs=[("怒りを全部合わせた顔", 0, 1.0), ("あ", 0, 1.0)])))
    assert any("怒りを全部合" in note for note in imported.notes)


def test_cameras_are_named_as_such(writers: Any, written: Callable[..., Path]) -> None:
    with pytest.raises(KeywarpError, match="camera"):
        load(written(writers.vmd(cameras=3, model="カメラ・照明")))


@pytest.mark.parametrize("sections", range(5))
def test_files_may_end_after_any_section(sections: int, writers: Any, written: Callable[..., Path]) -> None:
    whole = writers.vmd(morphs=[("あ", 0, 1.0)], sections=sections)
    assert load(written(whole)).clip.curves["a"].sample([0])[0] == 1.0


def test_a_cut_anywhere_is_seen(writers: Any, written: Callable[..., Path]) -> None:
    keys = [("頭", 0, STILL, PACES[0])]
    whole = writers.vmd(keys, [("あ", 0, 1.0)])
    ends = {len(writers.vmd(keys, [("あ", 0, 1.0)], sections=i)) for i in range(4)}
    for length in range(len(whole)):
        if length in ends:
            load(written(whole[:length]))
        else:
            with pytest.raises(KeywarpError):
                load(written(whole[:length]))


def test_counts_are_checked_before_anything_is_made(writers: Any, written: Callable[..., Path]) -> None:
    data = bytearray(writers.vmd(morphs=[("あ", 0, 1.0)]))
    data[50:54] = b"\xff\xff\xff\xff"
    with pytest.raises(KeywarpError, match="cut short"):
        load(written(bytes(data)))


@pytest.mark.shared
def test_real_motions_keep_every_key_of_every_face_bone(shared: Path) -> None:
    files = sorted((shared / "motions").glob("*.vmd"))
    assert len(files) >= 30
    bones = {"頭": "head", "首": "neck", "上半身": "upper_body", "上半身2": "upper_body_2"}
    worst = 0.0
    for path in files:
        clip = load(path).clip
        assert clip.space == "mmd"
        for record in vmd_file.read(path.read_bytes()).bones:
            stem = bones.get(bytes(record["name"]).split(b"\0")[0].decode("cp932", "replace"))
            if stem:
                values = dict(zip(clip.pose_space.names, clip.sample([float(record["frame"])])[0]))
                ours = turned(*(values[f"{stem}_{angle}"] for angle in ("pitch", "yaw", "roll")))
                q = np.array(record["rotation"], np.float64)
                worst = max(worst, between(ours, matrix(q / np.linalg.norm(q))))
    assert worst < DEGREES


@pytest.mark.shared
def test_a_real_motion_moves_the_canonical_space(shared: Path) -> None:
    clip = convert_clip(load(shared / "motions" / "28_sleepy.vmd").clip, "tha45")
    poses = dict(zip(clip.pose_space.names, clip.sample(clip.frames()).T))
    for channel in ("head_x", "head_y", "eye_wink_left", "mouth_aaa"):
        assert np.ptp(poses[channel]) > 0.3, channel
