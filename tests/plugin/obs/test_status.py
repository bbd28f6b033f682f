# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source says, and how often."""

from __future__ import annotations

import pytest

from keywarp.plugin.obs import status as module
from keywarp.plugin.obs.status import QUIET_SECONDS, TOLD_SECONDS, Status


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: found[0])
    return found


def test_a_fault_is_logged_once_until_it_is_over() -> None:
    lines: list[tuple[bool, str]] = []
    status = Status(lambda fault, line: lines.append((fault, line)), lambda: None)
    status.runs("Running")
    for _ in range(3):
        status.fail("the file is\nmissing")
        status.say("Starting the engine")
    assert (status.failed, status.text) == (True, "The file is missing")
    status.runs("Running")
    status.runs("Running")
    status.fail("the file is missing")
    assert lines == [(True, "The file is missing"), (False, "it works again"), (True, "The file is missing")]


def test_what_is_still_to_be_chosen_is_no_fault(now: list[float]) -> None:
    lines: list[tuple[bool, str]] = []
    status = Status(lambda fault, line: lines.append((fault, line)), lambda: None)
    status.lacks("no character is chosen")
    assert (status.failed, status.text) == (True, "No character is chosen")
    status.runs("Running")
    assert not status.failed and lines == []


def test_what_is_half_typed_is_not_logged(now: list[float]) -> None:
    lines: list[tuple[bool, str]] = []
    status = Status(lambda fault, line: lines.append((fault, line)), lambda: None)
    for length in range(1, 8):
        status.touched()
        status.fail(f"'{'192.168'[:length]}' is no address")
        now[0] += 0.5
    assert lines == []
    now[0] += QUIET_SECONDS
    status.fail("'192.168' is no address")
    assert lines == [(True, "'192.168' is no address")]
    status.runs("Running")
    assert lines[1:] == [(False, "it works")]


def test_the_window_is_told_of_news_but_not_all_the_time(now: list[float]) -> None:
    told: list[str] = []
    status = Status(lambda fault, line: None, lambda: told.append(status.text))
    for step in range(100):
        status.say(f"Step {step}")
        now[0] += TOLD_SECONDS / 32
    assert told == ["Step 0", "Step 32", "Step 64", "Step 96"]


def test_the_window_is_left_alone_while_somebody_types(now: list[float]) -> None:
    told: list[str] = []
    status = Status(lambda fault, line: None, lambda: told.append(status.text))
    for step in range(40):
        status.touched()
        status.say(f"Step {step}")
        now[0] += 0.35
    assert told == []
    now[0] += QUIET_SECONDS
    status.say("Ready")
    assert told == ["Ready"]
