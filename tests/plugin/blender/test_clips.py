# SPDX-License-Identifier: GPL-3.0-or-later
"""Import Motion and Export Clip, in real Blenders."""

from __future__ import annotations

import pytest

from .conftest import Check, checks


@pytest.mark.parametrize("check", checks("clips"))
def test_clips(inside: Check, check: str) -> None:
    inside("clips", check)


@pytest.mark.slow
@pytest.mark.parametrize("check", checks("clip_frames"))
def test_frames_of_clips(inside: Check, check: str) -> None:
    inside("clip_frames", check)
