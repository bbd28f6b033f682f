# SPDX-License-Identifier: GPL-3.0-or-later
"""Run folders, address files, logs, and the traces of dead engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keywarp.core.engine import launch
from keywarp.core.engine.storage import Storage

CARD = launch.Card("0123456789ab", 1, 1, "0.1.0", "AF_UNIX", "/x.sock", "00ff")


def test_a_card_comes_back_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    CARD.write(path)
    assert launch.read_card(path) == CARD
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
    tcp = launch.Card("0123456789ab", 1, 1, "0.1.0", "AF_INET", ("127.0.0.1", 5), "00ff")
    tcp.write(path)
    assert launch.read_card(path) == tcp


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", json.dumps({**vars(CARD), "key": "xyz"}), "x" * 100_000]
)
def test_a_damaged_card_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(text, encoding="ascii")
    with pytest.raises(launch.LaunchError, match=r"engine\.json is not"):
        launch.read_card(path)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(launch.LaunchError, match=r"gone\.json"):
        launch.read_card(tmp_path / "gone.json")


@pytest.mark.skipif(os.name != "posix", reason="access rights are POSIX's")
def test_a_run_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    monkeypatch.setenv("KEYWARP_RUN", str(folder))
    with pytest.raises(launch.LaunchError, match="nobody else"):
        launch.run_folder()


HOLDER = """
import sys, time
from pathlib import Path
from keywarp.core.engine.storage import Storage
storage = Storage(Path(sys.argv[1]), sys.argv[2])
storage.ring(1000)
storage.path(".json").write_text("{}")
print("ready", flush=True)
time.sleep(600)
"""


def test_traces_go_when_the_engine_is_dead_and_not_before(run: Path) -> None:
    name = "aaaaaaaaaaaa"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run), name], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "ready\n"

    def traces() -> list[Path]:
        return [path for folder in (run, *launch.frame_folders(run)) for path in folder.glob(f"{name}*")]

    assert len(traces()) == 3
    assert launch.sweep(run) == []
    assert len(traces()) == 3
    holder.kill()
    holder.wait()
    assert len(launch.sweep(run)) == 3
    assert traces() == []


def test_an_engine_that_starts_sweeps(run: Path) -> None:
    (run / "bbbbbbbbbbbb.lock").write_bytes(b"")
    (run / "bbbbbbbbbbbb.json").write_text("{}")
    orphan = next(launch.frame_folders(run)) / "cccccccccccc-1.ring"
    orphan.write_bytes(b"")
    storage = Storage(run, "dddddddddddd")
    assert sorted(path.name for path in run.iterdir()) == ["dddddddddddd.lock"]
    assert not orphan.exists()
    storage.clear()


def test_a_program_that_is_not_there_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(launch.LaunchError, match="no-such-python"):
        launch.start(["/no-such-python"], launch.new_name(), run, tmp_path / "log")


def test_what_a_host_sets_for_its_own_python_is_not_handed_on(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("HOSTS_OWN", "kept")
    script = "import os; print(os.environ.get('PYTHONHOME'), os.environ['HOSTS_OWN'], os.environ.get('MORE'))"
    log = tmp_path / "deep" / "log"
    started = launch.start([sys.executable, "-c", script], launch.new_name(), run, log, {"MORE": "1"})
    started.wait(180)
    assert log.read_text().split() == ["None", "kept", "1"]
    assert started.stdin is not None
    started.stdin.close()


def test_a_log_stays_short_and_its_last_lines_are_told(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("".join(f"line {i}\n" for i in range(200_000)))
    with log.open("ab") as writer:
        launch.shorten_log(log)
        writer.write(b"after\n")
    assert log.read_text() == "after\n"
    kept = log.with_name("engine.log.old").read_text()
    assert kept.endswith("line 199999\n") and len(kept) <= launch.MAX_LOG_BYTES
    log.write_text("old\none\n\ntwo\nthree\nfour\n")
    assert launch.last_lines(log, 2) == "three / four"
    assert launch.last_lines(log, 9, since=len("old\n")) == "one / two / three / four"
    assert launch.last_lines(tmp_path / "none") == ""
