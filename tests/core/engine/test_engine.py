# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts rely on: frames as a stage draws them, previews without stale frames, answers, errors in words."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from keywarp.core.character import load_character
from keywarp.core.engine.client import CancelledError, Engine, EngineError, EngineTimeoutError, Frame, Stream
from keywarp.core.models.registry import SHIPPED
from keywarp.core.render.stage import Stage
from keywarp.keyframes.spaces import space

#: Every test starts processes.
pytestmark = pytest.mark.slow

SIZE = (240, 180)
POSE = {"head_y": 0.7, "eye_wink_left": 0.4, "breathing": 1.0}

MakeEngine = Callable[..., Engine]


@pytest.fixture(scope="module")
def stage(character: Path) -> Stage:
    return Stage(load_character(character), size=SIZE, device="cpu")


def drawn(stage: Stage, pose: dict[str, float]) -> npt.NDArray[np.float32]:
    return stage.frame(space(stage.model.space).pose(pose))


def array(frame: Frame) -> npt.NDArray[Any]:
    """A copy of the frame's pixels, (H, W, 4); the frame is released."""
    with frame:
        assert frame.stride == frame.width * 4 * frame.pixels.itemsize
        return np.array(frame.pixels).reshape(frame.height, frame.width, 4)


def newest(stream: Stream, after: int, seconds: float = 180) -> Frame:
    """The first frame above ``after`` that comes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        frame = stream.newest(after)
        if frame is not None:
            return frame
        assert stream.error is None, stream.error
        time.sleep(0.002)
    raise AssertionError("no frame came")


# Frames


def test_exact_frames_are_the_stages_bit_for_bit(engine: Engine, character: Path, stage: Stage) -> None:
    truth = drawn(stage, POSE)
    bytes_of_it = stage.frame_srgb8(space("tha45").pose(POSE)).copy()
    other = [2, 1, 0, 3]
    for pixels, expected in (
        ("rgba32f_linear", truth),
        ("rgba8_srgb", bytes_of_it),
        ("bgra8_srgb", bytes_of_it[..., other]),
    ):
        for flip in (False, True):
            stream = engine.stream(character, size=SIZE, pixels=pixels, flip=flip)
            frame = stream.exact(POSE)
            assert (frame.width, frame.height) == SIZE
            assert np.array_equal(array(frame), expected[::-1] if flip else expected), (pixels, flip)
            stream.close()


def test_a_part_of_a_frame_is_the_stages(engine: Engine, character: Path, stage: Stage) -> None:
    x, y, w, h = 30, 20, 101, 77
    part = slice(y, y + h), slice(x, x + w)
    pose = space("tha45").pose(POSE)
    truth = stage.frame(pose, window=(x, y, x + w, y + h))[part]
    bytes_of_it = stage.frame_srgb8(pose)[part].astype(int)
    for flip in (False, True):
        stream = engine.stream(character, size=SIZE, flip=flip)
        assert np.array_equal(array(stream.exact(POSE, crop=(x, y, w, h))), truth[::-1] if flip else truth)
        stream = engine.stream(character, size=SIZE, pixels="bgra8_srgb", flip=flip)
        found = array(stream.exact(POSE, crop=(x, y, w, h)))[..., [2, 1, 0, 3]].astype(int)
        assert np.abs(found - (bytes_of_it[::-1] if flip else bytes_of_it)).max() <= 1


def test_a_frame_stays_while_it_is_looked_at(engine: Engine, character: Path) -> None:
    stream = engine.stream(character, size=SIZE)
    first = stream.exact(POSE)
    kept = np.array(first.pixels)
    for i in range(4):
        stream.exact({"head_y": i / 4}).release()
    assert first.intact and np.array_equal(kept, first.pixels)
    copy = bytearray(first.pixels.nbytes)
    first.copy_to(copy)
    assert bytes(copy) == kept.tobytes()
    first.release()
    with pytest.raises(ValueError):
        _ = first.pixels


def test_a_frame_outlives_its_stream(engine: Engine, character: Path) -> None:
    stream = engine.stream(character, size=SIZE)
    frame = stream.exact(POSE)
    kept = np.array(frame.pixels)
    stream.close()
    engine.close()
    assert np.array_equal(kept, frame.pixels)


def test_too_many_held_frames_are_a_sentence(engine: Engine, character: Path) -> None:
    stream = engine.stream(character, size=SIZE)
    held = [stream.exact({"head_y": i / 4}) for i in range(3)]
    with pytest.raises(EngineError, match="released"):
        stream.exact(POSE)
    held.pop().release()
    stream.exact(POSE)


def test_another_size_from_the_next_frame_on(engine: Engine, character: Path) -> None:
    stream = engine.stream(character, size=SIZE)
    assert array(stream.exact(POSE)).shape == (180, 240, 4)
    stream.resize((1200, 900))
    assert array(stream.exact(POSE)).shape == (900, 1200, 4)
    stream.resize((60, 40))
    assert array(stream.exact(POSE)).shape == (40, 60, 4)
    stream.resize(None)
    assert array(stream.exact(POSE)).shape == (512, 512, 4)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_only_the_newest_of_what_waits_is_drawn(engine: Engine, character: Path, stage: Stage) -> None:
    """All sixty are asked for while the engine stands still, so that it finds them waiting."""
    stream = engine.stream(character, size=SIZE)
    stream.exact({}).release()
    os.kill(engine.state.pid, signal.SIGSTOP)
    try:
        numbers = [stream.latest({"head_y": i / 60}) for i in range(60)]
    finally:
        os.kill(engine.state.pid, signal.SIGCONT)
    last, seen = numbers[-1], [1]
    while seen[-1] < last:
        seen.append(newest(stream, seen[-1]).number)
    assert seen == sorted(set(seen)) and seen[-1] == last
    final = stream.newest()
    assert final is not None
    assert np.array_equal(array(final), drawn(stage, {"head_y": 59 / 60}))
    # As many as were drawn have their answers in the log of the ring: the number of its writes.
    ring = stream._ring
    assert ring is not None
    writes = sum(ring.slot(index).sequence for index in range(3)) // 2
    assert writes < 40
    assert stream.error is None and stream.newest(last) is None


GATED = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
os.execv(sys.executable, [sys.executable, "-s", "-u", "-m", "keywarp.core.engine", *sys.argv[2:]])
"""


@pytest.mark.skipif(os.name != "posix", reason="a process becomes another program there by a new process")
def test_latest_never_waits_even_for_the_first_start(
    make_engine: MakeEngine, character: Path, tmp_path: Path
) -> None:
    """The engine cannot start before the last one is asked for; who waited for it, would wait for ever."""
    gate = tmp_path / "gate"
    stream = make_engine([sys.executable, "-c", GATED, str(gate)]).stream(character, size=SIZE)
    numbers = [stream.latest({"head_y": i / 10}) for i in range(10)]
    assert stream.newest() is None
    gate.touch()
    assert newest(stream, numbers[-1] - 1).number == numbers[-1]


def test_two_hosts_and_two_characters_at_once(
    make_engine: MakeEngine, character: Path, stage: Stage, mirrored: Path, run: Path
) -> None:
    other_stage = Stage(load_character(mirrored), size=SIZE, device="cpu")
    first = make_engine()
    first.ask("ping")
    second = make_engine(address=next(run.glob("*.json")))
    streams = [
        (host.stream(who, size=SIZE), truth)
        for host in (first, second)
        for who, truth in ((character, stage), (mirrored, other_stage))
    ]
    poses = [{"head_y": i / 5, "body_y": -i / 5} for i in range(5)]
    wanted = {id(truth): [drawn(truth, pose) for pose in poses] for _, truth in streams}
    wrong = []

    def ask(stream: Stream, truth: Stage) -> None:
        for pose, expected in zip(poses, wanted[id(truth)], strict=True):
            if not np.array_equal(array(stream.exact(pose)), expected):
                wrong.append(pose)

    threads = [threading.Thread(target=ask, args=each) for each in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert second.ask("ping")["clients"] == 2
    assert first.state.pid == second.state.pid
    second.close()
    until = time.monotonic() + 60  # the engine hears of it a moment later
    while first.ask("ping")["clients"] > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert first.ask("ping")["clients"] == 1


def test_a_changed_file_is_noticed(engine: Engine, character: Path, mirrored: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(character, mine)
    stream = engine.stream(mine, size=SIZE)
    before = array(stream.exact(POSE))
    shutil.copy(mirrored / "character.png", mine)
    after = array(stream.exact(POSE))
    assert np.array_equal(after, drawn(Stage(load_character(mine), size=SIZE, device="cpu"), POSE))
    assert not np.array_equal(before, after)
    shutil.move(mine / "character.png", mine / "hidden.png")
    with pytest.raises(EngineError, match=r"character\.png"):
        stream.exact(POSE)
    number = stream.latest(POSE)
    while stream.error is None:
        time.sleep(0.01)
    assert "character.png" in stream.error
    assert stream.newest(number - 1) is None, "a stale frame was given for one that cannot be made"
    shutil.move(mine / "hidden.png", mine / "character.png")
    assert np.array_equal(array(stream.exact(POSE)), after)
    assert stream.error is None


# Answers


def test_questions(engine: Engine, character: Path, cache: Path) -> None:
    info = engine.ask("info", character=str(character))
    assert (info["name"], info["space"], info["size"]) == ("figure", "tha45", [512, 512])
    assert [channel["name"] for channel in info["channels"]] == list(space("tha45").names)
    first = info["channels"][0]
    assert {"minimum", "maximum", "default", "group", "side", "description"} <= set(first)
    assert "licence" in info and "512x512" in info["detail"]
    fields = engine.ask("provenance", character=str(character))["fields"]
    assert fields["Character"] == "figure" and fields["Software"].startswith("keywarp ")
    assert info["model"]["form"] in fields["Model"] and info["model"]["licence"] in fields["Licence"]
    assert "findings" in engine.ask("check", character=str(character))
    shipped = sorted(path.parent.name for path in SHIPPED.glob("*/card.json"))
    assert [model["name"] for model in engine.ask("models")["models"]] == shipped
    assert engine.ask("stages")["stages"] == []
    stream = engine.stream(character, size=SIZE)
    stream.exact(POSE)
    (ready,) = engine.ask("stages")["stages"]
    assert ready["size"] == list(SIZE) and ready["character"] == str(character)
    kept = engine.ask("cache")
    assert kept["folder"] == str(cache / "keywarp") and kept["bytes"] > 0
    assert engine.ask("ping")["device"] == "cpu" == engine.state.device


def test_a_character_that_follows_a_video(engine: Engine, follower: Path, character: Path) -> None:
    info = engine.ask("info", character=str(follower))
    assert info["space"] == "driving" and info["driving"]["video"] == str(follower.with_name("take.mp4"))
    assert (info["driving"]["frames"], info["driving"]["fps"]) == (4, 12.0)
    assert engine.ask("info", character=str(character))["driving"] is None
    pose = {"driving_frame": 1.5, "driving_strength": 2.0}
    truth = Stage(load_character(follower), size=(96, 72), device="cpu").frame(space("driving").pose(pose))
    stream = engine.stream(follower, size=(96, 72))
    assert np.array_equal(array(stream.exact(pose, space="driving")), truth)
    assert not np.array_equal(array(stream.exact({}, space="driving")), truth)
    model, video = follower.with_name("tiny.pth.tar"), follower.with_name("take.mp4")
    named = {"character": str(follower.with_name("who.png")), "model": str(model)}
    assert engine.ask("info", **named)["driving"] is None
    assert engine.ask("info", **named, driving=str(video))["driving"] == info["driving"]
    chosen = engine.stream(**named, driving=video, size=(96, 72))
    assert np.array_equal(array(chosen.exact(pose, space="driving")), truth)
    assert engine.ask("info", character=str(character), driving=str(video))["driving"] is None
    with pytest.raises(EngineError, match="animated by poses"):
        engine.stream(character, driving=video, size=SIZE).exact({})
    with pytest.raises(EngineError, match="whole paths"):
        engine.ask("info", character=str(follower), driving="take.mp4")


def test_clearing_the_cache_frees_it(
    make_engine: MakeEngine, environment: dict[str, str | None], tmp_path: Path
) -> None:
    folder = tmp_path / "own cache" / "keywarp"
    (folder / "some").mkdir(parents=True)
    (folder / "some" / "file").write_bytes(b"12345")
    engine = make_engine(environment={**environment, "KEYWARP_CACHE": str(folder.parent)})
    assert engine.ask("cache", clear=True) == {"folder": str(folder), "bytes": 0, "freed": 5}
    assert not list(folder.glob("*"))


def test_an_engine_that_is_told_to_stop_stops(engine: Engine, run: Path) -> None:
    engine.ask("ping")
    engine.ask("stop")
    until = time.monotonic() + 60
    while list(run.iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    assert list(run.iterdir()) == []
    assert engine.ask("ping")["clients"] == 1, "asked again, there is another one"


@pytest.mark.parametrize(
    ("settings", "request_", "sentence"),
    [
        ({"character": "/no/such/character"}, {}, "/no/such/character"),
        ({"character": "relative/path"}, {}, "whole path"),
        ({"model": "/no/such/model"}, {}, "/no/such/model"),
        ({"size": (0, 10)}, {}, "0x10"),
        ({"size": (100_000, 10)}, {}, "100000x10"),
        ({}, {"pose": {"hed_y": 1.0}}, "head_y"),
        ({}, {"space": "nowhere"}, "nowhere"),
        ({}, {"pose": {"head_y": float("nan")}}, "finite"),
        ({}, {"crop": (0, 0, 5000, 10)}, "5000"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    engine: Engine, character: Path, settings: dict[str, Any], request_: dict[str, Any], sentence: str
) -> None:
    stream = engine.stream(**{"character": character, "size": SIZE, **settings})
    with pytest.raises(EngineError, match=sentence) as told:
        stream.exact(**{"pose": POSE, **request_})
    assert "Traceback" not in str(told.value) and "defect" not in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert stream.error == str(told.value)
    assert engine.ask("ping")["pid"] == engine.state.pid


def test_settings_that_make_no_sense_are_refused_at_once(engine: Engine, character: Path) -> None:
    with pytest.raises(EngineError, match="rgba32f_linear"):
        engine.stream(character, pixels="cmyk")
    with pytest.raises(EngineError, match="cover"):
        engine.stream(character, fit="stretch")
    assert engine.state.phase == "off"


# Progress, patience


def test_a_first_preparation_is_reported_and_can_be_cancelled(
    make_engine: MakeEngine, environment: dict[str, str | None], character: Path, tmp_path: Path
) -> None:
    engine = make_engine(environment={**environment, "KEYWARP_CACHE": str(tmp_path / "empty")})
    stream = engine.stream(character, size=SIZE)
    heard: list[tuple[str, float]] = []
    cover = "finding what of the picture moves"
    asked = []

    def cancelled() -> bool:
        asked.append(any(what == cover and share > 0 for what, share in heard))
        return asked[-1]

    with pytest.raises(CancelledError):
        stream.exact(POSE, progress=lambda what, share: heard.append((what, share)), cancelled=cancelled)
    names = list(dict.fromkeys(what for what, _ in heard))
    assert names[0] == "starting" and names[-1] == cover
    # A host that is kept from the processor hears of what is done then, not of what was done meanwhile.
    assert names == [name for name in ("starting", "loading", "exporting", cover) if name in names]
    assert asked.count(True) == 1, "it gives up at once"
    assert not list((tmp_path / "empty").rglob("cover-*"))
    with pytest.raises(EngineTimeoutError):
        stream.exact(POSE, timeout=0.3)
    assert engine.ask("ping")["pid"] == engine.state.pid


def test_the_preview_says_what_is_prepared(
    make_engine: MakeEngine, environment: dict[str, str | None], character: Path, tmp_path: Path
) -> None:
    engine = make_engine(environment={**environment, "KEYWARP_CACHE": str(tmp_path / "empty")})
    stream = engine.stream(character, size=SIZE)
    stream.latest(POSE)
    until = time.monotonic() + 180
    while stream.progress is None and time.monotonic() < until:
        time.sleep(0.01)
    assert stream.progress is not None and 0 <= stream.progress[1] <= 1
