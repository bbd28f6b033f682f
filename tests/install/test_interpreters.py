# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the installer takes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from install import interpreters
from install.console import SetupError
from install.interpreters import Interpreter, candidates, choose, parse_probe


def python(*version: int) -> Interpreter:
    return Interpreter(f"/python{version}", (version[0], version[1], 0))


def answer(**changes: object) -> str:
    facts: dict[str, object] = {
        "version": [3, 12, 1],
        "path": "/p",
        "implementation": "CPython",
        "level": "final",
        "bits": 64,
        "no_gil": False,
    }
    return json.dumps(list({**facts, **changes}.values()))


def test_the_running_python_is_taken_where_keywarp_runs_on_it() -> None:
    assert choose(python(3, 11), [python(3, 14)]) == python(3, 11)


def test_else_the_first_suitable_other() -> None:
    assert choose(python(3, 9), [None, python(3, 15), python(3, 13), python(3, 12)]) == python(3, 13)


def test_or_none() -> None:
    assert choose(None, [python(3, 10), None]) is None


def test_no_suitable_python_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "probe", lambda command: None)
    with pytest.raises(SetupError, match=r"needs a 64-bit CPython 3\.11, 3\.12, 3\.13 or 3\.14.*install one"):
        interpreters.main_interpreter()


def test_a_probe_is_read() -> None:
    assert parse_probe(answer()) == Interpreter("/p", (3, 12, 1))


@pytest.mark.parametrize(
    "changes", [{"implementation": "PyPy"}, {"level": "candidate"}, {"bits": 32}, {"no_gil": True}]
)
def test_pythons_without_wheels_are_passed_over(changes: dict[str, object]) -> None:
    assert parse_probe(answer(**changes)) is None


def test_a_shim_that_answers_nonsense_is_passed_over() -> None:
    assert parse_probe("pyenv: python3.12: command not found") is None


def test_the_running_python_probes_as_itself() -> None:
    found = interpreters.probe([sys.executable])
    assert found is not None and found.version == sys.version_info[:3]
    assert Path(found.path) == Path(os.path.realpath(found.path)), "one Python has one name"


def test_a_program_that_is_not_there_is_none() -> None:
    assert interpreters.probe(["python-that-is-not-there"]) is None


def test_windows_asks_its_launcher_first(tmp_path: Path) -> None:
    local = tmp_path / "AppData" / "Local"
    folder = local / "Programs" / "Python" / "Python313"
    folder.mkdir(parents=True)
    (folder / "python.exe").touch()
    found = list(candidates((3, 13), {"LOCALAPPDATA": str(local)}, tmp_path, "win32"))
    assert found == [["py", "-3.13"], ["python3.13"], [str(folder / "python.exe")]]


@pytest.mark.parametrize("by", ["home", "variable", "shims on PATH"])
def test_version_managers_are_searched(tmp_path: Path, by: str) -> None:
    root = tmp_path / ".pyenv"
    for version in ("3.1.1", "3.11.7", "3.13.0", "3.13.2"):
        program = root / "versions" / version / "bin" / "python3"
        program.parent.mkdir(parents=True)
        program.touch()
    environment = {
        "home": {},
        "variable": {"PYENV_ROOT": str(root)},
        "shims on PATH": {"PATH": str(root / "shims")},
    }[by]
    home = tmp_path if by == "home" else tmp_path / "elsewhere"
    found = list(candidates((3, 13), environment, home, "linux"))
    newest_first = [
        [str(root / "versions" / version / "bin" / "python3")] for version in ("3.13.2", "3.13.0")
    ]
    assert found == [["python3.13"], *newest_first]


def test_macos_looks_at_its_frameworks(tmp_path: Path) -> None:
    found = list(candidates((3, 12), {}, tmp_path, "darwin"))
    assert ["/Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12"] in found


@pytest.mark.parametrize("name", ["3.11.7", "cpython-3.11.9-linux-x86_64-gnu", "Python311"])
def test_names_of_version_folders(name: str) -> None:
    assert interpreters._named(Path(name), (3, 11))
    assert not interpreters._named(Path(name), (3, 1))
    assert not interpreters._named(Path(name), (3, 9))
