# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose spaces that keywarp knows, one table a module."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Mapping

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import arkit52, tha45

#: Every pose space by its name; ``tha45``, through which the others meet, comes first.
SPACES: Mapping[str, PoseSpace] = {module.SPACE.name: module.SPACE for module in (tha45, arkit52)}


def space(name: str) -> PoseSpace:
    """The pose space called ``name``; raises ``KeywarpError`` that suggests names where there is none."""
    if name in SPACES:
        return SPACES[name]
    close = get_close_matches(str(name).lower(), SPACES, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(SPACES)}"
    raise KeywarpError(f"there is no pose space named {name!r}; {hint}")
