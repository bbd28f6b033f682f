# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OBS with keywarp's script, shared by all tests that need one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))

from obs_program import Obs, Screen, missing
from obs_studio import Artist, Studio

from install import obs_files


@pytest.fixture(scope="session")
def character(shared: Path) -> Path:
    """A real student character."""
    return shared / "reference" / "lambda_00" / "character_model.yaml"


@pytest.fixture(scope="session")
def artist(cache: Path, character: Path) -> Artist:
    return Artist(character)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A home folder for OBS, under a short path."""
    folder = Path(tempfile.mkdtemp(prefix="kw"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def engine_python(folder: Path) -> Path:
    """A Python for the engine that finds the sources under test, whatever the host removes from its environment."""
    path = os.environ.get("PYTHONPATH")
    if not path:
        return Path(sys.executable)
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return wrapper


@pytest.fixture(scope="session")
def script(home: Path) -> Path:
    """keywarp's script, installed for OBS."""
    folder = home / "installed"
    obs_files.install(folder, engine_python(home))
    return folder / obs_files.SCRIPT


@pytest.fixture(scope="session")
def screen() -> Iterator[Screen]:
    absent = missing()
    if absent:
        pytest.skip(f"{' and '.join(absent)} not installed")
    screen = Screen()
    yield screen
    screen.close()


@pytest.fixture(scope="session")
def studio(
    home: Path, script: Path, screen: Screen, cache: Path, character: Path, artist: Artist
) -> Iterator[Studio]:
    """The OBS that the tests share."""
    driver = home / "driver"
    driver.mkdir()
    shutil.copy(Path(__file__).with_name("driver.py"), driver)
    (driver / "script.txt").write_text(str(script), encoding="utf-8")
    obs = Obs(home, screen, [driver / "driver.py"], {"KEYWARP_CACHE": os.environ["KEYWARP_CACHE"]})
    studio = Studio(obs, obs.start(), character, driver)
    yield studio
    status, _ = obs.stop(studio.remote)
    assert status == 0


@pytest.fixture
def empty_studio(studio: Studio) -> Iterator[Studio]:
    """The shared OBS without sources."""
    yield studio
    studio.clear()
