# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips carried from one pose space to another, and the keys that they can do without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywarp.keyframes.clip import Clip, Marker
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import Key
from keywarp.keyframes.mappings import convert, convert_clip
from keywarp.keyframes.mappings.losses import losses
from keywarp.keyframes.reduce import kept, reduced
from keywarp.keyframes.spaces import space

THA = space("tha45")

BLINK = Curve([Key(1, 0.0), Key(6.25, 1.0), Key(12, 0.0)])


def clip(curves: dict[str, Curve], of: str = "tha45", start: float = 1.0, end: float = 40.0) -> Clip:
    return Clip(of, curves, 24.0, start, end, markers=(Marker(6.25, "shut"),), title="A test")


def test_a_sampled_clip_agrees_with_its_poses_on_every_frame_and_key() -> None:
    jaw = Curve([Key(1, 0.0), Key(20, 0.9), Key(33.5, 0.1)])
    smile = Curve([Key(1, 0.5), Key(30, 0.7)])
    before = clip(
        {"eyeBlinkLeft": BLINK, "jawOpen": jaw, "mouthSmileLeft": smile, "mouthSmileRight": smile}, "arkit52"
    )
    after = convert_clip(before, "tha45")
    assert (after.space, after.fps, after.start, after.end) == ("tha45", 24.0, 1.0, 40.0)
    assert (after.title, after.markers) == (before.title, before.markers)
    frames = np.union1d(before.frames(), [6.25, 33.5, 40.0])
    expected = convert(before.sample(frames), "arkit52", "tha45")
    np.testing.assert_allclose(after.sample(frames), expected, atol=3e-6)
    assert {"eye_wink_left", "eye_happy_wink_left", "mouth_aaa"} <= after.animated
    assert "head_y" not in after.animated and "eye_wink_right" not in after.animated


def test_a_channel_that_rests_elsewhere_gets_one_key() -> None:
    after = convert_clip(clip({"eyeBlinkLeft": BLINK}, "arkit52"), "tha45")
    assert [(key.frame, key.value) for key in after.curves["mouth_aaa"].keys] == [(1.0, 0.0)]


@pytest.mark.parametrize("target", ["animeceleb20", "animeceleb20gaze"])
def test_scaled_channels_keep_their_keys_and_handles(target: str) -> None:
    handle = {"handle_left_type": "FREE", "handle_right_type": "FREE"}
    turn = Curve(
        [
            Key(1, 0.0, handle_left=(0, 0), handle_right=(4, 0.8), **handle),
            Key(10, -0.7, "ELASTIC", amplitude=0.2),
            Key(20, 0.4, "BACK"),
            Key(30, 0.0),
        ],
        auto_smoothing="CONT_ACCEL",
    )
    before = clip({"eye_wink_left": BLINK, "head_y": turn})
    after = convert_clip(before, target)
    assert [key.frame for key in after.curves["yaw"].keys] == [1, 10, 20, 30]
    frames = np.linspace(-5, 50, 800)  # everywhere, not only on frames
    np.testing.assert_allclose(after.curves["yaw"].sample(frames), -10 * turn.sample(frames), atol=1e-9)
    assert after.curves["eye_closed_left"] == BLINK


def test_a_channel_that_is_held_to_its_range_is_sampled() -> None:
    turn = Curve([Key(1, 0.0), Key(20, 30.0), Key(39, 0.0)])
    after = convert_clip(clip({"head_yaw": turn, "head_roll": BLINK}, "arkit52"), "anitalk6")
    np.testing.assert_allclose(after.sample([20.0])[0, 4], 0.5)
    assert len(after.curves["left_right_head"]) > 3
    assert len(after.curves["yaw_head"]) == 3  # kept through both mappings


def test_a_step_stays_a_step() -> None:
    step = Curve([Key(1, 0.0, "CONSTANT"), Key(10, 1.0, "CONSTANT"), Key(20, 0.0, "CONSTANT")])
    after = convert_clip(clip({"jawOpen": step, "mouthLowerDownLeft": step}, "arkit52"), "tha45")
    frames = np.array([9.5, 9.97, 10.0, 15.0, 19.9, 20.0])
    aaa = after.sample(frames)[:, THA.index("mouth_aaa")]
    np.testing.assert_allclose(aaa, [0, 0, 0.9975, 0.9975, 0.9975, 0], atol=1e-6)


def test_what_turns_too_far_is_said_with_its_frames() -> None:
    far = Curve([Key(1, 0.0, "LINEAR"), Key(11, 60.0, "LINEAR"), Key(31, 60.0, "LINEAR"), Key(40, 0.0)])
    turned = clip({"head_yaw": far}, "arkit52")
    after = convert_clip(turned, "tha45")
    column = after.sample(after.frames())[:, THA.index("head_y")]
    held = int((abs(column) == 1).sum())
    assert 20 < held < 40
    assert f"held there: head_y in {held}, " in losses(turned, "tha45")[-1]
    shut = Curve([Key(1, 0.0), Key(5, 1.0), Key(30, 1.0), Key(40, 0.0)])
    assert losses(clip({"eyeBlinkLeft": shut}, "arkit52"), "tha45") == []


def test_a_clip_in_its_own_space_is_itself() -> None:
    before = clip({"eye_wink_left": BLINK})
    assert convert_clip(before, "tha45") is before


def test_a_clip_of_enormous_length_is_refused_at_once() -> None:
    with pytest.raises(KeywarpError, match="too long"):
        convert_clip(clip({"jawOpen": BLINK}, "arkit52", end=9e8), "tha45")


# --- fewer keys -----------------------------------------------------------------------------------


@given(
    values=st.lists(st.floats(-10, 10), min_size=1, max_size=60),
    tolerance=st.sampled_from([0.0, 0.01, 1.0, 100.0]),
)
def test_reduced_points_are_nowhere_off_by_more(values: list[float], tolerance: float) -> None:
    frames = np.cumsum(np.random.default_rng(len(values)).uniform(0.1, 2.0, len(values)))
    indices = kept(frames, values, tolerance)
    line = np.interp(frames, frames[indices], np.array(values)[indices])
    assert np.abs(line - values).max() <= tolerance + 1e-12
    assert indices[0] == 0 and indices[-1] == len(values) - 1


def test_a_broken_line_needs_its_corners_only() -> None:
    frames = np.arange(101.0)
    values = np.interp(frames, [0, 30, 60, 100], [0.0, 1.0, 1.0, 0.2])
    np.testing.assert_array_equal(kept(frames, values, 1e-9), [0, 30, 60, 100])
    before = clip({"eye_wink_left": Curve.from_points(frames, values), "head_y": BLINK})
    after = reduced(before, 1e-6)
    assert len(after.curves["eye_wink_left"]) == 4
    assert after.curves["head_y"] == BLINK  # not linear: left alone
    with pytest.raises(KeywarpError, match="tolerance"):
        reduced(before, -1.0)
