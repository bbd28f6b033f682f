# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream that follows, in this process: what a source that fails does to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from keywarp.core.engine import following
from keywarp.core.engine.following import Following, FollowRequest
from keywarp.core.engine.session import failure_of
from keywarp.keyframes.live.playing import IdleSource
from keywarp.keyframes.live.shared import Sources

REQUEST = {
    "stream": 1,
    "number": 1,
    "settings": {"character": "/nowhere", "device": "cpu", "fit": "contain", "pixels": "rgba8_srgb"},
    "held": [],
    "rate": 240,
    "draw": False,
    "live": {"sources": ["idle"]},
}


def until(true: Callable[[], object], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(true())


def test_a_pose_that_fails_is_told_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often that is: no failure ends what is followed."""
    monkeypatch.setattr(following, "REST_SECONDS", 0.02)
    told: list[dict[str, Any]] = []
    failing = False
    posed = IdleSource.pose

    def pose(self: IdleSource, now: float) -> object:
        if failing:
            raise ZeroDivisionError("a face of no size")
        return posed(self, now)

    monkeypatch.setattr(IdleSource, "pose", pose)
    stream = Following(
        FollowRequest.of(REQUEST),
        client=None,  # type: ignore[arg-type]
        workers=None,  # type: ignore[arg-type]
        sources=Sources(),
        send=told.append,
        failed=failure_of,
    )
    try:
        for _ in range(2):
            assert until(lambda: [each for each in told if each.get("event") == "live"])
            assert not [each for each in told if each.get("event") == "failed"]
            failing = True
            assert until(lambda: [each for each in told if each.get("event") == "failed"])
            failure = next(each for each in told if each["event"] == "failed")
            assert "a face of no size" in failure["error"] and failure["live"]["phase"] == "failed"
            failing = False
            assert until(lambda: told[-1]["event"] == "live")
            told.clear()
    finally:
        stream.stop()
