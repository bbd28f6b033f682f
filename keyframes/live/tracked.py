# SPDX-License-Identifier: GPL-3.0-or-later
"""Which channels of tha45 a tracked face speaks of."""

from __future__ import annotations

from keywarp.keyframes.live.reading import Values
from keywarp.keyframes.live.source import SPACE

#: All but breathing, which no tracker sees.
WHOLE_FACE = frozenset(SPACE.names) - {"breathing"}


def whole_face(values: Values) -> frozenset[str]:
    """A tracker whose every packet has the face and the head."""
    return WHOLE_FACE
