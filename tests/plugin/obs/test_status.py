# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source says, and how often."""

from __future__ import annotations

import pytest

from keywarp.plugin.obs import status as module
from keywarp.plugin.obs.status import TOLD_SECONDS, Status


def test_a_fault_is_logged_once_until_it_is_over() -> None:
    lines: list[tuple[bool, str]] = []
    status = Status(lambda fault, line: lines.append((fault, line)), lambda: None)
    for _ in range(3):
        status.fail("the file is\nmissing")
        status.say("Starting the engine")
    assert (status.failed, status.text) == (True, "The file is missing")
    status.runs("Running")
    status.runs("Running")
    status.fail("the file is missing")
    assert lines == [(True, "The file is missing"), (False, "it works again"), (True, "The file is missing")]


def test_the_window_is_told_of_news_but_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    status = Status(lambda fault, line: None, lambda: told.append(status.text))
    for share in range(100):
        status.say(f"Preparing ({share}%)")
        now[0] += TOLD_SECONDS / 32
    assert told == ["Preparing (0%)", "Preparing (32%)", "Preparing (64%)", "Preparing (96%)"]
