# SPDX-License-Identifier: GPL-3.0-or-later
"""The 45 pose parameters of Talking Head Anime 3 and 4: keywarp's canonical pose space.

Names and order are those of the published posers; the networks take channels 0 to 11 (eyebrows), 12 to
38 (the rest of the face) and 39 to 44 (head and body). Signs were read off the flow of a real student
between -1 and +1. All other spaces state their signs against this one.

The rest pose shows the picture as it is. The pictures that these networks were trained on have their
mouths open: that is ``mouth_aaa`` = 1, its default (as in the published posers), and 0 closes the mouth.
A character drawn with its mouth closed says so in the ``defaults`` of its character file.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import BODY, BROWS, EYES, GAZE, HEAD, MOUTH, aside, one, pair, updown

SPACE = PoseSpace(
    "tha45",
    "Talking Head Anime 3 and 4: 45 parameters of face, head and body (canonical)",
    (
        *pair("eyebrow_troubled", BROWS, "troubled: inner end up"),
        *pair("eyebrow_angry", BROWS, "angry: inner end down"),
        *pair("eyebrow_lowered", BROWS, "lowered as a whole"),
        *pair("eyebrow_raised", BROWS, "raised as a whole"),
        *pair("eyebrow_happy", BROWS, "happy: arched"),
        *pair("eyebrow_serious", BROWS, "serious: straight and level"),
        *pair("eye_wink", EYES, "closed, the lid curved downwards"),
        *pair("eye_happy_wink", EYES, "closed with a smile, the lid curved upwards"),
        *pair("eye_surprised", EYES, "wide open"),
        *pair("eye_relaxed", EYES, "upper lid lowered, at ease"),
        *pair("eye_unimpressed", EYES, "upper lid level, half shut"),
        *pair("eye_raised_lower_eyelid", EYES, "lower lid raised"),
        *pair("iris_small", GAZE, "iris shrunk"),
        one("mouth_aaa", MOUTH, "open as in 'ah'; 1 is the picture as drawn, 0 closed", default=1.0),
        one("mouth_iii", MOUTH, "wide as in 'ee'"),
        one("mouth_uuu", MOUTH, "rounded and small as in 'oo'"),
        one("mouth_eee", MOUTH, "half open as in 'eh'"),
        one("mouth_ooo", MOUTH, "rounded as in 'oh'"),
        one("mouth_delta", MOUTH, "open as a triangle"),
        *pair("mouth_lowered_corner", MOUTH, "corner pulled down"),
        *pair("mouth_raised_corner", MOUTH, "corner pulled up"),
        one("mouth_smirk", MOUTH, "smirk: closed, corners up"),
        updown("iris_rotation_x", GAZE, "eyes look up"),
        aside("iris_rotation_y", GAZE, "eyes look towards the picture's left"),
        updown("head_x", HEAD, "head looks up"),
        aside("head_y", HEAD, "head turns towards the picture's left"),
        aside("neck_z", HEAD, "head tilts towards the picture's left"),
        aside("body_y", BODY, "body turns towards the picture's left"),
        aside("body_z", BODY, "body leans towards the picture's left"),
        one("breathing", BODY, "chest filled with air"),
    ),
)
