# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panels, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("panels"))
def test_panels(inside: Check, check: str) -> None:
    inside("panels", check)
