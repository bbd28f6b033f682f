# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenFace writes a frame: its 17 action units, the head's rotation, and the gaze.

Angles are in degrees with the signs of tha45's head_x, head_y, neck_z and iris_rotation_x and _y.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces import au17
from keywarp.keyframes.spaces.rows import GAZE, HEAD, aside, rotation, updown

SPACE = PoseSpace(
    "au17head",
    "Facial action units with the head's rotation and the gaze in degrees",
    (
        *au17.CHANNELS,
        *rotation("head", HEAD, "head", 90.0),
        updown("gaze_pitch", GAZE, "eyes look up, in degrees", 45.0),
        aside(
            "gaze_yaw",
            GAZE,
            "eyes look towards the picture's left, in degrees (sign of iris_rotation_y)",
            45.0,
        ),
    ),
)
