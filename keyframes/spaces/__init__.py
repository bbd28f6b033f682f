# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose spaces that keywarp knows, one table a module."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Optional

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import (
    animeceleb20,
    animeceleb20gaze,
    anitalk6,
    arkit52,
    au17,
    au17head,
    bfm70,
    driving,
    expressions7,
    mmd,
    tha45,
    vrm,
)
from keywarp.keyframes.unknown import suggestion

_MODULES = (
    tha45,
    anitalk6,
    animeceleb20,
    animeceleb20gaze,
    au17,
    au17head,
    bfm70,
    driving,
    arkit52,
    vrm,
    mmd,
    expressions7,
)

#: Every pose space by its name; ``tha45``, through which the others meet, comes first.
SPACES: Mapping[str, PoseSpace] = {module.SPACE.name: module.SPACE for module in _MODULES}


def space(name: str) -> PoseSpace:
    """The pose space called ``name``; raises ``KeywarpError`` that suggests names where there is none."""
    if name in SPACES:
        return SPACES[name]
    hint = suggestion(str(name).lower(), SPACES) or f"; there are {', '.join(SPACES)}"
    raise KeywarpError(f"there is no pose space named {name!r}{hint}")


def _folded(name: str) -> str:
    """``name`` without the differences that files make: letter case, half- and full-width forms."""
    return unicodedata.normalize("NFKC", name).casefold()


_FOLDED: Mapping[str, Mapping[str, str]] = {
    module.SPACE.name: {
        _folded(spelling): channel
        for spelling, channel in (
            *((name, name) for name in module.SPACE.names),
            *getattr(module, "ALIASES", {}).items(),
        )
    }
    for module in _MODULES
}


def channel_called(space_name: str, name: str) -> Optional[str]:
    """The channel of a space that files and trackers call ``name``, or ``None`` where it has none.

    Letter case and half- or full-width forms do not matter; ``vrm`` also answers to VRM 0.x's names and
    ``mmd`` to the Japanese ones. Raises ``KeywarpError`` where there is no such space.
    """
    return _FOLDED[space(space_name).name].get(_folded(name))
