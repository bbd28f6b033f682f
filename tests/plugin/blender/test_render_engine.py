# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine Keywarp, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("render_engine"))
def test_render_engine(inside: Check, check: str) -> None:
    inside("render_engine", check)
