# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures and markers of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _shared_folder() -> Path:
    return Path(os.environ.get("KEYWARP_SHARED", REPOSITORY.parent / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what reads the reference data where there is none."""
    if _shared_folder().is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=f"no reference data at {_shared_folder()}"))


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
