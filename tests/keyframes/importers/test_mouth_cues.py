# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth cues of Rhubarb, Papagayo and Moho."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load
from keywarp.keyframes.importers.mouth_shapes import PRESTON_BLAIR, RHUBARB
from keywarp.keyframes.spaces import tha45


@pytest.mark.parametrize("name", ["rhubarb-tsv", "rhubarb-xml", "rhubarb-json", "moho"])
def test_all_forms_say_the_same(name: str, writers: Any, written: Callable[..., Path]) -> None:
    """Closed to half a second, open to one second, slightly open to one and a half, closed."""
    clip = load(written(writers.valid()[name])).clip
    assert (clip.space, clip.fps, clip.start) == ("tha45", 24, 0)
    open_ = clip.curves["mouth_aaa"]
    assert open_.sample([0, 6, 18, 30, 42]) == pytest.approx([0, 0, 1, 0, 0])
    spread = clip.curves["mouth_iii"].sample([0, 6, 18, 30, 42])
    assert spread[3] >= 0.5 and np.all(spread[[0, 1, 2, 4]] == 0)


@pytest.mark.parametrize("name", ["rhubarb-tsv", "rhubarb-xml", "rhubarb-json"])
def test_transitions_are_short_smooth_and_around_the_cue(
    name: str, writers: Any, written: Callable[..., Path]
) -> None:
    curve = load(written(writers.valid()[name])).clip.curves["mouth_aaa"]
    assert curve.sample([12])[0] == pytest.approx(0.5, abs=0.02)
    values = curve.sample(np.linspace(10, 14, 81))
    assert np.all(np.diff(values) >= 0), "one way only, without overshoot"
    assert values[0] == 0 and values[-1] == 1
    assert np.abs(np.diff(values, 2)).max() < 0.01, "no corners"
    assert len(curve) < 8, "few enough keys to edit"


def test_the_length_is_that_of_the_sound(writers: Any, written: Callable[..., Path]) -> None:
    for name in ("rhubarb-xml", "rhubarb-json"):
        assert load(written(writers.valid()[name])).clip.end == 48


def test_times_between_frames_are_kept(written: Callable[..., Path]) -> None:
    curve = load(written(b"0.00\tX\n0.51\tD\n2.00\tX\n")).clip.curves["mouth_aaa"]
    assert curve.sample([0.51 * 24])[0] == pytest.approx(0.5, abs=0.02)


def test_a_papagayo_project_has_its_own_rate_and_rests_between_words(
    writers: Any, written: Callable[..., Path]
) -> None:
    clip = load(written(writers.valid()["papagayo"].replace(b"\n24\n", b"\n25\n", 1))).clip
    assert (clip.fps, clip.end) == (25, 59)
    poses = {n: c.sample([5, 14, 20, 27, 35, 50]) for n, c in clip.curves.items()}
    assert poses["mouth_iii"][1] == 0.5 and poses["mouth_aaa"][2] == 1 and poses["mouth_uuu"][4] == 1
    closed = sum(abs(values[[0, 3, 5]]) for values in poses.values())
    assert np.all(closed == 0)


def test_a_dat_file_says_no_rate_and_that_is_reported(writers: Any, written: Callable[..., Path]) -> None:
    imported = load(written(b"MohoSwitch1\n1 rest\n11 AI\n31 Bogus\n"))
    assert any("24" in note for note in imported.notes)
    assert any("Bogus" in note for note in imported.notes)


def test_cues_nearer_than_a_transition_stay_in_order(written: Callable[..., Path]) -> None:
    lines = [f"{i * 0.02:.2f}\t{'DBFC'[i % 4]}" for i in range(60)]
    clip: Clip = load(written("\n".join([*lines, "1.2\tX"]).encode())).clip
    poses = clip.sample(np.linspace(0, 29, 500))
    assert poses.min() >= 0 and poses.max() <= 1
    shapes = ["DBFC".index("D") == i % 4 for i in range(60)]
    middles = clip.curves["mouth_aaa"].sample([(i * 0.02 + 0.01) * 24 for i in range(60)])
    assert np.array_equal(middles > 0.5, shapes)


def test_shapes_name_channels_within_their_ranges() -> None:
    for table in (RHUBARB, PRESTON_BLAIR):
        for shape in table.values():
            for channel, weight in shape.items():
                assert tha45.SPACE[channel].group == "Mouth" and 0 < weight <= 1
    assert set(RHUBARB) == set("ABCDEFGHX")


@pytest.mark.parametrize(
    "data",
    [
        b"0.00\tX\n0.5\tQ\n",
        b"0.00\tX\n0.5\n",
        b"0.00\tX\nnan\tA\n",
        b"0.00\tX\n1e9\tA\n",
        b'{"mouthCues": []}',
        b'{"mouthCues": [{"start": -1, "value": "A"}]}',
        b'{"mouthCues": [{"start": null, "value": "A"}]}',
        b"<rhubarbResult></rhubarbResult>",
        b"MohoSwitch1\n",
        b"MohoSwitch1\n1\n",
        b"MohoSwitch1\n999999999 AI\n",
        b"lipsync version 1\nhi.wav\n24\n",
        b"lipsync version 1\nhi.wav\n0\n60\n1\n",
        b"lipsync version 1\nhi.wav\n24\n60\n1\nv\nt\n99999999\n",
    ],
)
def test_bad_cues_are_refused(data: bytes, written: Callable[..., Path]) -> None:
    with pytest.raises(KeywarpError):
        load(written(data))
