# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding characters, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("adding"))
def test_adding(inside: Check, check: str) -> None:
    inside("adding", check)
