# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in weights in the published layouts, and what the published networks answer with them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of layouts (``*.keys.json``) and answers (``*.reference.npz``)."""
    return REFERENCE


@pytest.fixture(scope="session")
def recipe() -> ModuleType:
    """The module that fills a layout with weights that anybody can rebuild."""
    spec = importlib.util.spec_from_file_location("reference_recipe", REFERENCE / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
