# SPDX-License-Identifier: GPL-3.0-or-later
"""Reset, mirror, copy, paste and key poses, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("posing"))
def test_posing(inside: Check, check: str) -> None:
    inside("posing", check)
