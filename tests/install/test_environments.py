# SPDX-License-Identifier: GPL-3.0-or-later
"""When an environment is left alone, brought up to date, or made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from install import environments
from install.console import SetupError
from install.environments import Recipe, python_of, source_digest
from install.interpreters import Interpreter

INTERPRETER = Interpreter("/usr/bin/python3.12", (3, 12, 1))


class Workshop:
    """A repository in a folder of its own, in which pip and venv only note what they were asked."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.done = root, []
        self.fails: str = ""
        for folder in environments.SOURCES:
            (root / folder).mkdir()
            (root / folder / "module.py").touch()
        (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
        monkeypatch.setattr(environments, "REPOSITORY", root)
        monkeypatch.setattr(environments, "_create", self.create)
        monkeypatch.setattr(environments, "_pip", self.pip)
        monkeypatch.setattr(environments, "_starts", lambda recipe: python_of(recipe.folder).is_file())
        self.done: list[str]

    def create(self, folder: Path, interpreter: Interpreter) -> None:
        self.done.append("create")
        python_of(folder).parent.mkdir(parents=True)
        python_of(folder).touch()

    def pip(self, python: Path, arguments: list[str], what: str, failure: str = "") -> None:
        if self.fails and self.fails in " ".join(arguments):
            raise SetupError(failure or "pip failed.")
        self.done.append("link" if "--no-deps" in arguments else what.split(" in ")[0])

    def ensure(self, recipe: Recipe) -> list[str]:
        """Make the environment; what was done for it."""
        self.done = []
        environments.ensure(recipe)
        return self.done


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    root = tmp_path / "a folder with spaces"
    root.mkdir()
    return Workshop(root, monkeypatch)


RECIPE = Recipe("", INTERPRETER, keywarp=True)
TOOLS = "pip>=24, setuptools>=77"


def test_made_once(workshop: Workshop) -> None:
    assert workshop.ensure(RECIPE) == ["create", TOOLS, "keywarp"]
    assert workshop.ensure(RECIPE) == []


def test_a_new_file_is_linked_and_an_edited_one_is_not(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    (workshop.root / "core" / "module.py").write_text("x = 1\n", encoding="utf-8")
    assert workshop.ensure(RECIPE) == []
    (workshop.root / "core" / "new.py").touch()
    assert workshop.ensure(RECIPE) == ["link"]
    (workshop.root / "core" / "new.py").unlink()
    assert workshop.ensure(RECIPE) == ["link"]


def test_new_dependencies_are_installed(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    (workshop.root / "pyproject.toml").write_text("[project]\nname='x'\n", encoding="utf-8")
    assert workshop.ensure(RECIPE) == [TOOLS, "keywarp"]


def test_what_one_command_added_the_next_keeps(workshop: Workshop) -> None:
    workshop.ensure(replace(RECIPE, extras=("test",), torch="cpu"))
    assert workshop.ensure(RECIPE) == []
    assert workshop.ensure(replace(RECIPE, extras=("cuda",))) == [TOOLS, "keywarp"]
    assert workshop.ensure(replace(RECIPE, extras=("test", "cuda"), torch="cpu")) == []


def test_torch_is_added_to_what_is_there(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    assert workshop.ensure(replace(RECIPE, torch="cpu")) == ["torch"]


def test_another_build_of_torch_starts_afresh(workshop: Workshop) -> None:
    workshop.ensure(replace(RECIPE, torch="cpu"))
    assert workshop.ensure(replace(RECIPE, torch="cuda")) == ["create", TOOLS, "keywarp", "torch"]


def test_torch_that_cannot_be_had_leaves_the_rest_whole(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    workshop.fails = "torch"
    with pytest.raises(SetupError):
        workshop.ensure(replace(RECIPE, torch="cpu"))
    assert workshop.ensure(RECIPE) == []


def test_another_python_makes_it_anew(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    other = replace(RECIPE, interpreter=Interpreter("/usr/bin/python3.13", (3, 13, 0)))
    assert workshop.ensure(other)[0] == "create"


def test_interrupted_is_made_anew(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environments, "_pip", stop)
        with pytest.raises(KeyboardInterrupt):
            environments.ensure(RECIPE)
    assert workshop.ensure(RECIPE)[0] == "create"
    assert workshop.ensure(RECIPE) == []


def test_without_its_python_is_made_anew(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    python_of(RECIPE.folder).unlink()
    assert workshop.ensure(RECIPE)[0] == "create"


def test_a_moved_repository_makes_it_anew(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.ensure(RECIPE)
    moved = workshop.root.with_name("moved")
    workshop.root.rename(moved)
    monkeypatch.setattr(environments, "REPOSITORY", moved)
    assert workshop.ensure(RECIPE)[0] == "create"


def test_the_users_own_environment_is_not_touched(workshop: Workshop) -> None:
    own = workshop.root / ".venv" / "pyvenv.cfg"
    own.parent.mkdir()
    own.touch()
    with pytest.raises(SetupError, match="move it out of the way"):
        workshop.ensure(RECIPE)
    assert own.exists()


def test_nothing_is_left_of_the_old(workshop: Workshop) -> None:
    workshop.ensure(RECIPE)
    (workshop.root / ".venv.old-1").mkdir()  # of a process that was killed
    workshop.ensure(replace(RECIPE, interpreter=Interpreter("/usr/bin/python3.13", (3, 13, 0))))
    assert sorted(path.name for path in workshop.root.glob(".venv*")) == [".venv", ".venv.lock"]


@pytest.mark.parametrize(
    ("platform", "program"),
    [("win32", "Scripts/python.exe"), ("linux", "bin/python"), ("darwin", "bin/python")],
)
def test_where_an_environment_keeps_its_python(platform: str, program: str) -> None:
    assert python_of(Path("a b"), platform) == Path("a b") / program


def test_windows_links_hard_so_a_replaced_file_counts(workshop: Workshop) -> None:
    before = {platform: source_digest(workshop.root, platform) for platform in ("linux", "win32")}
    (workshop.root / "plugin" / "module.py").write_text("changed\n", encoding="utf-8")
    assert source_digest(workshop.root, "linux") == before["linux"]
    assert source_digest(workshop.root, "win32") != before["win32"]


def test_compiled_files_do_not_count(workshop: Workshop) -> None:
    before = source_digest(workshop.root)
    (workshop.root / "core" / "__pycache__").mkdir()
    (workshop.root / "core" / "__pycache__" / "module.pyc").touch()
    assert source_digest(workshop.root) == before
