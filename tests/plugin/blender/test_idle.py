# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion on characters, and its baking, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("idle"))
def test_idle(inside: Check, check: str) -> None:
    inside("idle", check)
