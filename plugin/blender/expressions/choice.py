# SPDX-License-Identifier: GPL-3.0-or-later
"""Which channels of a pose are kept, as an expression or as an asset."""

from __future__ import annotations

import bpy

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import FACE, channels_of
from keywarp.keyframes.spaces.tha45 import SPACE

from ..character.properties import pose_of, rest_of

CHANNEL_CHOICES = (
    ("FACE", "Face", "Brows, eyes, gaze and mouth; the expression then takes the place of any other"),
    ("MOVED", "Moved", "Only the channels that are not at rest; the expression then leaves all others"),
    ("ALL", "All", "Every channel, head and body too"),
)


def chosen_values(thing: bpy.types.Object, choice: str) -> dict[str, float]:
    """The values of a character's pose that are to be kept; raises ``KeywarpError`` where there are none."""
    pose, rest = pose_of(thing), rest_of(thing)
    names = {"FACE": channels_of(FACE), "ALL": SPACE.names}.get(choice)
    if names is None:
        names = tuple(name for name in SPACE.names if abs(pose[name] - rest[name]) > 1e-6)
    if not names:
        raise KeywarpError("no channel has been moved from its rest, so there is nothing to keep")
    return {name: pose[name] for name in names}
