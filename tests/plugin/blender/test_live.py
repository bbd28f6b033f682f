# SPDX-License-Identifier: GPL-3.0-or-later
"""Live images, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("live"))
def test_live(inside: Check, check: str) -> None:
    inside("live", check)
