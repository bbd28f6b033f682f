# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures and markers of the whole suite."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _shared_folder() -> Path:
    return Path(os.environ.get("KEYWARP_SHARED", REPOSITORY.parent / "shared"))


FULL = os.environ.get("KEYWARP_TEST_FULL") == "1"

BRIEF = os.environ.get("KEYWARP_TEST_BRIEF") == "1"

# No deadline: continuous integration shares its cores. The same examples on every plain run, so that a
# failure there belongs to the change at hand; ``test --full`` looks at more, and at new ones. The
# environments beside the main one repeat what that one looks at longer.
hypothesis.settings.register_profile("plain", deadline=None, derandomize=True)
hypothesis.settings.register_profile("brief", deadline=None, derandomize=True, max_examples=20)
hypothesis.settings.register_profile("full", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("full" if FULL else "brief" if BRIEF else "plain")


BRIEF_STEP = 4
"""A brief run tries a test's first set of parameters and every so manyth after it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what reads the reference data where there is none, and what only a full run does."""
    if BRIEF:
        seen: Counter[str] = Counter()
        kept, left = [], []
        for item in items:
            test = item.nodeid.partition("[")[0]
            (left if seen[test] % BRIEF_STEP else kept).append(item)
            seen[test] += 1
        config.hook.pytest_deselected(items=left)
        items[:] = kept
    for item in items:
        if item.get_closest_marker("shared") and not _shared_folder().is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no reference data at {_shared_folder()}"))
        if item.get_closest_marker("full") and not FULL:
            item.add_marker(pytest.mark.skip(reason="only `test --full` runs this"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, or one shared with the runs beside this; nothing of the user's is found."""
    folder = os.environ.get("KEYWARP_TEST_CACHE") or str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_CACHE", folder)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.delenv("KEYWARP_MODELS", raising=False)
        patch.delenv("KEYWARP_ENGINE", raising=False)
        yield Path(folder)


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether every count is to be run at its full number (docs/testing.md has the table)."""
    return FULL


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; tests that use it carry the marker ``shared``."""
    return _shared_folder()


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


#: Pythons that have ``bpy``, one for each release of Blender to test against.
BLENDER_PYTHONS = [path for path in os.environ.get("KEYWARP_BLENDER_PYTHONS", "").split(os.pathsep) if path]


@pytest.fixture(scope="session", params=BLENDER_PYTHONS or [None], ids=str)
def blender_python(request: pytest.FixtureRequest) -> Path:
    """A Python that has ``bpy``; a test that takes this runs once with each."""
    if request.param is None:
        pytest.skip("KEYWARP_BLENDER_PYTHONS names no Python that has bpy")
    return Path(request.param)
