# SPDX-License-Identifier: GPL-3.0-or-later
"""Stepping through frames only to read values: the live image need not follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class _State:
    depth = 0


@contextmanager
def frames_unseen() -> Iterator[None]:
    """Within, frames change without anything being drawn; set the scene back to its frame after it."""
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1


def unseen() -> bool:
    """Whether frames change now only for their values to be read."""
    return _State.depth > 0
