# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of ``run.py``, its demo's choices, and the suite's count."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from install import program, suite
from install.commands import demo
from install.console import SetupError, clean_environment
from install.environments import Recipe
from install.interpreters import Interpreter
from install.suite import PARTS, Counts, Part, Suite, read_counts

RUN = Path(__file__).resolve().parents[2] / "install" / "run.py"


def call(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *map(str, arguments)]
    full = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=cwd, env=full, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_the_demo_character_is_the_default(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^the demo character is missing from .*: name yours, .*\.$"):
        demo.chosen_character(None, tmp_path)
    (tmp_path / "character.yaml").touch()
    assert demo.chosen_character(None, tmp_path) == tmp_path
    assert demo.chosen_character(tmp_path / "character.yaml") == (tmp_path / "character.yaml").resolve()
    clip = Path("nod.json")
    for named in (tmp_path, tmp_path / "character.yaml"):
        assert demo.results(named, clip)[0].name == f"{tmp_path.name}-nod.mp4"


@pytest.mark.parametrize("home", ["", "/nowhere"])
def test_demo_of_a_missing_character_is_one_sentence(tmp_path: Path, home: str) -> None:
    done = call("demo", "no such folder", cwd=tmp_path, HOME=home)
    assert done.returncode == 2
    assert re.fullmatch(r"install/run\.py demo: no such folder does not exist: .*\.\n", done.stderr)


def test_help_lists_every_module_as_a_subcommand(tmp_path: Path) -> None:
    done = call("--help", cwd=tmp_path)
    assert done.returncode == 0
    files = {path.stem for path in (RUN.parent / "commands").glob("*.py")} - {"__init__"}
    assert files >= {"demo", "test"}
    for name in files:
        assert re.search(rf"^ +{name} +\w", done.stdout, re.MULTILINE)


def test_only_test_passes_arguments_on(tmp_path: Path) -> None:
    done = call("demo", "--frobnicate", cwd=tmp_path)
    assert done.returncode == 2 and "demo does not know --frobnicate" in done.stderr
    options, rest = program.parser_of(program.command_modules()).parse_known_args(["test", "-k", "curve"])
    assert (options.command, rest) == ("test", ["-k", "curve"])


def test_the_first_shipped_clip_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "b.json").touch()
    (tmp_path / "a.json").touch()
    assert demo.chosen_clip(None, tmp_path) == tmp_path / "a.json"
    assert demo.chosen_clip(tmp_path / "b.json", tmp_path) == tmp_path / "b.json"


def test_a_missing_clip_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"is not a file"):
        demo.chosen_clip(tmp_path / "c.json", tmp_path)
    with pytest.raises(SetupError, match=r"--clip FILE"):
        demo.chosen_clip(None, tmp_path)


def test_results_are_named_for_the_character_and_clip(tmp_path: Path) -> None:
    file = tmp_path / "hero.v2.yaml"
    file.touch()
    assert [path.name for path in demo.results(file, Path("nod.json"))] == [
        "hero.v2-nod.mp4",
        "hero.v2-sheet.png",
    ]
    assert demo.results(tmp_path, Path("nod.json"))[0].name == f"{tmp_path.name}-nod.mp4"


@pytest.mark.parametrize("needed", ["", "torch"])
def test_the_demo_adds_torch_where_the_character_needs_it(
    needed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    asked: list[str] = []

    def ensure(recipe: Recipe) -> Path:
        made.append(recipe.torch)
        return Path(sys.executable)

    def answer(command: list[object]) -> subprocess.CompletedProcess[str]:
        asked.append(str(command[-1]))
        compile(str(command[2]), "the question", "exec")
        return subprocess.CompletedProcess([], 0, f"{needed}\n", "")

    monkeypatch.setattr(demo.environments, "ensure", ensure)
    monkeypatch.setattr(demo, "capture", answer)
    monkeypatch.setattr(demo, "_work", lambda *_: 0)
    monkeypatch.setattr(demo.torch_build, "has_nvidia", lambda: False)
    assert demo.run_demo(tmp_path, tmp_path / "clip.json", False) == 0
    assert asked == [str(tmp_path)]
    assert made == (["", "cpu"] if needed else [""])


def test_children_stay_inside_their_environment() -> None:
    outside = {"PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "PIP_TARGET": "/z", "PIP_USER": "1", "HOME": ""}
    kept = {"PATH": "/bin", "PIP_INDEX_URL": "file:///index", "PIP_CACHE_DIR": "/cache"}
    inside = clean_environment({**outside, **kept})
    assert {name: inside.get(name) for name in outside} == {**dict.fromkeys(outside), "PIP_USER": "0"}
    assert {name: inside[name] for name in kept} == kept, "the user's own pip configuration stays"


def report(tmp_path: Path, **numbers: int) -> Path:
    path = tmp_path / "report.xml"
    attributes = " ".join(f'{name}="{number}"' for name, number in numbers.items())
    path.write_text(f"<testsuites><testsuite {attributes}/></testsuites>", encoding="utf-8")
    return path


def test_counts_are_read_from_the_report(tmp_path: Path) -> None:
    path = report(tmp_path, tests=10, failures=2, errors=1, skipped=3)
    assert str(read_counts(path, 1)) == "4 passed, 3 failed, 3 skipped"


@pytest.mark.parametrize("written", [True, False])
def test_a_run_that_broke_off_is_not_good(tmp_path: Path, written: bool) -> None:
    path = report(tmp_path, tests=4) if written else tmp_path / "none.xml"
    assert read_counts(path, 2).failed == 1


def a_suite() -> Suite:
    return Suite(Interpreter("/python", (3, 12, 0)), False, "cpu", counts={"tests": Counts(1, 0, 0)})


def test_one_failed_step_fails_the_run_and_the_others_still_run() -> None:
    run = a_suite()
    ran: list[str] = []

    def step(name: str, status: int) -> int:
        ran.append(name)
        return status

    def cannot() -> int:
        raise SetupError("no network.")

    assert run.step("good", lambda: step("a", 0))
    assert run.status() == 0
    assert not run.step("bad", lambda: step("b", 1), lambda: step("c", 0))
    assert not run.step("broken", cannot)
    assert run.status() == 1
    assert ran == ["a", "b", "c"]
    assert "FAILED" in run.summary() and run.summary().endswith("\n1 passed, 0 failed, 0 skipped")


def test_no_test_is_no_success() -> None:
    run = a_suite()
    run.counts = {"tests": Counts(0, 0, 5)}
    assert run.status() == 1


STARVED = """
import pathlib
def test_that_was_late():
    before = pathlib.Path(__file__).with_name("before")
    late = not before.exists()
    before.touch()
    assert not late
def test_that_is_good():
    pass
"""
BROKEN = "def test_that_is_broken():\n    assert False\n"


def asked(tmp_path: Path, content: str) -> Suite:
    """A run of one part, whose tests are these."""
    (tmp_path / "test_part.py").write_text(content, encoding="utf-8")
    run = a_suite()
    run.counts, run.cache = {}, str(tmp_path / "cache")
    part = Part("a part", Path(sys.executable), (str(tmp_path / "test_part.py"),))
    run.run_part(part)
    assert run.status() == 1
    run.ask_again(part)
    return run


def test_a_test_that_was_only_late_passes_when_it_is_asked_alone(tmp_path: Path) -> None:
    run = asked(tmp_path, STARVED)
    assert run.status() == 0 and str(run.total) == "2 passed, 0 failed, 0 skipped"
    assert re.search(r"failed beside other tests, passed alone: .*::test_that_was_late\n", run.summary())


def test_what_is_broken_is_not_good_however_often_it_is_asked(tmp_path: Path) -> None:
    run = asked(tmp_path, STARVED + BROKEN)
    assert run.status() == 1 and not run.again
    assert run.total.failed == 2 and "FAILED" in run.summary()


def test_every_test_is_in_one_part() -> None:
    repository = RUN.parents[1]

    def taken(arguments: tuple[str, ...], name: Path) -> bool:
        folders = [word for word in arguments if word != "--ignore"]
        ignored = [after for word, after in pairwise(arguments) if word == "--ignore"]
        inside = [folder for folder in folders if name.is_relative_to(repository / folder)]
        return bool(inside) and not set(inside) & set(ignored)

    for name in repository.glob("tests/**/test_*.py"):
        assert sum(taken(arguments, name) for arguments in PARTS.values()) == 1, name


def test_what_is_left_out_is_named() -> None:
    run = a_suite()
    run.leave_out("Blender 9", "it is not there")
    assert "left out: Blender 9: it is not there" in run.summary()


def test_a_run_of_chosen_tests_names_the_blenders_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "REPOSITORY", tmp_path)
    monkeypatch.setattr(Suite, "run_part", lambda *_: True)
    *absent, newest = suite.BLENDERS
    python = suite.environments.python_of(tmp_path / f".venv-blender-{newest}")
    python.parent.mkdir(parents=True)
    python.touch()
    run = a_suite()
    run.pytest_with(["-k", "endurance"])
    assert run.blender_pythons == [python]
    for version in absent:
        assert f"left out: Blender {version}: " in run.summary()
    assert f"Blender {newest}" not in run.summary()


def test_plain_runs_ask_the_oldest_and_the_newest_blender() -> None:
    versions = [version.rpartition(".")[0] for version in suite.blenders_to_try(False)]
    assert versions == ["4.5", "5.2"]
    assert set(suite.blenders_to_try(True)) == set(suite.BLENDERS)


def test_hosts_get_keyframes_without_what_runs_in_the_engine(tmp_path: Path) -> None:
    repository, site = tmp_path / "repository", tmp_path / "site"
    for file in (
        "keyframes/__init__.py",
        "keyframes/clip.py",
        "keyframes/live/x.py",
        "keyframes/__pycache__/x.pyc",
    ):
        (repository / file).parent.mkdir(parents=True, exist_ok=True)
        (repository / file).touch()
    (site / "keywarp" / "keyframes").mkdir(parents=True)
    (site / "keywarp" / "keyframes" / "stale.py").touch()
    suite.copy_host_parts(repository, site)
    copied = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert copied == {"keywarp/keyframes/__init__.py", "keywarp/keyframes/clip.py"}
