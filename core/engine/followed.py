# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream follows by itself, as its host sees it. Standard library only, Python 3.9: hosts load this file."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class LiveReport:
    """How what is followed does."""

    phase: str
    """``off``, ``waiting`` (nothing has come yet), ``live``, ``lost`` (it has ceased) or ``failed``."""
    message: str
    """One line for a person: what is listened to, what is wrong, what to check."""
    values: Mapping[str, float]
    """By channel of tha45: the pose."""
    time: float
    """Of the pose, on the engine's clock, in seconds."""
    channels: tuple[str, ...] = ()
    """Of which the sources speak; the others stand at rest."""


class Followed:
    """Settings that outlive engines, and the newest report."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self.news = 0
        """How many frames and reports have come."""
        self.report: Optional[LiveReport] = None
        self._settings: Optional[dict[str, Any]] = None
        self._rate = 60.0
        self._draw = True
        self._neutral: dict[str, Any] = {}
        self._channels: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        return self._settings is not None

    @property
    def neutral(self) -> dict[str, Any]:
        """The neutral faces of calibrations so far."""
        return dict(self._neutral)

    def change(self, live: Optional[Mapping[str, Any]], rate: float, draw: bool = True) -> None:
        """Follow this from now on, ``None``: nothing; ``draw``: whether frames are wanted, or reports alone."""
        settings = None if live is None else copy.deepcopy(dict(live))
        given = (settings or {}).get("neutral")
        if isinstance(given, dict):
            self._neutral.update(given)
        self._settings, self._rate, self._draw = settings, float(rate), bool(draw)
        if settings is None:
            self._take(LiveReport("off", "nothing is followed", {}, 0.0))

    def message(self) -> dict[str, Any]:
        """What the engine is told, with the neutral faces of earlier calibrations."""
        settings = self._settings
        if settings is None:
            return {"live": None}
        neutral = {**self._neutral, **(settings.get("neutral") or {})}
        live = {**settings, "neutral": neutral} if neutral else settings
        return {"live": live, "rate": self._rate, "draw": self._draw}

    def wait(self, news: int, timeout: float) -> None:
        """Until more has come than ``news``, at most ``timeout`` seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.news != news, timeout)

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take the report of an event, and wake those who wait for it."""
        live = event.get("live")
        if "error" in event and live is None:
            self.failed(str(event["error"]))
        elif live is None:
            self._take(self.report)
        elif self.active:
            self._neutral.update(live.get("neutral", {}))
            self._channels = tuple(live.get("channels", self._channels))
            report = (live["phase"], live["message"], live["values"], live["time"], self._channels)
            self._take(LiveReport(*report))

    def failed(self, sentence: str) -> None:
        """Nothing is followed at present, and why."""
        if self.active:
            self._take(LiveReport("failed", sentence, {}, 0.0))

    def _take(self, report: Optional[LiveReport]) -> None:
        with self._arrived:
            self.report = report
            self.news += 1
            self._arrived.notify_all()
