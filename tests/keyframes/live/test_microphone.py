# SPDX-License-Identifier: GPL-3.0-or-later
"""The microphone as a source, fed by a device of the test's own; and what is said where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live import microphone, named
from keywarp.keyframes.live.microphone import Device, Microphone
from keywarp.keyframes.live.source import LIVE, LOST, OFF, WAITING
from keywarp.keyframes.spaces import space
from keywarp.keyframes.vowels import CHANNELS

SPACE = space("tha45")
RATE = 16_000


class Desk:
    """A device, and the hand that speaks into it: time goes by as the sound does, however fast the machine is."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.take: Callable[[np.ndarray], None] = lambda sound: None
        self.open, self.wanted, self.now = 0, "", 100.0
        self.away, self.refused = False, 0
        patch.setattr(microphone, "clock", lambda: self.now)

    def __call__(self, wanted: str, take: Callable[[np.ndarray], None]) -> Device:
        if self.away:
            self.refused += 1
            raise KeywarpError("there is no such microphone")
        self.take, self.wanted = take, wanted
        self.open += 1
        return Device("desk", RATE, self.close)

    def close(self) -> None:
        self.open -= 1

    def speak(self, source: Microphone, sound: np.ndarray) -> None:
        """In blocks of 10 ms, each when the one before has been taken; all have been heard afterwards."""
        for block in np.array_split(sound.astype(np.float32), max(len(sound) // 160, 1)):
            assert until(lambda: not source._blocks)
            self.now += 0.01
            self.take(block)
        assert until(lambda: source._heard == self.now)


def until(true: Callable[[], object], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(true())


def vowel(seconds: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    lines = [(k, 1.0 / k / (1 + ((120 * k - 900) / 500) ** 2)) for k in range(1, 40)]
    return 0.1 * sum(gain * np.sin(2 * np.pi * 120 * k * at) for k, gain in lines)


def mouth(source: Microphone) -> float:
    pose = source.pose(0.0)
    assert pose is not None
    return float(pose[SPACE.index("mouth_aaa")])


def test_the_mouth_opens_with_the_voice_and_shuts_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    source = Microphone("desk", desk)
    assert source.state.phase == OFF and source.pose(0.0) is None
    source.start()
    source.start()
    assert desk.open == 1 and desk.wanted == "desk"
    assert source.state.phase == WAITING and source.pose(0.0) is None
    rng = np.random.default_rng(1)
    desk.speak(source, 1e-4 * rng.normal(size=RATE // 2))
    assert source.state.phase == LIVE
    pose = source.pose(0.0)
    assert pose is not None and not pose[[SPACE.index(name) for name in CHANNELS]].any()
    desk.speak(source, vowel(0.4))
    assert until(lambda: mouth(source) > 0.6)
    assert source.level > -40
    desk.speak(source, 1e-4 * rng.normal(size=RATE // 2))
    assert until(lambda: mouth(source) < 0.05)
    assert source.channels == set(CHANNELS)
    source.stop()
    source.stop()
    assert desk.open == 0 and source.pose(0.0) is None


def test_a_device_that_is_pulled_out_or_muted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    source = Microphone("", desk)
    source.start()
    desk.speak(source, vowel(0.05))
    assert source.state.phase == LIVE
    desk.now += 5.0
    assert source.state.phase == LOST and "plugged" in source.state.message
    assert source.pose(0.0) is None
    desk.speak(source, np.zeros(800))
    assert source.state.phase == WAITING and "muted" in source.state.message
    source.stop()


def test_a_device_that_was_pulled_out_is_opened_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    monkeypatch.setattr(microphone, "_LOOK", 0.005)
    source = Microphone("", desk)
    source.start()
    desk.speak(source, vowel(0.05))
    desk.away = True
    for tries in range(1, 4):
        desk.now += microphone.RETRY_SECONDS - 1.5
        time.sleep(0.03)
        assert desk.refused == tries - 1, "it is not looked for all the time"
        desk.now += 1.6
        assert until(lambda tries=tries: desk.refused == tries)
        assert source.state.phase == LOST and "desk" in source.state.message and source.pose(0.0) is None
    desk.away = False
    desk.now += microphone.RETRY_SECONDS + 0.1
    assert until(lambda: desk.open == 1)
    desk.speak(source, vowel(0.05))
    assert source.state.phase == LIVE and source.pose(0.0) is not None
    source.stop()
    assert desk.open == 0 and source.state.phase == OFF


def test_portaudio_looks_for_devices_again_while_it_has_no_stream_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Stream:
        def __init__(self, **settings: object) -> None:
            pass

        def start(self) -> None:
            done.append("start")

        def close(self) -> None:
            done.append("close")

    library = type(sys)("sounddevice")
    library.PortAudioError, library.InputStream = OSError, Stream
    library._terminate = lambda: done.append("terminate")
    library._initialize = lambda: done.append("initialize")
    found = {"name": "desk", "index": 0, "default_samplerate": RATE, "max_input_channels": 1}
    library.query_devices = lambda device=None, kind=None: found
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    first = microphone.open_input("", lambda sound: None)
    second = microphone.open_input("", lambda sound: None)
    assert done == ["terminate", "initialize", "start", "start"]
    first.close()
    second.close()
    microphone.open_input("", lambda sound: None).close()
    assert done[4:] == ["close", "close", "terminate", "initialize", "start", "close"]


def test_the_words_for_it() -> None:
    source = named.source("mic:USB Audio: Front")
    assert isinstance(source, Microphone) and source._wanted == "USB Audio: Front"
    assert named.identity("mic") == named.identity("MIC:") != named.identity("mic:2")


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(KeywarpError, match=r"pip install '\.\[live\]'"):
        Microphone().start()


def test_a_machine_without_this_device_says_which_it_has() -> None:
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("no sounddevice, or no PortAudio")
    with pytest.raises(KeywarpError, match="microphone") as told:
        Microphone("no such device anywhere").start()
    assert len(str(told.value).splitlines()) == 1
