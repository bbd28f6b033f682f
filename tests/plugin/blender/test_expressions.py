# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions and the pose library, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("expressions"))
def test_expressions(inside: Check, check: str) -> None:
    inside("expressions", check)


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("portraits"))
def test_portraits(inside: Check, check: str) -> None:
    inside("portraits", check)
