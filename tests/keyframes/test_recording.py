# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses at uneven moments as curves: on the right frames, within the error, with few keys."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.recording import Recording
from keywarp.keyframes.spaces import space

SPACE = space("tha45")


def wave(time: float) -> float:
    return float(0.8 * np.sin(2 * np.pi * 0.7 * time))


@pytest.mark.parametrize("error", [0.002, 0.02])
@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_what_was_seen_is_what_is_played(fps: float, error: float) -> None:
    rng = np.random.default_rng(1)
    recording = Recording()
    for time in np.cumsum(rng.uniform(0.005, 0.02, 400)):
        recording.add(100.0 + time, {"head_y": wave(time), "mouth_aaa": 0.25})
    began = recording._times[0] - 100.0
    clip = recording.clip(fps, start=17.0, error=error)
    assert (clip.space, clip.fps, clip.start) == ("tha45", fps, 17.0)
    assert clip.end == 17 + int(recording.seconds * fps)
    frames = clip.frames()
    truth = [wave(began + (frame - 17) / fps) for frame in frames]
    shown = clip.sample(frames)
    # head_y runs from -1 to 1; between two poses the wave leaves the straight line a little
    assert np.abs(shown[:, SPACE.index("head_y")] - truth).max() <= 2 * error + 1e-3
    assert (shown[:, SPACE.index("mouth_aaa")] == 0.25).all() and len(clip.curves["mouth_aaa"]) == 1
    assert set(clip.curves) == {"head_y", "mouth_aaa"}
    assert len(clip.curves["head_y"]) < 60
    assert len(recording.clip(fps, error=0.02).curves["head_y"]) <= len(clip.curves["head_y"])


def test_channels_may_come_later_and_times_only_grow() -> None:
    recording = Recording()
    recording.add(1.0, {"head_y": 0.0})
    recording.add(2.0, {"head_y": 1.0, "head_x": 0.5})
    recording.add(1.5, {"head_y": 9.0})
    recording.add(2.0, {"head_y": 9.0})
    assert len(recording) == 2 and recording.seconds == 1.0
    clip = recording.clip(10.0)
    shown = clip.sample([0.0, 5.0, 10.0])
    assert shown[:, SPACE.index("head_y")] == pytest.approx([0.0, 0.5, 1.0], abs=0.02)
    assert shown[:, SPACE.index("head_x")] == pytest.approx([0.5, 0.5, 0.5])


def test_a_single_pose_is_a_clip_of_one_frame() -> None:
    recording = Recording()
    recording.add(5.0, {"head_y": 0.5})
    clip = recording.clip(30.0, start=8)
    assert (clip.start, clip.end) == (8.0, 8.0) and clip.sample([8.0])[0, SPACE.index("head_y")] == 0.5


def test_what_cannot_be_recorded() -> None:
    recording = Recording()
    with pytest.raises(KeywarpError, match="nothing"):
        recording.clip(30.0)
    with pytest.raises(KeywarpError, match="head_y"):
        recording.add(0.0, {"hed_y": 1.0})
    recording.add(0.0, {"head_y": 1.0})
    recording.add(1e6, {"head_y": 0.0})
    with pytest.raises(KeywarpError, match="frames"):
        recording.clip(30.0)
    with pytest.raises(KeywarpError, match="rate"):
        recording.clip(0.0)
