# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and strength of a driving video: the channels of models that take their motion from one.

A curve of the frame is a performance played faster, slower, backwards or held, as anybody remaps time.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import DRIVING, one

#: More than a video may have; beyond its last frame a video stands still.
LAST_FRAME = 200_000.0

SPACE = PoseSpace(
    "driving",
    "a driving video's frame and the strength of its motion",
    (
        one(
            "driving_frame",
            DRIVING,
            "frame of the driving video, counted from 0; between frames the motion is interpolated",
            0.0,
            LAST_FRAME,
        ),
        one(
            "driving_strength",
            DRIVING,
            "0: the picture as it is, 1: the video's motion, beyond: exaggerated",
            0.0,
            2.0,
        ),
    ),
)
