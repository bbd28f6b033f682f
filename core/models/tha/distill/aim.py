# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the camera stands to photograph a 3D character for a student: as Talking Head Anime wants a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.studio.actor import Actor
from keywarp.core.studio.dataset import Character
from keywarp.keyframes.errors import KeywarpError

FRAMING = "tha"
_FACE_ROW = layout.FACE_TOP + layout.FACE_SIDE / 2
_ROOM = 0.84
"""Share of the student's face square that the moving parts of the face may fill at rest: they move, and lids and lips
reach beyond their outlines."""


def aimed(character: Character) -> Actor:
    """The character before a camera that has the middle of the face's moving parts in the middle of the student's
    face square, far enough away for them to fit. Raises ``KeywarpError`` where it has no face that moves."""
    actor = Actor(character.figure, character.annotation, FRAMING)
    moving = actor.figure.triangles[actor.regions()["face"]]
    if not len(moving):
        raise KeywarpError(
            f"{character.identity}: nothing of its face moves; its morphs have to be matched to channels first"
        )
    places = actor.placed()[0][np.unique(moving), :2]
    low, high = places.min(0), places.max(0)
    camera, side = actor.camera, layout.SIDE
    fitting = float((high - low).max()) / 2 * side / layout.FACE_SIDE / _ROOM
    half = max(camera.half, fitting)
    up = (side / 2 - _FACE_ROW) * 2 * half / side
    middle = (low + high) / 2
    actor.camera = replace(camera, x=float(middle[0]), y=float(middle[1] - up), half=half)
    return actor
