# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated characters as a source of photographs, named by a word beside the files of others."""

from __future__ import annotations

import re

from keywarp.core.studio.dataset import Character
from keywarp.core.studio.generator.assemble import annotation, generated
from keywarp.core.studio.generator.recipe import MAX_SEED
from keywarp.keyframes.errors import KeywarpError

WORD = "generated:"
"""How the word for generated characters begins; a seed follows, or the first and the last of several."""
MAX_SEEDS = 1_000_000
_DETAIL = {0.5: 320, 1.0: 640, 2.0: 1280, 4.0: 4096}
"""Detail of the paintings to the largest pictures for which that is enough."""
_SEEDS = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")


def seeds(word: str) -> range:
    """The seeds that a word names: ``generated:17`` or ``generated:0-199``; raises ``KeywarpError`` for others."""
    found = _SEEDS.fullmatch(word.removeprefix(WORD))
    first = int(found[1]) if found else -1
    last = int(found[2] or found[1]) if found else -1
    if not word.startswith(WORD) or not 0 <= first <= last <= MAX_SEED or last - first >= MAX_SEEDS:
        raise KeywarpError(
            f"{word}: generated characters are named like generated:17 or generated:0-199,"
            f" by seeds up to {MAX_SEED}, at most {MAX_SEEDS} at a time"
        )
    return range(first, last + 1)


def generated_character(seed: int, side: int) -> Character:
    """The character of a seed, painted as finely as pictures of ``side`` pixels need."""
    figure = generated(seed, next(detail for detail, limit in _DETAIL.items() if side <= limit))
    return Character(figure.name, figure, annotation(), figure.licence, figure.credit)
