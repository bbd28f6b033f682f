# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about a source: in its properties window, and each fault once in OBS's script log.

OBS raises the window of its log over all others for a fault, and builds the properties window anew for news, which
takes the field away in which a person types. Both wait until nothing has been changed for a while.
"""

from __future__ import annotations

import time
from typing import Callable, Optional

from .settings import plain

TOLD_SECONDS = 1.0
"""Between two times that the properties window is built anew."""
QUIET_SECONDS = 3.0
"""After a change of the settings, in which a person may go on typing."""


class Status:
    """One source's state; for its own thread to write, for any to read."""

    def __init__(self, log: Callable[[bool, str], None], changed: Callable[[], None]) -> None:
        """``log`` writes a line, after whether it is a fault; ``changed``: the window has something new to say."""
        self._log, self._changed = log, changed
        self.text = "Waiting until it is shown"
        self.failed = False
        self._worked = False
        self._logged: Optional[str] = None
        """The fault that stands in the log."""
        self._shown = ("", False)
        self._shown_at = 0.0
        self._touched_at = float("-inf")

    def touched(self) -> None:
        """A person has changed a setting."""
        self._touched_at = time.monotonic()

    def say(self, text: str) -> None:
        """What is being done; a fault stands until ``runs`` says that it is over."""
        if not self.failed:
            self._set(text)

    def runs(self, text: str) -> None:
        """All is well, and this is what happens."""
        self.failed = False
        if self._logged is not None:
            self._logged = None
            self._log(False, "it works again" if self._worked else "it works")
        self._worked = True
        self._set(text)

    def lacks(self, sentence: str) -> None:
        """A person has still to choose something: no fault that were to be logged."""
        self.failed = True
        self._set(sentence)

    def fail(self, sentence: str) -> None:
        """Something is wrong; it is logged when it is news, and stands. To be called again while it does."""
        self.failed = True
        self._set(sentence)
        if self.text != self._logged and self._is_quiet():
            self._logged = self.text
            self._log(True, self.text)

    def _is_quiet(self) -> bool:
        return time.monotonic() >= self._touched_at + QUIET_SECONDS

    def _set(self, text: str) -> None:
        self.text = plain(text)
        now = time.monotonic()
        news = (self.text, self.failed) != self._shown
        if news and now >= self._shown_at + TOLD_SECONDS and self._is_quiet():
            self._shown, self._shown_at = (self.text, self.failed), now
            self._changed()
