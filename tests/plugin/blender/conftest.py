# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks inside a real Blender: each ``check_*`` of the files in ``inside/``, with each ``blender_python``.

``bpy`` is one per process and slow to start, so all checks that are selected share one process of each Blender; those
that count memory or leave Blender's state behind have one of their own. Each check starts from factory settings.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from install import blender_package
from keywarp.core.studio.figure_file import write_figure
from keywarp.core.studio.generator.assemble import generated

from ...conftest import BLENDER_PYTHONS, FULL
from ..cli.conftest import save_follower, save_student

HERE = Path(__file__).parent
INSIDE = HERE / "inside"
RUNNER = INSIDE / "runner.py"
SECONDS = 600
"""For a single check."""
ALONE = {"endurance", "setup/preferences", "studio/build", "studio/export"}
"""Files of checks with a process of their own."""
EVERYWHERE = {
    "character/adding",
    "clips/frames",
    "clips/operators",
    "panels/sidebar",
    "rendering/engine",
}
"""What plain runs ask of every Blender; the rest only of the last one that is named, the newest."""

Inside = Callable[[str], None]


def checks(path: Path) -> list[str]:
    """The names of the checks in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
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
        values = getattr(getattr(item, "callspec", None), "params", {})
        if HERE not in item.path.parents or "blender_python" not in values:
            continue
        file = values.get("check", item.path.stem.removeprefix("test_")).split()[0]
        newest = not BLENDER_PYTHONS or values["blender_python"] == BLENDER_PYTHONS[-1]
        if "costs_little" in values.get("check", ""):
            item.add_marker(pytest.mark.skip(reason="only `test --full` measures time"))
        elif not newest and file not in EVERYWHERE:
            item.add_marker(pytest.mark.skip(reason="only `test --full` asks this of every Blender"))


@pytest.fixture(scope="session")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthetic character of small random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("characters") / "figure"
    save_student(folder)
    return folder


@pytest.fixture(scope="session")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a character that follows a driving video of four frames."""
    return save_follower(tmp_path_factory.mktemp("characters") / "follower")


@pytest.fixture(scope="session")
def generated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated character, as a figure's file."""
    path = tmp_path_factory.mktemp("generated") / "generated.npz"
    write_figure(path, generated(3, 0.25))
    return path


@pytest.fixture(scope="session")
def shipped_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .zip of the models that ship."""
    names = blender_package.shipped_models()
    target = tmp_path_factory.mktemp("models") / "keywarp-models.zip"
    return blender_package.write_zip(target, blender_package.model_files(names))


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
    tmp_path_factory: pytest.TempPathFactory,
    source_path: Path,
    figure: Path,
    follower: Path,
    generated_file: Path,
    shipped_models: Path,
    shared: Path,
    full: bool,
    cache: Path,
) -> dict[str, str]:
    """Variables for a process in which Blender runs, with a user folder of the tests' own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "KEYWARP_ENGINE")}
    return {
        **kept,
        "PYTHONPATH": str(source_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BLENDER_USER_RESOURCES": str(tmp_path_factory.mktemp("blender")),
        "KEYWARP_CACHE": str(cache),
        "KEYWARP_TEST_FULL": "1" if full else "0",
        "KEYWARP_TEST_CHARACTER": str(figure),
        "KEYWARP_TEST_FOLLOWER": str(follower),
        "KEYWARP_TEST_GENERATED": str(generated_file),
        "KEYWARP_TEST_MODELS": str(shipped_models),
        "KEYWARP_TEST_SHARED": str(shared) if shared.is_dir() else "",
        "KEYWARP_TEST_ENGINE": json.dumps([sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]),
    }


@pytest.fixture(scope="session")
def inside_answers() -> dict[tuple[Path, str], dict[str, str]]:
    """What the processes have answered so far, by Blender and process: a check's trouble, "" where it passed."""
    return {}


@pytest.fixture
def inside(
    request: pytest.FixtureRequest,
    blender_python: Path,
    blender_environment: dict[str, str],
    inside_answers: dict[tuple[Path, str], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Inside:
    """``inside("showing/live check_x")``: fails with the traceback that the check ended with inside Blender."""

    def run(check: str) -> None:
        key = blender_python, process_of(check)
        if key not in inside_answers:
            folder = tmp_path_factory.mktemp("inside")
            chosen = selected(request.session, *key)
            inside_answers[key] = run_checks(blender_python, chosen, blender_environment, folder)
        trouble = inside_answers[key][check]
        if trouble:
            pytest.fail(trouble, pytrace=False)

    return run


def process_of(check: str) -> str:
    """The process that a check runs in: that of its file, or the one for all others."""
    file = check.split()[0]
    return file if file in ALONE else ""


def selected(session: pytest.Session, python: Path, process: str) -> list[str]:
    """The checks that this run asks of a Blender's process."""
    chosen = []
    for item in session.items:
        values = getattr(getattr(item, "callspec", None), "params", {})
        mine = item.path.parent == HERE and values.get("blender_python") == str(python)
        skipped = any(mark.name == "skip" for mark in item.iter_markers())
        if mine and "check" in values and process_of(values["check"]) == process and not skipped:
            chosen.append(values["check"])
    return chosen


def run_checks(python: Path, chosen: list[str], environment: dict[str, str], folder: Path) -> dict[str, str]:
    """What became of each check; where Blender ends or hangs in one, another process goes on behind it."""
    told: dict[str, str] = {}
    while len(told) < len(chosen):
        place = folder / str(len(told))
        place.mkdir()
        rest = [check for check in chosen if check not in told]
        told.update(_run_process(python, rest, environment, place))
    return told


def _run_process(
    python: Path, chosen: list[str], environment: dict[str, str], folder: Path
) -> dict[str, str]:
    """Runs checks until all are done or Blender ends, at least one; the one that it ended in is blamed."""
    answers, log, wanted = folder / "answers.jsonl", folder / "log.txt", folder / "checks.txt"
    wanted.write_text("\n".join(chosen), encoding="utf-8")
    answers.touch()
    with log.open("wb") as out, wanted.open("rb") as given:
        command = [str(python), str(RUNNER), str(answers), str(folder)]
        process = subprocess.Popen(
            command, stdin=given, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        end = _wait(process, answers)
    told: dict[str, str] = {}
    for line in answers.read_text(encoding="utf-8").splitlines():
        for check, trouble in json.loads(line).items():
            told[check] = end if trouble is None else trouble
    if not told:
        told[chosen[0]] = end
    last = log.read_text(encoding="utf-8", errors="replace")
    for check, trouble in told.items():
        if trouble:
            said = last.partition(f"--- {check}\n")[2].partition("\n--- ")[0] or last
            told[check] = f"{trouble}\n--- Blender said:\n{said[-3000:]}"
    return told


def _wait(process: subprocess.Popen[bytes], answers: Path) -> str:
    """Wait for its end, or for a check that takes too long; what became of it."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if answers.stat().st_size != size:
            size, since = answers.stat().st_size, time.monotonic()
        elif time.monotonic() - since > SECONDS:
            process.kill()
            process.wait()
            return f"Blender was stopped: the check took more than {SECONDS} seconds"
    return f"Blender ended with status {process.returncode}"
