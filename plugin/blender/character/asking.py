# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about characters, asked of the engine without holding up the interface."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Callable, Optional

import bpy

from keywarp.core.engine.client import EngineError

from .. import session

SECONDS = 120.0
_BEAT = 0.05
_KEPT = 64
_known: OrderedDict[session.Source, dict[str, Any]] = OrderedDict()


class Question:
    """What the engine knows about a character, fetched by a thread: ``answer`` or ``error`` once ``done``."""

    def __init__(self, source: session.Source) -> None:
        self.source = source
        self.answer: Optional[dict[str, Any]] = None
        self.error = ""
        self._engine = session.engine()
        self._cancelled = False
        self._thread = threading.Thread(target=self._ask, name="keywarp-question", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def cancel(self) -> None:
        self._cancelled = True

    def wait(self) -> None:
        self._thread.join()

    def _ask(self) -> None:
        try:
            self.answer = self._engine.ask(
                "info",
                SECONDS,
                cancelled=lambda: self._cancelled,
                **session.question(self.source),
            )
        except EngineError as error:
            self.error = session.in_words(str(error))
        else:
            _known[self.source] = self.answer
            while len(_known) > _KEPT:
                _known.popitem(last=False)


def known(source: session.Source) -> Optional[dict[str, Any]]:
    """The answer to an earlier question about the same character."""
    return _known.get(source)


def forget(source: session.Source) -> None:
    """Its files may have changed."""
    _known.pop(source, None)


def when_answered(source: session.Source, then: Callable[[Question], None]) -> None:
    """Call ``then`` on Blender's main thread when the answer is there; at once in the background."""
    question = Question(source)
    if bpy.app.background:
        question.wait()
        then(question)
        return

    def look() -> Optional[float]:
        if not question.done:
            return _BEAT
        then(question)
        return None

    bpy.app.timers.register(look, first_interval=_BEAT, persistent=True)
