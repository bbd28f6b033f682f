# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``install/run.py obs`` puts into a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from install import obs_files
from install.commands import obs
from install.console import SetupError

PYTHON = Path("/somewhere/bin/python")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_again_changes_nothing(tmp_path: Path) -> None:
    assert obs_files.install(tmp_path, PYTHON)
    before = contents(tmp_path)
    assert "keywarp_obs.py" in before
    assert json.loads(before["keywarp_engine.json"])["python"] == str(PYTHON)
    assert not obs_files.install(tmp_path, PYTHON)
    assert contents(tmp_path) == before


def test_an_update_replaces_its_own_files_and_no_others(tmp_path: Path) -> None:
    obs_files.install(tmp_path, PYTHON)
    whole = contents(tmp_path)
    (tmp_path / "mine.py").write_text("print()")
    (tmp_path / "keywarp" / "plugin" / "obs" / "mine.txt").write_text("mine")
    stale = tmp_path / "keywarp" / "plugin" / "obs" / "of_an_older_version.py"
    stale.write_text("")
    record = json.loads((tmp_path / "keywarp_engine.json").read_text())
    record["files"] += ["keywarp/plugin/obs/of_an_older_version.py", "../outside.py", "mine.py"]
    (tmp_path / "keywarp_engine.json").write_text(json.dumps(record))
    (tmp_path.parent / "outside.py").write_text("")
    (tmp_path / "keywarp_obs.py").write_text("changed")
    assert obs_files.install(tmp_path, PYTHON)
    assert not stale.exists()
    assert (tmp_path.parent / "outside.py").exists()
    mine = {"mine.py": b"print()", str(Path("keywarp/plugin/obs/mine.txt")): b"mine"}
    assert contents(tmp_path) == {**whole, **mine}


@pytest.mark.parametrize("name", ["keywarp_obs.py", "keywarp/plugin/obs/source.py", "keywarp_engine.json"])
def test_a_file_of_somebody_else_stops_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("something else")
    with pytest.raises(SetupError, match="--folder"):
        obs_files.install(tmp_path, PYTHON)
    assert contents(tmp_path) == {str(Path(name)): b"something else"}


def test_the_folder_is_the_users_own() -> None:
    home = Path("/home/somebody")
    assert obs_files.default_folder("linux", {}, home) == home / ".local/share/keywarp/obs"
    assert obs_files.default_folder("linux", {"XDG_DATA_HOME": "/data"}, home) == Path("/data/keywarp/obs")
    assert obs_files.default_folder("win32", {"APPDATA": "/roaming"}, home) == Path("/roaming/keywarp/obs")
    assert obs_files.default_folder("darwin", {}, home) == home / "Library/Application Support/keywarp/obs"


def test_what_remains_are_three_clicks() -> None:
    lines = obs.clicks(Path("/data/keywarp_obs.py"), "linux")
    assert len(lines) == 3
    assert "/data/keywarp_obs.py" in lines[0]
    for platform in ("win32", "darwin"):
        assert "Python Settings" in obs.clicks(Path("/data/keywarp_obs.py"), platform)[0]
