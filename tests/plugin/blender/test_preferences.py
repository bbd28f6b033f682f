# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences and their buttons, in real Blender."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("preferences"))
def test_preferences(inside: Check, check: str) -> None:
    inside("preferences", check)
