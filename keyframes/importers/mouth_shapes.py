# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth cues, "from here on the mouth has this shape", as keys of tha45's mouth channels.

Each shape holds, and turns into the next with smooth keys around the cue's time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers.base import MAX_FRAMES
from keywarp.keyframes.keys import Key

Shape = Mapping[str, float]

CLOSED: Shape = {}
#: Rhubarb's shapes: the six of Hanna-Barbera's animators, G and H, and X at rest.
RHUBARB: Mapping[str, Shape] = {
    "A": CLOSED,
    "B": {"mouth_iii": 0.6},
    "C": {"mouth_eee": 0.8},
    "D": {"mouth_aaa": 1.0},
    "E": {"mouth_ooo": 0.7},
    "F": {"mouth_uuu": 1.0},
    "G": {"mouth_iii": 0.3},
    "H": {"mouth_eee": 0.5},
    "X": CLOSED,
}
#: The Preston Blair shapes, by which Papagayo and Moho name theirs, in lower case.
PRESTON_BLAIR: Mapping[str, Shape] = {
    "ai": {"mouth_aaa": 1.0},
    "e": {"mouth_eee": 0.8},
    "etc": {"mouth_iii": 0.5},
    "fv": {"mouth_iii": 0.3},
    "l": {"mouth_eee": 0.5},
    "mbp": CLOSED,
    "o": {"mouth_ooo": 1.0},
    "u": {"mouth_uuu": 1.0},
    "wq": {"mouth_uuu": 0.8},
    "rest": CLOSED,
}

#: How long a mouth takes from one shape to the next, where both last as long.
TRANSITION_SECONDS = 0.1
MAX_CUES = 200_000


class Cue(NamedTuple):
    """The shape that the mouth has from ``frame`` on."""

    frame: float
    shape: Shape


def clip_of(cues: Sequence[Cue], end: float, fps: float, source: str) -> Clip:
    """A clip of ``tha45`` from frame 0 to ``end``; before the first cue the mouth is closed.

    Raises ``KeywarpError`` for cues that are too many, too late or on frames that are not finite.
    """
    if not cues:
        raise KeywarpError("there are no mouth cues in it")
    if len(cues) > MAX_CUES:
        raise KeywarpError(f"it has {len(cues)} mouth cues, but at most {MAX_CUES} are read")
    for frame in (end, *(cue.frame for cue in cues)):
        if not 0 <= frame <= MAX_FRAMES:
            raise KeywarpError(f"a mouth cue is on frame {frame:g}, but they lie from 0 to {MAX_FRAMES}")
    return Clip("tha45", curves(cues, fps), fps, 0.0, max(end, max(c.frame for c in cues)), source=source)


def curves(cues: Sequence[Cue], fps: float) -> dict[str, Curve]:
    """Curves of the channels that the cues use; ``mouth_aaa`` always, whose rest is an open mouth.

    Cues may be in any order; of several on one frame the last holds.
    """
    ordered = list({cue.frame: cue for cue in sorted(cues, key=lambda cue: cue.frame)}.values())
    if ordered[0].frame > 0:
        ordered.insert(0, Cue(0.0, CLOSED))
    used = {"mouth_aaa", *(channel for cue in ordered for channel in cue.shape)}
    return {channel: _curve(ordered, channel, fps) for channel in sorted(used)}


def _curve(cues: Sequence[Cue], channel: str, fps: float) -> Curve:
    values = [float(cue.shape.get(channel, 0.0)) for cue in cues]
    frames = [cue.frame for cue in cues] + [math.inf]
    keys = [Key(frames[0], values[0])]
    for i in range(1, len(cues)):
        if values[i] == values[i - 1]:
            continue
        shorter = min(frames[i] - frames[i - 1], frames[i + 1] - frames[i])
        half = min(TRANSITION_SECONDS * fps, shorter) / 2
        keys += [Key(frames[i] - half, values[i - 1]), Key(frames[i] + half, values[i])]
    return Curve(keys)
