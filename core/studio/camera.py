# SPDX-License-Identifier: GPL-3.0-or-later
"""The photographer's camera: placed by the neck bone, in front of the character (papers/animeceleb, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.head import THA_HEAD, HeadTarget
from keywarp.core.layered import DISTANCE
from keywarp.core.studio.figure import Floats
from keywarp.core.studio.rig import Rig
from keywarp.keyframes.errors import KeywarpError

FRAMINGS = {"head": (0.70, 0.47), "bust": (1.45, -0.10), "tha": (1.85, -0.46)}
"""By name: half the picture's side in heights of the head, and its middle above the neck, likewise. ``tha``: the
head where Talking Head Anime wants it, a quarter of the picture high, in the middle of its upper half."""
HEADS = {"head": HeadTarget(0.0, -0.15, 1.22), "bust": HeadTarget(0.0, -0.46, 0.59), "tha": THA_HEAD}
"""By the same names: where ``guess_head`` finds the head in these pictures, and so where models that have learnt
from them expect it; medians of the generated characters 1000 to 1023."""
MIN_SIDE, MAX_SIDE = 128, 4096


@dataclass(frozen=True)
class Camera:
    """Looks along +z at a square, of which it sees ``half`` to each side at the distance of the head."""

    x: float
    y: float
    z: float
    """Where the middle of the square is, in the figure's axes."""
    half: float

    @classmethod
    def of(cls, rig: Rig, positions: Floats, framing: str = "head") -> Camera:
        """For a figure at rest, (V, 3); raises ``KeywarpError`` where nothing of it moves with its head."""
        figure = rig.figure
        neck = rig.roles.get("neck", rig.roles.get("head", 0))
        head = rig.roles.get("head", neck)
        on_head = np.zeros(len(figure.bone_names), bool)
        on_head[head] = True
        for bone in rig.order:
            parent = figure.bone_parents[bone]
            on_head[bone] |= parent >= 0 and on_head[parent]
        belongs = (figure.weights * on_head[figure.influences]).sum(1) > 0.5
        if belongs.sum() < 16:
            raise KeywarpError(f"{figure.name}: nothing of it moves with its head bone")
        around = positions[belongs]
        foot = figure.bone_heads[neck]
        face = around[around[:, 1] > foot[1]]
        if not len(face):
            raise KeywarpError(f"{figure.name}: its head lies below its neck")
        size = _head_height(face, float(foot[1]))
        half_sides, middle = FRAMINGS[framing]
        return cls(
            float(foot[0]), float(foot[1] + middle * size), float(face[:, 2].mean()), half_sides * size
        )

    def seen(self, positions: Floats, side: int) -> Floats:
        """(V, 3): x and y in pixels of a picture of ``side``, pixel 0's centre at 0, y down; and the inverse of
        the distance, which is linear in the picture, in units in which the head's is 1."""
        away = (positions[:, 2] - self.z) / (self.half * DISTANCE) + 1.0
        nearness = 1.0 / np.maximum(away, 1e-3)
        scale = side / 2 / self.half
        out = np.empty_like(positions)
        out[:, 0] = (positions[:, 0] - self.x) * nearness * scale + (side - 1) / 2
        out[:, 1] = (self.y - positions[:, 1]) * nearness * scale + (side - 1) / 2
        out[:, 2] = nearness
        return out


def _head_height(around: Floats, foot: float) -> float:
    """From neck to crown, without what stands up from the head: ears, ribbons, strands of hair.

    A skull is about as deep as wide: where the head reaches higher than that allows, the rest is ornament.
    """
    top = float(np.percentile(around[:, 1], 99.0)) - foot
    wide = float(np.percentile(around[:, 0], 98) - np.percentile(around[:, 0], 2))
    return min(top, 1.55 * wide)
