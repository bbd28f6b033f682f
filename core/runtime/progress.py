# SPDX-License-Identifier: GPL-3.0-or-later
"""What long preparations say about how far they are, to whoever listens in this context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, float], None]
"""Hears what is done, in a few words, and which share of it, [0, 1]; what it raises ends the preparation."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """``listener`` hears what is reported inside."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(what: str, share: float) -> None:
    """Say how far a preparation is; costs next to nothing where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(what, share)
