# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines in processes of their own, and a small character for them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from keywarp.core.engine import launch
from keywarp.core.engine.client import Engine

COMMAND = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]

MakeEngine = Callable[..., Engine]


@pytest.fixture
def run() -> Iterator[Path]:
    """A run folder of the test's own, under a short path; empty again when the test ends."""
    folder = Path(tempfile.mkdtemp(prefix="kw"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_RUN", str(folder))
        yield folder
        frames = list(launch.frame_folders(folder))
        left = leftovers(folder)
    for each in (folder, *frames):
        shutil.rmtree(each, ignore_errors=True)
    assert left == []


def leftovers(folder: Path) -> list[Path]:
    """What is left of engines, after the time that one needs to end."""
    places = [folder, *launch.frame_folders(folder)]
    until = time.monotonic() + 60
    while (found := [path for place in places for path in place.iterdir()]) and time.monotonic() < until:
        time.sleep(0.05)
    return found


@pytest.fixture
def environment() -> dict[str, str | None]:
    """What an engine needs to find the sources under test."""
    return {"PYTHONPATH": os.environ.get("PYTHONPATH")}


@pytest.fixture
def make_engine(run: Path, tmp_path: Path, environment: dict[str, str | None]) -> Iterator[MakeEngine]:
    """Engines as hosts make them, closed in the end."""
    made: list[Engine] = []

    def make(command: list[str] | None = None, **settings: object) -> Engine:
        options = {"log": tmp_path / "engine.log", "environment": environment, "device": "cpu", **settings}
        made.append(Engine(COMMAND if command is None else command, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine()


def command_line_fixtures() -> ModuleType:
    """The module that draws figures and saves students for the command line's tests."""
    path = Path(__file__).parents[2] / "plugin" / "cli" / "conftest.py"
    spec = importlib.util.spec_from_file_location("command_line_fixtures", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def character(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole character; not to be changed."""
    folder = tmp_path_factory.mktemp("characters") / "figure"
    command_line_fixtures().save_student(folder)
    return folder


@pytest.fixture(scope="session")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a character that follows a driving video of four frames; not to be changed."""
    who: Path = command_line_fixtures().save_follower(tmp_path_factory.mktemp("characters") / "follower")
    return who


@pytest.fixture(scope="session")
def mirrored(tmp_path_factory: pytest.TempPathFactory, character: Path) -> Path:
    """Another character: the same model with the picture mirrored; not to be changed."""
    folder = tmp_path_factory.mktemp("characters") / "mirrored"
    shutil.copytree(character, folder)
    with Image.open(character / "character.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "character.png")
    return folder
