# SPDX-License-Identifier: GPL-3.0-or-later
"""The clips that are shipped: what a first try shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.clips import shipped
from keywarp.keyframes.importers import load
from keywarp.keyframes.mappings import convert_clip

NAMES = sorted(shipped())
#: By clip: the motion it was made from, and channels that come from it alone.
ORIGINS = {
    "thinking": ("16_thinking.vmd", ("head_x", "head_y", "neck_z", "iris_rotation_x", "iris_rotation_y")),
    "convinced": ("13_convinced.vmd", ("head_x", "iris_rotation_x", "eyebrow_raised_left")),
}


def test_two_clips_are_shipped() -> None:
    assert sorted(ORIGINS) == NAMES
    for name, path in shipped().items():
        assert path.name == f"{name}.json" and path.stat().st_size < 50_000


@pytest.mark.parametrize("name", NAMES)
def test_it_says_whose_it_is(name: str) -> None:
    clip = Clip.load(shipped()[name])
    assert clip.licence == "CC BY 4.0"
    assert clip.credit == (
        "CG-CA Gene (c) 2023 by Nagoya Institute of Technology, Moonshot R&D Goal 1 Avatar Symbiotic Society"
    )
    assert clip.title and clip.author
    assert "github.com/mmdagent-ex/gene" in clip.source and "added" in clip.source


@pytest.mark.parametrize("name", NAMES)
def test_head_eyes_and_mouth_move(name: str) -> None:
    clip = Clip.load(shipped()[name])
    assert clip.space == "tha45" and 4 <= clip.seconds <= 8
    poses = clip.sample(np.arange(clip.start, clip.end + 0.25, 0.25))
    assert poses.min() >= -1 - 1e-6 and poses.max() <= 1 + 1e-6
    column = dict(zip(clip.pose_space.names, poses.T))
    assert max(np.ptp(column[channel]) for channel in ("head_x", "head_y")) >= 1
    for side in ("left", "right"):
        closed = column[f"eye_wink_{side}"] > 0.95
        assert np.sum(np.diff(closed.astype(int)) == 1) >= 3, "blinks"
        assert closed.mean() < 0.2
    vowels = [f"mouth_{vowel}" for vowel in ("aaa", "iii", "uuu", "eee", "ooo")]
    opened = np.sum([column[vowel] for vowel in vowels], axis=0)
    assert opened.max() <= 1.001 and opened[0] == 0 and opened[-1] == 0
    assert np.sum(np.diff((opened > 0.4).astype(int)) == 1) >= 4, "words"
    assert sum(column[vowel].max() > 0.5 for vowel in vowels) >= 4, "several vowels"


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
def test_the_movement_is_that_of_the_motion(name: str, shared: Path) -> None:
    clip = Clip.load(shipped()[name])
    motion, channels = ORIGINS[name]
    original = convert_clip(load(shared / "motions" / motion).clip, "tha45")
    frames = np.arange(clip.start, clip.end + 0.5, 0.5)
    ours, theirs = clip.sample(frames), original.sample(frames)
    for channel in channels:
        i = clip.pose_space.index(channel)
        assert np.abs(ours[:, i] - theirs[:, i]).max() < 0.01, channel
