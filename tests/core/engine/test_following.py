# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams that the engine poses by itself: trackers, clips and idle motion, as a host sees them."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.character import load_character
from keywarp.core.engine.client import Engine, EngineError, Stream
from keywarp.core.render.stage import Stage
from keywarp.keyframes import clip_file
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.idle import Idle
from keywarp.keyframes.spaces import space

#: Every test starts processes.
pytestmark = pytest.mark.slow

SIZE = (96, 72)
SPACE = space("tha45")

MakeEngine = Callable[..., Engine]


@pytest.fixture(scope="module")
def stage(character: Path) -> Stage:
    return Stage(load_character(character), size=SIZE, device="cpu")


@pytest.fixture(scope="module")
def engine(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One for all of these tests: what streams follow begins and ends with them."""
    log = tmp_path_factory.mktemp("log") / "engine.log"
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH")}
    with tempfile.TemporaryDirectory(prefix="kw") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_RUN", folder)
        command = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]
        made = Engine(command, log=log, environment=environment, device="cpu")
        yield made
        made.close()


@pytest.fixture
def stream(engine: Engine, character: Path) -> Iterator[Stream]:
    made = engine.stream(character, size=SIZE, pixels="rgba8_srgb")
    made.exact({}).release()
    yield made
    made.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "turning.json"
    curve = Curve.from_points([0, 30, 60], [-1.0, 1.0, -1.0])
    clip_file.save(Clip("tha45", {"head_y": curve}, 30.0, 0.0, 60.0), path)
    return path


class Sender:
    """A VMC program that turns the head."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.yaw = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1 / 60):
            half = math.radians(self.yaw) / 2
            numbers = struct.pack(">7f", 0.0, 1.4, 0.0, 0.0, math.sin(half), 0.0, math.cos(half))
            parts = (b"/VMC/Ext/Bone/Pos", b",sfffffff", b"Head")
            packet = b"".join(part + bytes(4 - len(part) % 4) for part in parts) + numbers
            self.socket.sendto(packet, ("127.0.0.1", self.port))

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"sources": [{"from": f"vmc:{self.port}"}], "smoothing": 0.0, **more}

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.socket.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    made.close()


def until(true: Callable[[], object], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True


def shows(stream: Stream, channel: str, value: float, seconds: float = 120.0) -> bool:
    """Whether the stream comes to show this value."""

    def there() -> bool:
        return stream.live is not None and abs(stream.live.values.get(channel, 9.0) - value) < 2e-3

    return until(there, seconds)


def pictures(stream: Stream, count: int, after: int = -1) -> list[tuple[int, bytes]]:
    """Number and pixels of the frames that come next."""
    found = []
    while len(found) < count:
        frame = stream.wait(after, 120.0)
        assert frame is not None, stream.error
        with frame:
            after = frame.number
            found.append((after, bytes(frame.pixels)))
    return found


def rests(stream: Stream) -> bool:
    """Whether frames come to an end: after those that are under way, none for half a second."""

    def number() -> int:
        frame = stream.newest()
        if frame is None:
            return -1
        with frame:
            return frame.number

    def quiet() -> bool:
        before = number()
        time.sleep(0.5)
        return number() == before

    return until(quiet)


def drawn(stage: Stage, **values: float) -> bytes:
    return stage.frame_srgb8(SPACE.pose(values)).tobytes()


def near(pixels: bytes, truth: bytes) -> bool:
    """Whether two pictures are of the same pose, but for a number that was rounded on its way."""
    one, other = (np.frombuffer(each, np.uint8).astype(int) for each in (pixels, truth))
    return bool(np.abs(one - other).mean() < 0.05)


def test_a_clip_plays_by_itself(stream: Stream, clip: Path, stage: Stage) -> None:
    stream.follow({"sources": [{"from": f"clip:{clip}"}]}, rate=20)
    assert until(lambda: stream.live is not None and stream.live.phase == "live")
    assert stream.live is not None
    began = time.monotonic()
    frames, turns = [], []
    for _ in range(5):
        frames += pictures(stream, 1, frames[-1][0] if frames else -1)
        turns.append(stream.live.values["head_y"])
    took = time.monotonic() - began
    numbers = [number for number, _ in frames]
    assert numbers == sorted(set(numbers)) and len({pixels for _, pixels in frames}) == 5
    assert took > 3 / 20, "no more frames come than were asked for"
    truth = [drawn(stage, head_y=turn) for turn in turns]
    assert sum(near(pixels, each) for (_, pixels), each in zip(frames, truth, strict=True)) > 1
    assert stream.live is not None and stream.error is None
    assert set(stream.live.values) == set(SPACE.names)
    stream.follow(None)
    assert stream.live.phase == "off"
    assert rests(stream), "nothing is drawn for a host that follows nothing"
    last = stream.newest()
    assert last is not None and last.number < stream.latest({}), "no frame of before is taken for an answer"


def test_a_tracker_moves_the_character(stream: Stream, sender: Sender, stage: Stage) -> None:
    sender.yaw = 5.0
    stream.follow(sender.settings())
    assert shows(stream, "head_y", 0.5)
    frame = stream.wait(-1, 120.0)
    assert frame is not None and bytes(frame.pixels) == drawn(stage, head_y=0.5)
    assert stream.live is not None and stream.live.phase == "live" and str(sender.port) in stream.live.message
    # a face that rests costs nothing, however many packets come
    assert rests(stream)
    sender.yaw = -10.0
    assert shows(stream, "head_y", -1.0)
    turned = drawn(stage, head_y=-1.0)
    assert until(lambda: (frame := stream.newest()) is not None and bytes(frame.pixels) == turned)
    stream.calibrate()
    assert shows(stream, "head_y", 0.0)


def test_the_engines_death_ends_nothing(stream: Stream, engine: Engine, sender: Sender, stage: Stage) -> None:
    sender.yaw = 4.0
    stream.follow(sender.settings(sensitivity={"Head": 2.0}))
    assert shows(stream, "head_y", 0.8)
    stream.calibrate()
    assert shows(stream, "head_y", 0.0)
    for _ in range(2):
        frame = stream.newest()
        assert frame is not None
        number, pid = frame.number, engine.state.pid
        os.kill(pid, signal.SIGKILL)
        assert bytes(frame.pixels) == drawn(stage), "the last frame stays"
        frame = stream.wait(number, 180.0)
        assert frame is not None and frame.number > number and engine.state.pid != pid
    assert shows(stream, "head_y", 0.0), "the neutral face is kept"
    sender.yaw = 5.0
    assert shows(stream, "head_y", 0.2)
    assert stream.error is None


def test_other_settings_without_a_gap(stream: Stream, sender: Sender) -> None:
    sender.yaw = 5.0
    phases = set()
    stream.follow(sender.settings())
    assert shows(stream, "head_y", 0.5)
    for share in (0.2, 0.5, 1.0):
        stream.follow(sender.settings(limits={"Head": share}, idle={"sway": 0.0, "blink": 0.0}))

        def there(share: float = share) -> bool:
            assert stream.live is not None
            phases.add(stream.live.phase)
            return abs(stream.live.values["head_y"] - min(share, 0.5)) < 2e-3

        assert until(there)
    assert phases == {"live"}
    stream.resize((48, 36))
    assert until(lambda: (frame := stream.newest()) is not None and frame.width == 48)


def test_two_characters_follow_one_tracker(
    engine: Engine, character: Path, mirrored: Path, sender: Sender
) -> None:
    sender.yaw = 3.0
    streams = [engine.stream(who, size=SIZE) for who in (character, mirrored)]
    for stream, turn in zip(streams, (1.0, 3.0), strict=True):
        stream.follow(sender.settings(sensitivity={"Head": turn}))
    assert shows(streams[0], "head_y", 0.3) and shows(streams[1], "head_y", 0.9)
    streams[0].close()
    sender.yaw = -2.0
    assert shows(streams[1], "head_y", -0.6), "the socket stays for the other one"
    streams[1].close()

    def is_free() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", sender.port))
            except OSError:
                return False
            return True

    assert until(is_free), "nothing is listened to for hidden characters"


def test_what_is_wrong_is_said_and_mended(stream: Stream, clip: Path, character: Path) -> None:
    stream.follow({"sources": [{"from": "vcm:39539"}]})
    assert until(lambda: stream.live is not None and stream.live.phase == "failed")
    assert stream.live is not None and "vcm" in stream.live.message and stream.error == stream.live.message
    missing = clip.with_name("missing.json")
    stream.follow({"sources": [{"from": f"clip:{missing}"}], "idle": {}})
    assert until(
        lambda: stream.live is not None and stream.live.phase == "failed" and "missing" in stream.live.message
    )
    pictures(stream, 1)  # what is left goes on
    stream.follow({"sources": [{"from": f"clip:{clip}"}]})
    assert until(lambda: stream.live is not None and stream.live.phase == "live")
    pictures(stream, 1, stream._count)
    with pytest.raises(EngineError, match="sent"):
        stream.follow({"smoothing": float("nan")})
    with pytest.raises(EngineError, match="sent"):
        stream.follow({"sources": [{"from": clip}]})


def test_a_character_that_is_damaged_is_drawn_again_when_it_is_whole(
    engine: Engine, character: Path, tmp_path: Path
) -> None:
    import shutil

    mine = tmp_path / "mine"
    shutil.copytree(character, mine)
    stream = engine.stream(mine, size=SIZE)
    stream.follow({"idle": {}}, rate=5)
    pictures(stream, 1)
    (mine / "character.png").rename(mine / "hidden.png")
    assert until(lambda: stream.error is not None) and "character.png" in str(stream.error)
    assert stream.live is not None and stream.live.phase == "failed"
    number = stream._count
    (mine / "hidden.png").rename(mine / "character.png")
    pictures(stream, 1, number)
    assert stream.error is None and stream.live.phase == "live"


def test_idle_motion_and_the_pointer(stream: Stream) -> None:
    stream.follow({"sources": [{"from": "mouse"}], "smoothing": 0.0})
    assert until(lambda: stream.live is not None and stream.live.phase == "waiting")
    stream.point(-1.0, 0.0)
    assert shows(stream, "iris_rotation_y", 1.0)
    stream.follow({"idle": {"seed": 5, "breath": 0.5}})
    seen: dict[float, dict[str, float]] = {}
    assert until(lambda: stream.live is not None and stream.live.message == "idle motion")

    def collect() -> bool:
        assert stream.live is not None
        if stream.live.values:
            seen[stream.live.time] = dict(stream.live.values)
        return len(seen) > 4

    assert until(collect)
    idle = Idle(seed=5, breath=0.5)
    for moment, values in list(seen.items())[1:]:
        assert values["breathing"] == pytest.approx(float(idle.breaths([moment])[0]), abs=1e-4)


def test_a_pointer_is_known_before_the_mouse_is(stream: Stream) -> None:
    stream.follow({"sources": [{"from": "mouse"}], "smoothing": 0.0})
    stream.point(1.0, 0.0)
    assert shows(stream, "iris_rotation_y", -1.0)


def test_values_alone_without_frames(stream: Stream, sender: Sender) -> None:
    sender.yaw = 5.0
    number = stream._count
    stream.follow(sender.settings(), draw=False)
    assert shows(stream, "head_y", 0.5)
    sender.yaw = -3.0
    assert shows(stream, "head_y", -0.3)
    assert stream.live is not None and stream.live.channels == ("head_x", "head_y", "neck_z")
    assert stream.wait(number, 0.2) is None


def test_a_frame_that_is_looked_at_is_left_alone(stream: Stream) -> None:
    stream.follow({"idle": {"sway": 3.0, "sway_speed": 5.0}}, rate=120)
    frame = stream.wait(-1, 120.0)
    assert frame is not None
    kept, number = bytes(frame.pixels), frame.number
    assert until(lambda: stream._count > number + 4)
    assert frame.intact and bytes(frame.pixels) == kept
