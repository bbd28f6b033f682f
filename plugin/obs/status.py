# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about a source: in its properties window, and each fault once in OBS's script log."""

from __future__ import annotations

import time
from typing import Callable

from .settings import plain

TOLD_SECONDS = 1.0
"""Between two times that the properties window is drawn anew, which takes the pen out of a person's hand."""


class Status:
    """One source's state; for its own thread to write, for any to read."""

    def __init__(self, log: Callable[[bool, str], None], changed: Callable[[], None]) -> None:
        """``log`` writes a line, after whether it is a fault; ``changed``: the window has something new to say."""
        self._log, self._changed = log, changed
        self.text = "Waiting until it is shown"
        self.failed = False
        self._shown = ("", False)
        self._shown_at = 0.0

    def say(self, text: str) -> None:
        """What is being done; a fault stands until ``runs`` says that it is over."""
        if not self.failed:
            self._set(text)

    def runs(self, text: str) -> None:
        """All is well, and this is what happens."""
        if self.failed:
            self.failed = False
            self._log(False, "it works again")
        self._set(text)

    def fail(self, sentence: str) -> None:
        """Something is wrong; it is logged when it is news."""
        sentence = plain(sentence)
        if not self.failed or sentence != self.text:
            self._log(True, sentence)
        self.failed = True
        self._set(sentence)

    def _set(self, text: str) -> None:
        self.text = plain(text)
        now = time.monotonic()
        if (self.text, self.failed) != self._shown and now >= self._shown_at + TOLD_SECONDS:
            self._shown, self._shown_at = (self.text, self.failed), now
            self._changed()
