# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts send: parsed, refused in a sentence, made into layers; sources that are shared and opened again."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from keywarp.keyframes import clip_file
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live import shared
from keywarp.keyframes.live.mixer import Mixer
from keywarp.keyframes.live.protocols import connect
from keywarp.keyframes.live.settings import LiveSettings
from keywarp.keyframes.live.shaped import Shaped
from keywarp.keyframes.live.shared import Sources
from keywarp.keyframes.live.source import FAILED, LIVE, WAITING
from keywarp.keyframes.spaces import space

SPACE = space("tha45")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Any, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(true())


def test_all_that_can_be_said() -> None:
    settings = LiveSettings.of(
        {
            "sources": [
                {"from": "vmc:39540", "parts": ["Head", "mouth_aaa"], "weight": 0.5, "mode": "ADD"},
                "idle:3",
                {"from": "clip:/some/where.json", "parts": None},
                {"from": "openseeface"},
            ],
            "smoothing": 0.25,
            "mirror": True,
            "sensitivity": {"Head": 2.0},
            "limits": {"Mouth": 0.5},
            "idle": {"blink": 0.5, "seed": 4},
            "neutral": {"vmc:39540": {"head_yaw": 3.0}},
        }
    )
    assert [each.word for each in settings.sources] == ["vmc", "idle", "clip", "openseeface"]
    assert settings.sources[0].parts == ("Head", "mouth_aaa") and settings.sources[2].parts is None
    assert settings.shape.smoothing == 0.25 and settings.shape.mirror
    assert settings.idle is not None and settings.idle.seed == 4 and settings.idle.breath == 1.0
    assert settings.neutral == {"vmc:39540": {"head_yaw": 3.0}}


def test_a_neutral_face_that_nobody_has_is_no_reason_to_refuse_the_rest() -> None:
    kept = {"head_yaw": 3.0, "aa": 2e30, "ih": float("inf"), "ou": float("nan"), "oh": 10**400}
    settings = LiveSettings.of({"smoothing": 0.25, "neutral": {"vmc": kept}})
    assert settings.neutral == {"vmc": {"head_yaw": 3.0}} and settings.shape.smoothing == 0.25
    tracker = connect("vmc")
    tracker.calibration.neutral = {"head_yaw": 3.0, "head_pitch": 1e29, "tail": 1.0}
    assert tracker.calibration.neutral == {"head_yaw": 3.0}


def test_nothing_said_is_nothing_followed() -> None:
    settings = LiveSettings.of({})
    assert settings.sources == () and settings.idle is None
    mixer = settings.mixer()
    mixer.start()
    assert (mixer.pose(0.0) == SPACE.rest()).all()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ([], "object"),
        ({"source": []}, "source"),
        ({"sources": "vmc"}, "list"),
        ({"sources": [{}]}, "from"),
        ({"sources": [{"from": "vcm"}]}, "vcm"),
        ({"sources": [{"from": 3}]}, "3"),
        ({"sources": [{"from": "vmc:70000"}]}, "70000"),
        ({"sources": [{"from": "ifacialmocap"}]}, "address"),
        ({"sources": [{"from": "clip:"}]}, "clip"),
        ({"sources": [{"from": "clip:walk.json"}]}, "whole path"),
        ({"sources": [{"from": "idle", "parts": ["Hair"]}]}, "Hair"),
        ({"sources": [{"from": "idle", "parts": "Head"}]}, "parts"),
        ({"sources": [{"from": "idle", "weight": -1}]}, "weight"),
        ({"sources": [{"from": "idle", "weight": "1"}]}, "weight"),
        ({"sources": [{"from": "idle", "mode": "MULTIPLY"}]}, "MULTIPLY"),
        ({"sources": [{"from": "idle", "colour": 1}]}, "colour"),
        ({"sources": ["idle"] * 33}, "32"),
        ({"smoothing": 2.0}, "smoothing"),
        ({"smoothing": None}, "smoothing"),
        ({"mirror": 1}, "mirror"),
        ({"sensitivity": {"Hair": 1.0}}, "Hair"),
        ({"sensitivity": [1]}, "sensitivity"),
        ({"limits": {"Head": 1.5}}, "Head"),
        ({"idle": {"blinks": 1}}, "blinks"),
        ({"idle": {"seed": -1}}, "seed"),
        ({"idle": 3}, "3"),
        ({"neutral": {"vmc": {"head_yaw": "x"}}}, "head_yaw"),
        ({"neutral": {"vmc": [1]}}, "neutral"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(given: Any, word: str) -> None:
    with pytest.raises(KeywarpError, match=word) as told:
        LiveSettings.of(given)
    assert len(str(told.value).splitlines()) == 1 and len(str(told.value)) < 300


def layers(mixer: Mixer) -> list[bool]:
    """Of each layer, from the lowest up, whether it is shaped."""
    return [isinstance(layer.source, Shaped) for layer in mixer.layers]


def test_the_first_source_is_the_topmost_and_idle_lies_below(tmp_path: Path) -> None:
    settings = LiveSettings.of(
        {"sources": ["mouse", "vmc", "idle"], "idle": {}, "mirror": True, "smoothing": 0.0}
    )
    mixer = settings.mixer()
    assert layers(mixer) == [False, False, True, True]
    tracker, mouse = (layer.source for layer in mixer.layers[2:])
    assert isinstance(tracker, Shaped) and tracker.shape.mirror
    assert isinstance(mouse, Shaped) and not mouse.shape.mirror


# --- sources that are shared --------------------------------------------------------------------------


def test_a_tracker_is_opened_once_for_all_who_follow_it(packets, unhurried) -> None:
    port = free_port()
    sources = Sources()
    wakes = [threading.Event(), threading.Event()]
    first, second = (sources.source(f"vmc:{port}", wake) for wake in wakes)
    first.start()
    first.start()
    second.start()
    assert until(lambda: first.state.phase == WAITING and "nothing arrives" in first.state.message)
    for wake in wakes:
        wake.clear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(packets.bundle([packets.bone("Head", (0, 1, 0), 5.0)]), ("127.0.0.1", port))
    assert all(wake.wait(60) for wake in wakes)
    for source in (first, second):  # which are woken by other news too
        assert until(lambda source=source: source.pose(time.monotonic()) is not None)
        pose = source.pose(time.monotonic())
        assert pose is not None and pose[SPACE.index("head_y")] == pytest.approx(0.5)
        assert source.state.phase == LIVE
    assert first.calibrate() and second.calibration is not None and second.calibration.neutral
    first.stop()
    assert first.pose(time.monotonic()) is None and second.pose(time.monotonic()) is not None
    second.stop()

    def is_free() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

    assert until(is_free), "the port is let go when nobody follows"
    again = sources.source(f"vmc:{port}")
    assert again.calibration is not None and again.calibration.neutral, "the neutral face is kept"


def test_a_port_that_is_taken_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "RETRY_SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        source = Sources().source(f"vmc:{port}")
        source.start()
        assert until(lambda: source.state.phase == FAILED)
        assert str(port) in source.state.message and source.pose(0.0) is None
    assert until(lambda: source.state.phase == WAITING)
    source.stop()


def test_a_clip_that_comes_later_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared, "RETRY_SECONDS", 0.05)
    path = tmp_path / "held.json"
    source = Sources().source(f"clip:{path}")
    source.start()
    assert until(lambda: source.state.phase == FAILED) and "held.json" in source.state.message
    beside = tmp_path / "written"
    curve = Curve.from_points([0, 9], [0.5, 0.5])
    clip_file.save(Clip("tha45", {"head_y": curve}, 30.0, 0.0, 9.0), beside)
    beside.rename(path)
    assert until(lambda: source.state.phase == LIVE)
    pose = source.pose(0.0)
    assert pose is not None and pose[SPACE.index("head_y")] == 0.5
    source.stop()
    assert source.pose(0.0) is None
