# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a user's file that nothing here knows: kept for whoever wrote them, but said aloud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def unknown(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """A sentence for each of ``names``, which a file has beside the ``known`` ones: most are misspelt."""
    return [f'"{name}" is not known and has no effect{suggestion(name, known)}' for name in names]


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean ...?"`` where known names resemble ``name``, whatever its case, else nothing."""
    spelt = {one.lower(): one for one in known}
    close = [spelt[one] for one in get_close_matches(name.lower(), list(spelt), n=3, cutoff=0.5)]
    return f"; did you mean {' or '.join(close)}?" if close else ""
