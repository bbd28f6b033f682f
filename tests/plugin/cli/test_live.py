# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp live`` and ``keywarp record``, with a clip and a VMC program of the test's own."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.keyframes import clip_file
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.spaces import space

Runner = Callable[..., object]
SPACE = space("tha45")


def osc(name: str, value: float) -> bytes:
    def text(text: str) -> bytes:
        return text.encode() + bytes(4 - len(text) % 4)

    shape = text("/VMC/Ext/Blend/Val") + text(",sf") + text(name) + struct.pack(">f", value)
    apply = text("/VMC/Ext/Blend/Apply") + text(",")
    parts = b"".join(struct.pack(">i", len(part)) + part for part in (shape, apply))
    return b"#bundle\0" + struct.pack(">Q", 1) + parts


@pytest.fixture
def port() -> Iterator[int]:
    """Where a program sends a mouth that opens and shuts twice a second."""
    ending = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ending.wait(1 / 60):
                wave = 0.5 - 0.5 * np.cos(4 * np.pi * time.monotonic())
                sender.sendto(osc("A", float(wave)), ("127.0.0.1", free))

    helper = threading.Thread(target=send)
    helper.start()
    yield free
    ending.set()
    helper.join()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "nod.json"
    curve = Curve.from_points([0, 15, 30], [0.5, 1.0, 0.5])
    clip_file.save(Clip("tha45", {"head_x": curve}, 30.0, 0.0, 30.0), path)
    return path


# --- record -------------------------------------------------------------------------------------------


def test_a_tracker_is_recorded_with_few_keys(keywarp: Runner, port: int, tmp_path: Path) -> None:
    out = tmp_path / "new" / "take.json"
    done = keywarp(
        *("record", "-o", out, "--from", f"vmc:{port}", "--seconds", "2", "--fps", "24", "--smoothing", "0"),
        *("--error", "0.1"),
    )
    assert done.status == 0, done.err
    take = clip_file.load(out)
    assert (take.fps, take.start) == (24.0, 0.0) and take.end == pytest.approx(48, abs=2)
    mouth = take.sample(take.frames())[:, SPACE.index("mouth_aaa")]
    assert mouth.max() > 0.9 and mouth.min() < 0.1
    # twice a second: the spectrum's strongest line
    spectrum = np.abs(np.fft.rfft(mouth[:48] - mouth[:48].mean()))
    assert spectrum.argmax() == 4
    assert len(take.curves["mouth_aaa"]) < 25 and set(take.curves["mouth_iii"].columns.value) == {0.0}
    assert "head_y" not in take.curves, "what no source speaks of is left alone"


def test_a_recording_waits_for_the_tracker(
    keywarp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However early idle motion is there."""
    from keywarp.keyframes.live.mixer import Mixer

    out, listening, ending = tmp_path / "take.json", threading.Event(), threading.Event()
    start = Mixer.start
    monkeypatch.setattr(Mixer, "start", lambda mixer: (start(mixer), listening.set()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    def send() -> None:
        listening.wait(60.0)
        time.sleep(0.3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ending.wait(1 / 60):
                sender.sendto(osc("A", 1.0), ("127.0.0.1", free))

    helper = threading.Thread(target=send)
    helper.start()
    try:
        done = keywarp(*("record", "-o", out, "--from", f"vmc:{free}", "--from", "idle", "--seconds", "0.2"))
    finally:
        listening.set()
        ending.set()
        helper.join()
    assert done.status == 0, done.err
    assert "mouth_aaa" in clip_file.load(out).curves


def test_a_recording_that_gets_too_long_is_kept(
    keywarp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keywarp.keyframes import recording

    out = tmp_path / "take.json"
    for rate in ("30", "240"):  # poses are what there are too many of, and frames
        monkeypatch.setattr(recording, "MAX_FRAMES", 12)
        done = keywarp("record", "-o", out, "--from", "idle", "--fps", rate)
        assert done.status == 0, done.err
        assert "no clip is longer" in done.err and 0.0 < clip_file.load(out).seconds < 0.5


def test_ctrl_c_keeps_what_was_recorded(port: int, tmp_path: Path) -> None:
    out = tmp_path / "take.json"
    command = [sys.executable, "-m", "keywarp.plugin.cli", "record", "-o", str(out), "--from", f"vmc:{port}"]
    # Who runs the tests in a shell's background has children that are deaf to it.
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert process.stderr is not None
    try:
        while "listens" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(1.0)
        assert not out.exists()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert clip_file.load(out).seconds > 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["take.json"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("-o", "take.txt", "--from", "idle"), r".json"),
        (("-o", "take.json", "--from", "nobody"), "nobody"),
        (("-o", "take.json", "--from", "clip:missing.json"), "missing.json"),
        (("-o", "take.json", "--from", "idle", "--seconds", "0"), "--seconds"),
        (("-o", "take.json", "--from", "idle", "--smoothing", "3"), "smoothing"),
        (("-o", "take.json", "--from", "idle", "--error", "-1"), "--error"),
        (("-o", "take.json", "--from", "ifacialmocap"), "192.168.1.7"),
    ],
)
def test_what_cannot_be_recorded(
    keywarp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert word in keywarp("record", *arguments).sentence
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_said(keywarp: Runner, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        sentence = keywarp("record", "-o", tmp_path / "take.json", "--from", f"vmc:{port}").sentence
    assert str(port) in sentence and "taken" in sentence


# --- live ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_live_frames_to_a_sequence(
    keywarp: Runner, student: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYWARP_RUN", str(tmp_path / "run"))
    out = tmp_path / "frames" / "live_###.png"
    done = keywarp(
        *("live", student, "--from", f"clip:{clip}", "--to", out, "--size", "96x96"),
        *("--seconds", "4", "--fps", "2", "--device", "cpu"),
    )
    assert done.status == 0, done.err
    files = sorted(out.parent.iterdir())
    assert [path.name for path in files] == [f"live_{i:03}.png" for i in range(8)]
    shown = [np.asarray(Image.open(path)) for path in files]
    assert {picture.shape for picture in shown} == {(96, 96, 4)}
    assert len({picture.tobytes() for picture in shown}) > 1, "it moves"
    assert shown[0][0, 0, 3] == 0 and shown[0][..., 3].max() == 255
    assert ("8 frames" in done.out and "nod" in done.err) or "plays" in done.err


@pytest.mark.slow
def test_live_to_the_engine_names_its_memory(
    keywarp: Runner, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYWARP_RUN", str(tmp_path / "run"))
    done = keywarp(
        *("live", student, "--from", "idle", "--to", "engine", "--size", "64x48"),
        *("--seconds", "0.5", "--device", "cpu"),
    )
    assert done.status == 0, done.err
    assert "frames of 64x48 lie in" in done.err


class Camera:
    """What pyvirtualcam offers, as its documentation has it."""

    sent: list[np.ndarray]

    def __init__(self, width: int, height: int, fps: float) -> None:
        self.size, self.fps, self.device = (width, height), fps, "camera of the test"
        Camera.sent = []

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *error: object) -> None:
        Camera.sent.append(np.zeros(0))

    def send(self, frame: np.ndarray) -> None:
        assert frame.dtype == np.uint8 and frame.shape == (*self.size[::-1], 3) and frame.flags.c_contiguous
        Camera.sent.append(frame.copy())


@pytest.mark.slow
def test_live_to_a_camera(
    keywarp: Runner, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type(sys)("pyvirtualcam")
    module.Camera = Camera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setenv("KEYWARP_RUN", str(tmp_path / "run"))
    done = keywarp(
        *("live", student, "--from", "idle", "--to", "camera", "--size", "64x64", "--device", "cpu"),
        *("--seconds", "0.5", "--fps", "10", "--background", "#00ff00"),
    )
    assert done.status == 0, done.err
    assert "camera of the test" in done.err and len(Camera.sent) >= 2 and Camera.sent[-1].size == 0
    background = (Camera.sent[0] == (0, 255, 0)).all(-1)
    assert background.any() and not background.all(), "the character, and what is behind it"


class Drawn:
    """An engine without a process, each frame of which takes a while from the second on."""

    asked: dict[str, object]
    memory, error, live, progress = "/the/memory", None, None, None

    def __init__(self, *arguments: object, **more: object) -> None:
        self.count = 0

    def stream(self, character: object, **asked: object) -> Drawn:
        Drawn.asked = {"character": character, **asked}
        return self

    def follow(self, settings: object, rate: float) -> None:
        pass

    def wait(self, after: int, timeout: float) -> Drawn | None:
        self.count += 1
        if self.count == 3:
            time.sleep(0.25)
        return self if self.count in (1, 3, 4) else None

    def __enter__(self) -> Drawn:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def close(self) -> None:
        pass

    number, width, height, intact = 7, 2, 1, True
    pixels = np.zeros(8, np.float32)


@pytest.fixture
def drawn(student: Path, monkeypatch: pytest.MonkeyPatch) -> type[Drawn]:
    """An engine for the character ``figure``, which is found by its name, and the camera."""
    from keywarp.core.engine import client
    from keywarp.core.models import registry

    module = type(sys)("pyvirtualcam")
    module.Camera = Camera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setattr(client, "Engine", Drawn)
    monkeypatch.setattr(registry, "SHIPPED", student.parent)
    return Drawn


def test_a_character_is_found_by_its_name(keywarp: Runner, drawn: type[Drawn], student: Path) -> None:
    done = keywarp("live", student.name, "--from", "idle", "--to", "engine", "--seconds", "0.05")
    assert done.status == 0, done.err
    assert drawn.asked["character"] == student and drawn.asked["size"] is None


def test_frames_that_went_out_are_counted_and_no_others(keywarp: Runner, drawn: type[Drawn]) -> None:
    """However many were due while one took its time."""
    arguments = ("live", "figure", "--from", "idle", "--seconds", "0.5", "--fps", "40")
    done = keywarp(*arguments, "--to", "camera")
    assert done.status == 0, done.err
    assert f"{len(Camera.sent) - 1} frames went to the camera" in done.out
    assert drawn.asked["size"] == (1280, 720) and drawn.asked["fit"] == "contain"
    assert "3 frames lay in the engine's memory" in keywarp(*arguments, "--to", "engine").out
    keywarp(*arguments, "--to", "camera", "--size", "64x48")
    assert drawn.asked["size"] == (64, 48)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--from", "idle", "--to", "camera", "--fps", "0"), "--fps"),
        (("--from", "nobody", "--to", "camera"), "nobody"),
        (("--from", "idle", "--to", "camera", "--size", "big"), "--size"),
        (("--from", "idle", "--to", "camera", "--background", "mauvish"), "mauvish"),
    ],
)
def test_what_cannot_be_live(keywarp: Runner, student: Path, arguments: tuple[str, ...], word: str) -> None:
    assert word in keywarp("live", student, *arguments).sentence


def test_speech_of_other_files_is_converted(keywarp: Runner, tmp_path: Path) -> None:
    import av

    path, out = tmp_path / "speech.flac", tmp_path / "mouth.json"
    time_ = np.arange(16_000) / 16_000
    tone = (8000 * np.sign(np.sin(2 * np.pi * 120 * time_)) * (time_ > 0.4)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        for part in (frame, None):
            container.mux(stream.encode(part))
    done = keywarp("convert", path, out)
    assert done.status == 0, done.err
    assert json.loads(out.read_text())["space"] == "tha45" and out.stat().st_size < 100_000
