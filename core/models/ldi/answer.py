# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network's numbers mean: from its answer to a ``Layered``."""

from __future__ import annotations

import numpy as np

from keywarp.core.color import linear_to_srgb, srgb_to_linear
from keywarp.core.layered import (
    BODY,
    BONES,
    DEPTH,
    FIELDS,
    FIRST_SHAPE,
    HEAD,
    LEFT,
    THROAT,
    Floats,
    Layer,
    Layered,
)
from keywarp.core.models.ldi.contours import mouth_opening, refined
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture

DEPTH_UNIT, SHAPE_UNIT = 0.2, 0.05
"""Square units that the network's 1 stands for."""
BACKGROUND_DEPTH = 0.5
"""Where a background behind a character is taken to lie."""
VISIBLE = 0.7
"""Opacity from which a pixel is the figure's: of the soft edge around it the network has learnt nothing."""


def layered_of(picture: Picture, fields: Floats, joints: Floats) -> Layered:
    """``picture``: (m, m, 4), the square at any size; ``fields``: (n, n, OUTPUTS), ``joints``: (JOINTS,), as
    ``RigNet`` answers for it."""
    said = np.ascontiguousarray(fields[..., :FIELDS], np.float32)
    said[..., DEPTH] *= DEPTH_UNIT
    said[..., FIRST_SHAPE:] *= SHAPE_UNIT
    for field in (BODY, HEAD, LEFT):
        said[..., field] = _sigmoid(said[..., field])
    small = _shrunk(picture, len(said))
    seen = small[..., 3] > VISIBLE
    said = refined(said, seen, np.dstack([linear_to_srgb(small[..., :3].clip(0, 1)), small[..., 3]]))
    first = Layer(np.ascontiguousarray(picture, np.float32), seen, said)
    there = (fields[..., FIELDS + 3] > 0) & seen & mouth_opening(said, seen)
    behind = said.copy()
    behind[..., DEPTH] += np.maximum(fields[..., FIELDS + 4] * SHAPE_UNIT, THROAT)
    behind[..., FIRST_SHAPE:] = 0
    colour = np.ones((*seen.shape, 4), np.float32)
    colour[..., :3] = srgb_to_linear(
        np.clip(fields[..., FIELDS : FIELDS + 3] * 0.5 + 0.5, 0, 1).astype(np.float32)
    )
    inside = Layer(colour * there[..., None], there, behind)
    return Layered((first, inside), joints.reshape(len(BONES), 3).astype(np.float32))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)


def _shrunk(picture: Picture, n: int) -> Floats:
    if len(picture) == n:
        return np.asarray(picture, np.float32)
    return np.asarray(cv2.resize(picture, (n, n), interpolation=cv2.INTER_AREA), np.float32)
