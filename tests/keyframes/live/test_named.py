# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sources by their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.named import source
from keywarp.keyframes.live.playing import IdleSource, MouseSource
from keywarp.keyframes.live.tracker import Tracker


def test_trackers_idle_motion_and_the_mouse() -> None:
    tracker = source("openseeface:11600")
    assert isinstance(tracker, Tracker) and tracker.protocol.name == "openseeface"
    idle = source("idle:7")
    assert isinstance(idle, IdleSource) and idle.idle.seed == 7
    assert isinstance(source("mouse"), MouseSource)


def test_a_clips_file(tmp_path: Path) -> None:
    path = tmp_path / "nod.json"
    Clip("tha45", {"head_x": Curve.from_points([0, 10], [0.0, 0.5])}, 10.0, 0.0, 10.0).save(path)
    playing = source(f"clip:{path}")
    playing.start()
    assert playing.channels == {"head_x"} and playing.pose(1.0) is not None


@pytest.mark.parametrize(
    "text", ["", "webcam", "clip:", "clip:/no/such/file.json", "idle:x", "mouse:3", "vmc:0"]
)
def test_what_names_no_source(text: str) -> None:
    with pytest.raises(KeywarpError):
        source(text)
