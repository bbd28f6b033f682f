# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks inside a real Blender: each ``check_*`` of a file in ``inside/``, with each ``blender_python``.

One process for each file and Blender (``bpy`` is one per process), a fresh factory scene for each check.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ...conftest import BLENDER_PYTHONS, FULL
from ..cli.conftest import save_student

HERE = Path(__file__).parent
INSIDE = HERE / "inside"
RUNNER = INSIDE / "runner.py"
SECONDS = 900
EVERYWHERE = {"adding", "clips", "render_engine", "zip", "panels"}
"""What plain runs ask of every Blender; the rest only of the last one that is named, the newest."""

Check = Callable[[str, str], None]


def checks(file: str) -> list[str]:
    """The checks of ``inside/<file>.py``, for ``pytest.mark.parametrize``."""
    tree = ast.parse((INSIDE / f"{file}.py").read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to full runs what hardly depends on Blender's version, and what measures time: plain runs share their
    machine."""
    if FULL:
        return
    for item in items:
        if item.path.parent != HERE:
            continue
        values = getattr(getattr(item, "callspec", None), "params", {})
        area, python = item.path.stem.removeprefix("test_"), values.get("blender_python")
        if "costs_little" in values.get("check", ""):
            item.add_marker(pytest.mark.skip(reason="only `test --full` measures time"))
        elif BLENDER_PYTHONS and python not in (None, BLENDER_PYTHONS[-1]) and area not in EVERYWHERE:
            item.add_marker(pytest.mark.skip(reason="only `test --full` asks this of every Blender"))


@pytest.fixture(scope="session")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthetic character of small random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("characters") / "figure"
    save_student(folder)
    return folder


@pytest.fixture(scope="session")
def source_path(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder from which any Python imports ``keywarp.*`` as it stands in the repository."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "keywarp").mkdir()
    for name in ("core", "keyframes", "plugin"):
        (folder / "keywarp" / name).symlink_to(repository / name, target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def blender_environment(
    tmp_path_factory: pytest.TempPathFactory, source_path: Path, figure: Path, shared: Path, full: bool
) -> dict[str, str]:
    """Variables for a process in which Blender runs, with a user folder of the tests' own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "KEYWARP_ENGINE")}
    cache = os.environ.get("KEYWARP_CACHE") or str(tmp_path_factory.mktemp("cache"))
    return {
        **kept,
        "PYTHONPATH": str(source_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BLENDER_USER_RESOURCES": str(tmp_path_factory.mktemp("blender")),
        "KEYWARP_CACHE": cache,
        "KEYWARP_TEST_FULL": "1" if full else "0",
        "KEYWARP_TEST_CHARACTER": str(figure),
        "KEYWARP_TEST_SHARED": str(shared) if shared.is_dir() else "",
        "KEYWARP_TEST_ENGINE": json.dumps([sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]),
    }


@pytest.fixture(scope="session")
def inside_answers() -> dict[tuple[Path, str], dict[str, str]]:
    """What the processes have answered so far: a check's traceback, or nothing where it passed."""
    return {}


@pytest.fixture
def inside(
    blender_python: Path,
    blender_environment: dict[str, str],
    inside_answers: dict[tuple[Path, str], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Check:
    """``inside("live", "check_x")``: fails with the traceback that the check ended with inside Blender."""

    def run(file: str, check: str) -> None:
        key = blender_python, file
        if key not in inside_answers:
            folder = tmp_path_factory.mktemp(file)
            inside_answers[key] = run_checks(blender_python, file, blender_environment, folder)
        trouble = inside_answers[key].get(check)
        if trouble is None:
            trouble = inside_answers[key].get("", "it did not run")
        if trouble:
            pytest.fail(trouble, pytrace=False)

    return run


def run_checks(python: Path, file: str, environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Traceback by check; under ``""`` what became of those that did not run."""
    answers = folder / "answers.jsonl"
    log = folder / "log.txt"
    command = [str(python), str(RUNNER), str(INSIDE / f"{file}.py"), str(answers), str(folder)]
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                command, stdout=out, stderr=subprocess.STDOUT, env=environment, timeout=SECONDS, check=False
            )
            end = f"Blender ended with status {done.returncode}"
        except subprocess.TimeoutExpired:
            end = f"Blender was stopped after {SECONDS} seconds"
    told = {}
    if answers.exists():
        for line in answers.read_text(encoding="utf-8").splitlines():
            told.update(json.loads(line))
    last = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    told[""] = f"{end}\n{last}"
    for check, trouble in told.items():
        if check and trouble:
            told[check] = f"{trouble}\n--- Blender said:\n{last}"
    return told
