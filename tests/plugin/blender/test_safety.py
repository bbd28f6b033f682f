# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers' files, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("safety"))
def test_safety(inside: Check, check: str) -> None:
    inside("safety", check)
