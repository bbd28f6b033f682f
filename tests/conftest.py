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
