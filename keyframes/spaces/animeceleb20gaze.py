# SPDX-License-Identifier: GPL-3.0-or-later
"""AnimeCeleb's pose vector with two channels more, for where the eyes look."""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces import animeceleb20
from keywarp.keyframes.spaces.rows import GAZE, aside, updown

SPACE = PoseSpace(
    "animeceleb20gaze",
    "AnimeCeleb with gaze: its 20 numbers and two for the eyes' direction",
    (
        *animeceleb20.CHANNELS,
        updown("gaze_vertical", GAZE, "eyes look up (sign of iris_rotation_x)"),
        aside("gaze_horizontal", GAZE, "eyes look towards the picture's left (sign of iris_rotation_y)"),
    ),
)
