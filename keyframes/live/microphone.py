# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound device as a live source: the mouth opens as loud as somebody speaks, and takes the vowels' shapes.

The device is read by ``sounddevice`` (PortAudio), which is imported when the source starts.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError, installing
from keywarp.keyframes.keys import shown
from keywarp.keyframes.live.source import LIVE, LOST, OFF, SPACE, WAITING, State, clock
from keywarp.keyframes.voice import Listener
from keywarp.keyframes.vowels import CHANNELS

Sound = npt.NDArray[np.float32]

#: A device that gives nothing for so long has gone.
LOST_SECONDS = 1.0
#: How often one that has gone is looked for.
RETRY_SECONDS = 3.0
#: How often it is seen whether one has gone.
_LOOK = 0.25
#: Seconds after which perfect silence is worth a remark.
_MUTE_SECONDS = 3.0
_BLOCK_SECONDS = 0.01
#: Blocks that wait to be listened to; older ones are dropped.
_MOST_BLOCKS = 50


class Device:
    """An open sound device."""

    def __init__(self, name: str, rate: float, close: Callable[[], None]) -> None:
        self.name, self.rate, self.close = name, rate, close


#: PortAudio's devices and streams are a whole process's; these are open.
_portaudio = threading.Lock()
_streams: set[Any] = set()

#: Opens the device that a person has named; sound goes to the function, (n,), from any thread.
OpenDevice = Callable[[str, Callable[[Sound], None]], Device]


class Microphone:
    """``device``: nothing for the system's own choice, a number, or a part of its name."""

    def __init__(self, device: str = "", open_device: Optional[OpenDevice] = None) -> None:
        self._wanted = device.strip()
        self._open: OpenDevice = open_device or open_input
        self._device: Optional[Device] = None
        self._blocks: deque[Sound] = deque(maxlen=_MOST_BLOCKS)
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._mouth = np.zeros(len(CHANNELS))
        self._heard = self._sounded = self._began = self._tried = 0.0
        self._name = ""
        self.level = -np.inf
        """Decibels of full scale."""

    def start(self) -> None:
        """Open the device; raises ``KeywarpError`` where it cannot be had."""
        if self._thread is not None:
            return
        self._blocks.clear()
        self._mouth = np.zeros(len(CHANNELS))
        self._heard, self._began = -np.inf, clock()
        self._sounded = self._began
        listener = self._opened()
        self._ending.clear()
        self._thread = threading.Thread(
            target=self._run, args=[listener], name="keywarp microphone", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the device."""
        if self._thread is None:
            return
        self._ending.set()
        self._news.set()
        self._thread.join()
        self._close()
        self._thread = None

    def _opened(self) -> Listener:
        """Open the device, and what listens to it; raises ``KeywarpError``."""
        device = self._open(self._wanted, self._take)
        try:
            listener = Listener(device.rate)
        except KeywarpError:
            device.close()
            raise
        self._device, self._name = device, device.name
        return listener

    def _close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def _take(self, sound: Sound) -> None:
        """In the device's own thread, which must not wait."""
        self._blocks.append(sound)
        self._news.set()

    def _run(self, listener: Listener) -> None:
        while True:
            self._news.wait(_LOOK)
            self._news.clear()
            if self._ending.is_set():
                return
            listener = self._reopened() or listener
            while self._blocks:
                block = self._blocks.popleft()
                self._heard = clock()
                if block.any():
                    self._sounded = self._heard
                self._mouth, self.level = listener.feed(block), listener.level

    def _reopened(self) -> Optional[Listener]:
        """What listens to a device that had gone, opened again; ``None`` where none has gone, or it is still away."""
        now = clock()
        if self._blocks or self._heard < self._began or now - max(self._heard, self._tried) <= RETRY_SECONDS:
            return None
        self._tried = now
        self._close()
        try:
            return self._opened()
        except KeywarpError:
            return None

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(CHANNELS)

    @property
    def state(self) -> State:
        if self._thread is None:
            return State(OFF, "the microphone is off")
        name, now = f"the microphone {self._name}", clock()
        if now - self._heard > LOST_SECONDS:
            if self._heard >= self._began:
                return State(LOST, f"{name} gives nothing any more: check that it is plugged in")
            return State(WAITING, f"{name} has given nothing yet")
        if now - self._sounded > _MUTE_SECONDS:
            return State(
                WAITING,
                f"{name} gives perfect silence: check that it is not muted, and that the system lets this "
                "program hear it",
            )
        return State(LIVE, name)

    def pose(self, now: float) -> Optional[Poses]:
        """A shut mouth where nobody speaks; ``None`` where the device gives nothing."""
        if self._thread is None or clock() - self._heard > LOST_SECONDS:
            return None
        return SPACE.pose(dict(zip(CHANNELS, self._mouth.tolist())))


def open_input(wanted: str, take: Callable[[Sound], None]) -> Device:
    """A sound device of this machine; raises ``KeywarpError`` where there is none of that name, or it is taken."""
    sounddevice = _library()
    with _portaudio:
        return _open_input(sounddevice, wanted, take)


def _open_input(sounddevice: Any, wanted: str, take: Callable[[Sound], None]) -> Device:
    try:
        _refresh(sounddevice)
        found: Any = sounddevice.query_devices(int(wanted) if wanted.isdecimal() else wanted or None, "input")
    except (ValueError, sounddevice.PortAudioError):
        raise KeywarpError(_no_device(sounddevice, wanted)) from None
    rate, channels = float(found["default_samplerate"]), min(2, int(found["max_input_channels"]))

    def hear(data: Any, frames: int, time: Any, status: Any) -> None:
        take(np.asarray(data, np.float32).mean(axis=1))

    try:
        stream = sounddevice.InputStream(
            samplerate=rate,
            blocksize=round(_BLOCK_SECONDS * rate),
            device=found["index"],
            channels=channels,
            dtype="float32",
            latency="low",
            callback=hear,
        )
        stream.start()
    except (ValueError, sounddevice.PortAudioError) as error:
        raise KeywarpError(f"the microphone {found['name']} cannot be opened: {error}") from None
    _streams.add(stream)

    def close() -> None:
        with _portaudio:
            stream.close()
            _streams.discard(stream)

    return Device(str(found["name"]), rate, close)


def _refresh(sounddevice: Any) -> None:
    """Have PortAudio look again which devices there are: it does so only when it begins, which ends all streams."""
    if not _streams:
        sounddevice._terminate()
        sounddevice._initialize()


def _library() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise KeywarpError(
            f"microphones need the package sounddevice: {installing('live')} brings it"
        ) from None
    except OSError:
        raise KeywarpError(
            "microphones need the system's PortAudio library; on Debian and Ubuntu: apt install libportaudio2"
        ) from None
    return sounddevice


def _no_device(sounddevice: Any, wanted: str) -> str:
    inputs = [
        f"{place} ({device['name']})"
        for place, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]
    if not inputs:
        return "this machine has no microphone that programs can see"
    what = (
        f"there is no single microphone called {shown(wanted)}"
        if wanted
        else "no microphone is set as default"
    )
    return f"{what}; there are {', '.join(inputs[:12])}"
