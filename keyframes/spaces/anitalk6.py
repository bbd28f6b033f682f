# SPDX-License-Identifier: GPL-3.0-or-later
"""AniTalk-2K's six numbers, which the HFWB networks are driven by (papers/hfwb, section III-A).

The face pose (left eye, right eye, mouth) runs from 0, shut, to 1, fully open, and the picture as it is
has all three open. The head pose (top-down, left-right, yaw) runs from -1 to 1 for -20 to 20 degrees;
the paper names three rotations without their axes, taken here in the order of an MMD bone's x, y, z: the
nod, the turn, the tilt. Signs are tha45's.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import EYES, HEAD, MOUTH, aside, one, pair, updown

#: What 1 of a head channel turns, in degrees.
HEAD_DEGREES = 20.0

SPACE = PoseSpace(
    "anitalk6",
    "AniTalk-2K and HFWB: openness of eyes and mouth, three head rotations",
    (
        *pair("eye", EYES, "open; 0 shut", ("left_{}", "right_{}"), default=1.0),
        one("mouth", MOUTH, "open; 0 shut", default=1.0),
        updown("top_down_head", HEAD, "head looks up by 20 degrees"),
        aside("left_right_head", HEAD, "head turns towards the picture's left by 20 degrees"),
        aside("yaw_head", HEAD, "head tilts towards the picture's left by 20 degrees"),
    ),
)
