# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences rendered to files, and baked live images, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("sequence"))
def test_sequence(inside: Check, check: str) -> None:
    inside("sequence", check)
