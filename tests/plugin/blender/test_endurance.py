# SPDX-License-Identifier: GPL-3.0-or-later
"""Many repetitions, in real Blenders."""

from __future__ import annotations

import sys

import pytest

from .conftest import Check, checks


@pytest.mark.skipif(sys.platform != "linux", reason="it reads what Linux says about memory")
@pytest.mark.slow
@pytest.mark.parametrize("check", checks("endurance"))
def test_endurance(inside: Check, check: str) -> None:
    inside("endurance", check)
