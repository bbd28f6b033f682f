# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the render engine, in real Blender."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("placing"))
def test_placing(inside: Check, check: str) -> None:
    inside("placing", check)
