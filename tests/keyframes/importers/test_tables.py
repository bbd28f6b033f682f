# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of face trackers: Live Link Face, iFacialMocap, OpenFace."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load


def codes(count: int, rate: int, start: int = 0) -> list[str]:
    return [
        f"10:{i // rate // 60:02d}:{i // rate % 60:02d}:{i % rate:02d}.250"
        for i in range(start, start + count)
    ]


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_live_link_is_sampled_at_its_own_rate(rate: int, writers: Any, written: Callable[..., Path]) -> None:
    rows = [{"JawOpen": i / 200, "EyeBlinkLeft": 0.25, "HeadYaw": 0.1} for i in range(2 * rate)]
    clip = load(written(writers.live_link(rows, codes(2 * rate, rate, 7)))).clip
    assert (clip.space, clip.fps, clip.start, clip.end) == ("arkit52", rate, 0, 2 * rate - 1)
    assert clip.curves["jawOpen"].sample([10])[0] == pytest.approx(10 / 200)
    assert clip.curves["eyeBlinkLeft"].sample([0])[0] == 0.25


def test_live_link_angles_are_radians_about_the_axes_of_arkit(
    writers: Any, written: Callable[..., Path]
) -> None:
    """ARKit: +y turns to the character's left, +x bends down, +z tilts towards the character's right."""
    rows = [{"HeadYaw": 0.2, "HeadPitch": 0.1, "HeadRoll": 0.05}] * 90
    clip = load(written(writers.live_link(rows, codes(90, 60)))).clip
    values = dict(zip(clip.pose_space.names, clip.sample([5])[0]))
    assert values["head_yaw"] == pytest.approx(-math.degrees(0.2))
    assert values["head_pitch"] == pytest.approx(-math.degrees(0.1))
    assert values["head_roll"] == pytest.approx(math.degrees(0.05))


def test_frames_that_were_dropped_leave_a_gap_and_rows_without_a_face_are_reported(
    writers: Any, written: Callable[..., Path]
) -> None:
    rows = [{"JawOpen": i / 100} for i in range(70)]
    lines = writers.live_link(rows, codes(70, 60)).split(b"\r\n")
    lines[5] = b"10:00:00:04.250,0"
    del lines[21:31]
    imported = load(written(b"\r\n".join(lines)))
    assert imported.clip.curves["jawOpen"].sample([3, 40]) == pytest.approx([0.03, 0.4])
    assert imported.clip.end == 69
    assert any("1 row is left out" in note for note in imported.notes)


def test_recordings_run_over_midnight(writers: Any, written: Callable[..., Path]) -> None:
    times = [f"23:59:59:{i:02d}.0" for i in range(30)] + [f"00:00:00:{i:02d}.0" for i in range(30)]
    clip = load(written(writers.live_link([{"JawOpen": 1.0}] * 60, times))).clip
    assert (clip.fps, clip.end) == (30, 59)


def test_ifacialmocap_has_percent_and_short_sides(written: Callable[..., Path]) -> None:
    header = "time,eyeBlink_L,eyeBlink_R,mouthSmile_L,jawOpen,browInnerUp,headRotationX,headRotationY,headRotationZ"
    rows = [f"{i / 30:.4f},{i},0,50,100,0,10,-20,5" for i in range(40)]
    imported = load(written("\n".join([header, *rows]).encode()))
    clip = imported.clip
    assert (clip.space, clip.fps, clip.end) == ("arkit52", 30, 39)
    values = dict(zip(clip.pose_space.names, clip.sample([20])[0]))
    assert values["eyeBlinkLeft"] == pytest.approx(0.2) and values["eyeBlinkRight"] == 0
    assert values["mouthSmileLeft"] == 0.5 and values["jawOpen"] == 1
    assert (values["head_pitch"], values["head_yaw"], values["head_roll"]) == (-10, 20, 5)
    assert any("percent" in note for note in imported.notes)


def test_a_cell_that_is_no_number_is_named(writers: Any, written: Callable[..., Path]) -> None:
    data = writers.live_link([{"JawOpen": 0.5}] * 70, codes(70, 60)).replace(b"0.5000000000", b"nan", 3)
    with pytest.raises(KeywarpError, match=r"line 2, column JawOpen: 'nan'"):
        load(written(data))


def rotated(x: float, y: float, z: float) -> np.ndarray:
    """OpenFace's R = Rx Ry Rz about the camera's axes: x right, y down, z away."""
    cx, sx, cy, sy, cz, sz = (f(a) for a in (x, y, z) for f in (math.cos, math.sin))
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rx @ ry @ rz


@pytest.mark.parametrize("pose", [(0.3, 0, 0), (0, 0.4, 0), (0, 0, 0.2), (0.3, -0.5, 0.25)])
def test_openface_shows_the_same_head(pose: Any, writers: Any, written: Callable[..., Path]) -> None:
    rows = [dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), pose))] * 10
    clip = load(written(writers.openface(rows))).clip
    assert (clip.space, clip.fps, clip.end) == ("au17head", 25, 9)
    values = dict(zip(clip.pose_space.names, clip.sample([4])[0]))
    # The nose points at the camera; up is -y, the picture's left is -x.
    nose, top = rotated(*pose) @ [0, 0, -1], rotated(*pose) @ [0, -1, 0]
    assert math.sin(math.radians(values["head_pitch"])) == pytest.approx(-nose[1], abs=1e-6)
    assert math.atan2(-nose[0], -nose[2]) == pytest.approx(math.radians(values["head_yaw"]), abs=1e-6)
    pitch, roll = math.radians(values["head_pitch"]), math.radians(values["head_roll"])
    assert -top[1] == pytest.approx(math.cos(pitch) * math.cos(roll), abs=1e-6)
    if pose == (0, 0, 0.2):
        assert values["head_roll"] == pytest.approx(-math.degrees(0.2), abs=1e-4)


def test_openface_gaze_is_that_of_the_eyes_in_the_head(writers: Any, written: Callable[..., Path]) -> None:
    rows = [{"pose_Ry": 0.2, "gaze_angle_x": -0.5, "gaze_angle_y": 0.1, "AU12_r": 2.5, "AU45_c": 1}] * 10
    clip = load(written(writers.openface(rows))).clip
    values = dict(zip(clip.pose_space.names, clip.sample([4])[0]))
    assert values["gaze_yaw"] == pytest.approx(math.degrees(0.5 - 0.2), abs=1e-3)
    assert values["gaze_pitch"] == pytest.approx(-math.degrees(0.1), abs=1e-3)
    assert values["AU12"] == 2.5


def test_openface_takes_the_face_that_is_seen_most(writers: Any, written: Callable[..., Path]) -> None:
    rows = []
    for i in range(20):
        time = {"frame": i + 1, "timestamp": i / 25}
        rows.append({**time, "face_id": 0, "AU12_r": 1, "success": float(i < 5)})
        rows.append({**time, "face_id": 1, "AU12_r": 2, "success": float(i != 7)})
    imported = load(written(writers.openface(rows)))
    assert imported.clip.curves["AU12"].columns.value.tolist() == [2.0] * 19
    assert (imported.clip.start, imported.clip.end) == (0, 19)
    assert any("2 faces" in note and "number 1" in note for note in imported.notes)


def test_openface_without_a_face_is_refused(writers: Any, written: Callable[..., Path]) -> None:
    with pytest.raises(KeywarpError, match="no face"):
        load(written(writers.openface([{"success": 0}] * 5)))
