# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks inside real Blenders: every ``check_*`` in ``inside/<feature>/<module>.py``."""

from __future__ import annotations

import sys

import pytest

from .conftest import INSIDE, Inside, checks

SLOW = {
    "character/adding",
    "character/shipped",
    "character/trust",
    "clips/frames",
    "endurance",
    "expressions/portraits",
    "rendering/engine",
    "sequence/operators",
    "showing/live",
}
LINUX = {"endurance"}
"""What reads Linux's account of memory."""


def every_check() -> list[object]:
    """All of them, file by file: ``rendering/engine check_frames_are_keywarp_poses``."""
    found: list[object] = []
    for path in sorted(INSIDE.rglob("*.py")):
        file = path.relative_to(INSIDE).with_suffix("").as_posix()
        marks = [pytest.mark.slow] if file in SLOW else []
        if file in LINUX:
            marks.append(pytest.mark.skipif(sys.platform != "linux", reason="it reads what Linux says"))
        found += [
            pytest.param(f"{file} {name}", marks=marks, id=f"{file}:{name.removeprefix('check_')}")
            for name in checks(path)
        ]
    return found


@pytest.mark.parametrize("check", every_check())
def test_inside(inside: Inside, check: str) -> None:
    inside(check)
