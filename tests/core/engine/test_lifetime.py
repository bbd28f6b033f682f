# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines and hosts that are killed, stuck, wrong or hostile: nothing is lost, nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.engine import launch, wire
from keywarp.core.engine.client import CancelledError, Engine, EngineError

#: Every test starts processes.
pytestmark = pytest.mark.slow

SIZE = (64, 48)
PATIENT = 180.0
"""Seconds: the most that anything here may take where other programs have the processors."""

MakeEngine = Callable[..., Engine]


def alive(pid: int) -> bool:
    """Whether a process runs (a dead one that nobody has asked after does not)."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def comes(true: Callable[[], object]) -> bool:
    """Whether something becomes so."""
    until = time.monotonic() + PATIENT
    while not true():
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True


def ended(pid: int) -> bool:
    return comes(lambda: not alive(pid))


def stop(pid: int) -> None:
    """Stop a process, and wait until its last thread has stopped."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    if not threads.exists():
        time.sleep(1)
        return

    def states() -> set[str]:
        return {(each / "stat").read_text().rsplit(")", 1)[1].split()[0] for each in threads.iterdir()}

    assert comes(lambda: states() == {"T"})


def rings(run: Path) -> list[Path]:
    return [path for folder in launch.frame_folders(run) for path in folder.iterdir()]


# Engines that end


def test_killing_the_engine_at_random_loses_nothing(
    engine: Engine, character: Path, run: Path, full: bool
) -> None:
    count = 100 if full else 6
    dice = random.Random(4)
    stream = engine.stream(character, size=SIZE)
    truth = [np.array(stream.exact({"head_y": i / 5}).pixels) for i in range(5)]
    pids = {engine.state.pid}
    killers = []
    for i in range(count):

        def kill(delay: float) -> None:
            time.sleep(delay)
            pid = engine.state.pid
            if pid and alive(pid):
                os.kill(pid, signal.SIGKILL)

        # At once, while it draws, while another one starts and loads, or after the answer.
        killers.append(threading.Thread(target=kill, args=[dice.choice((0, 0.05, 0.5, 2)) * dice.random()]))
        killers[-1].start()
        frame = stream.exact({"head_y": i % 5 / 5})
        assert np.array_equal(frame.pixels, truth[i % 5])
        frame.release()
        pids.add(engine.state.pid)
    for killer in killers:
        killer.join()
    assert len(pids - {0}) > count / 4, "hardly any was killed"
    number = stream.latest({"head_y": 0.2})
    assert comes(lambda: stream.newest(number - 1))
    shown = stream.newest(number - 1)
    assert shown is not None and np.array_equal(shown.pixels, truth[1])
    shown.release()
    assert len(rings(run)) == 1
    engine.close()
    assert rings(run) == [] and all(map(ended, pids - {0}))


def test_a_preview_survives_the_engine(engine: Engine, character: Path) -> None:
    stream = engine.stream(character, size=SIZE)
    stream.exact({}).release()
    old = stream.newest()
    assert old is not None
    number = stream.latest({"head_y": 0.5})
    os.kill(engine.state.pid, signal.SIGKILL)

    def is_new() -> bool:
        assert stream.newest() is not None, "the last good frame stays"
        return stream.newest(number - 1) is not None

    assert comes(is_new) and stream.error is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('the moon is in the wrong phase')", "wrong phase"),
        ("import os; os._exit(3)", "status 3"),
        ("import no_such_module_at_all", "no_such_module_at_all"),
    ],
)
def test_an_engine_that_dies_again_and_again_is_explained(
    make_engine: MakeEngine, tmp_path: Path, character: Path, script: str, words: str
) -> None:
    engine = make_engine([sys.executable, "-c", script])
    with pytest.raises(EngineError, match=words) as told:
        engine.ask("ping", timeout=PATIENT)
    assert "engine.log" in str(told.value)
    assert engine.state.phase == "failed" and engine.state.message == str(told.value)
    stream = engine.stream(character, size=SIZE)
    stream.latest({})
    assert stream.error == str(told.value), "a preview does not try again at once"


def test_a_host_without_an_engine_is_told(make_engine: MakeEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no-such-python"):
        make_engine(["/no-such-python"]).ask("ping")
    with pytest.raises(EngineError, match=r"none\.json"):
        make_engine(address=tmp_path / "none.json").ask("ping")
    with pytest.raises(EngineError, match="no engine is installed"):
        Engine(None).ask("ping")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_an_engine_that_is_stuck_is_replaced(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SILENCE_SECONDS", 3.0)
    stuck = engine.ask("ping")["pid"]
    stop(stuck)
    assert engine.ask("ping", timeout=PATIENT)["pid"] != stuck
    assert ended(stuck)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_nothing_blocks_a_host_whose_engine_is_stuck(
    engine: Engine, character: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it happens while the engine stands still: what waited for it would wait until a watchman frees it."""
    monkeypatch.setattr(wire, "SILENCE_SECONDS", 2 * PATIENT)
    stream = engine.stream(character, size=SIZE)
    stream.exact({}, crop=(0, 0, 4, 4)).release()
    stuck = engine.state.pid
    stop(stuck)
    freed = threading.Event()

    def free() -> None:
        freed.set()
        os.kill(stuck, signal.SIGCONT)

    watchman = threading.Timer(PATIENT, free)
    watchman.start()
    for i in range(3000):
        last = stream.latest({"head_y": i / 3000})
        stream.newest()
    other = engine.stream(character, size=SIZE)
    asked = iter((False, True))
    with pytest.raises(CancelledError):
        other.exact({}, cancelled=lambda: next(asked))
    other.close()
    watchman.cancel()
    assert not freed.is_set() and engine.state.pid == stuck
    os.kill(stuck, signal.SIGKILL)
    assert comes(lambda: stream.newest(last - 1)), "the engine that replaces it draws what was asked last"


# Hosts that end

HOST = """
import json, sys, time
from keywarp.core.engine.client import Engine
engine = Engine(json.loads(sys.argv[1]), environment=json.loads(sys.argv[2]), log=sys.argv[3])
if sys.argv[4]:
    engine.stream(sys.argv[4], size=(64, 48)).exact({}).release()
    print(engine.state.pid, flush=True)
else:
    engine.wake()
    while engine._reach._process is None:
        time.sleep(0.001)
    print(engine._reach._process.pid, flush=True)
time.sleep(600)
"""


def killed_host(environment: dict[str, str | None], tmp_path: Path, character: str) -> int:
    """The number of the engine's process of a host that was killed."""
    command = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]
    arguments = [json.dumps(command), json.dumps(environment), str(tmp_path / "engine.log"), character]
    host = subprocess.Popen([sys.executable, "-c", HOST, *arguments], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    assert alive(pid)
    host.kill()
    host.wait()
    return pid


def test_killing_the_host_ends_its_engine(
    run: Path, environment: dict[str, str | None], tmp_path: Path, character: Path
) -> None:
    assert ended(killed_host(environment, tmp_path, str(character)))


def test_killing_a_host_that_was_just_starting_one_ends_it(
    run: Path, environment: dict[str, str | None], tmp_path: Path
) -> None:
    assert ended(killed_host(environment, tmp_path, ""))


def test_an_engine_stays_for_its_other_host(make_engine: MakeEngine, run: Path) -> None:
    first = make_engine()
    pid = first.ask("ping")["pid"]
    second = make_engine(address=next(run.glob("*.json")))
    second.ask("ping")
    first.close()  # gives the engine a few seconds, then has to end what it started
    assert ended(pid)
    with pytest.raises(EngineError, match=r"\.json"):
        second.ask("ping")


# The foreground

FOREGROUND = [sys.executable, "-m", "keywarp.plugin.cli", "engine"]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to one process there")
def test_an_engine_in_the_foreground_serves_hosts_until_it_is_interrupted(
    make_engine: MakeEngine, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "engine.json"
    engine = subprocess.Popen([*FOREGROUND, "--address", str(card)], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    assert f"KEYWARP_ENGINE={card}" in engine.stdout.readline()
    monkeypatch.setenv("KEYWARP_ENGINE", str(card))
    for _ in range(2):
        host = make_engine()
        assert host.ask("ping")["pid"] == engine.pid
        host.close()
    assert engine.poll() is None
    engine.send_signal(signal.SIGINT)
    assert engine.wait(PATIENT) == 0
    assert not card.exists()


# Strangers


def raw_connection(run: Path, key: bytes | None = None) -> wire.Link:
    card = launch.read_card(next(run.glob("*.json")))
    address = card.address
    raw = Client(address, card.family)
    try:
        wire.prove(raw, bytes.fromhex(card.key) if key is None else key, asks_first=False)
    except wire.WireError:
        raw.close()
        raise
    return wire.Link(raw, wire.MAX_REPLY)


def test_a_wrong_key_does_not_open(engine: Engine, run: Path) -> None:
    pid = engine.ask("ping")["pid"]
    with pytest.raises(wire.WireError, match="key"):
        raw_connection(run, b"x" * 32)
    assert engine.ask("ping") == {**engine.ask("ping"), "pid": pid, "clients": 1}
    if os.name == "posix":
        assert next(run.glob("*.json")).stat().st_mode & 0o077 == 0


def test_a_host_of_another_version_is_told_in_one_sentence(engine: Engine, run: Path) -> None:
    engine.ask("ping")
    link = raw_connection(run)
    link.send({"do": "hello", "protocol": wire.PROTOCOL + 1})
    ((key, sentence),) = link.receive(10).items()
    assert key == "error"
    assert f"version {wire.PROTOCOL + 1} " in sentence and f"version {wire.PROTOCOL}:" in sentence
    with pytest.raises((EOFError, OSError)):
        link.receive(10)


def test_what_a_client_of_another_version_says(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PROTOCOL", 99)
    with pytest.raises(EngineError, match="install the same keywarp for both"):
        engine.ask("ping", timeout=PATIENT)


def mutated(message: dict[str, object], dice: random.Random) -> bytes:
    """The message with something wrong in it: a value of another type, or bytes that are no message."""
    junk = [
        None,
        -1,
        2**70,
        1e308,
        "x" * 5000,
        [],
        {},
        [[[]]],
        True,
        "\0",
        "../../etc/passwd",
        [1, 2],
        {"a": 1},
    ]
    copy = json.loads(json.dumps(message))
    place = copy
    while True:
        key = dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and dice.random() < 0.7:
            place = inner
            continue
        place[key] = dice.choice(junk)
        break
    body = json.dumps(copy).encode()
    if dice.random() < 0.2:
        at = dice.randrange(len(body))
        body = body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
    return body


def test_malformed_messages_never_end_the_engine(
    engine: Engine, run: Path, character: Path, full: bool
) -> None:
    pid = engine.ask("ping")["pid"]
    dice = random.Random(8)
    stream = engine.stream(character, size=SIZE)
    stream.latest({})
    good: dict[str, object] = stream.pending() or {}
    good = {**good, "id": 7, "do": "exact", "what": "info", "character": str(character)}
    for _ in range(3000 if full else 60):
        link = raw_connection(run)
        link.send({"do": "hello", "protocol": wire.PROTOCOL})
        link.receive(10)
        try:
            for _ in range(4):
                choice = {**good, "do": dice.choice(("exact", "latest", "ask", "cancel", "close", "?"))}
                link._connection.send_bytes(mutated(choice, dice))
        except OSError:
            pass  # it was thrown out, as it should be
        link.release()
    assert engine.ask("ping")["pid"] == pid == engine.state.pid


@pytest.mark.skipif(sys.platform == "win32", reason="the socket is POSIX's")
def test_sizes_that_are_lies_never_end_the_engine(engine: Engine, run: Path) -> None:
    pid = engine.ask("ping")["pid"]
    address = launch.read_card(next(run.glob("*.json"))).address
    for header in (
        b"",
        struct.pack("!i", 1 << 30) + b"x",
        struct.pack("!i", -1) + struct.pack("!Q", 1 << 62),
        struct.pack("!i", -7),
        os.urandom(4096),
    ):
        with socket.socket(socket.AF_UNIX) as stranger:
            assert isinstance(address, str)
            stranger.connect(address)
            stranger.sendall(header)
        link = raw_connection(run)
        raw = link._connection
        os.write(raw.fileno(), header)
        link.release()
    assert engine.ask("ping")["pid"] == pid


# Traces


def mapped() -> set[str]:
    """Addresses of the rings that this process has mapped."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return {line.split()[0] for line in lines if ".ring" in line}


def test_adding_and_removing_streams_leaves_nothing(
    engine: Engine, character: Path, run: Path, full: bool
) -> None:
    before = mapped()
    for i in range(200 if full else 20):
        stream = engine.stream(character, size=SIZE)
        stream.exact({"head_y": i % 7 / 7}, crop=(30, 10, 4, 4)).release()
        stream.close()
    assert comes(lambda: rings(run) == [])
    assert mapped() <= before
