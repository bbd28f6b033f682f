# SPDX-License-Identifier: GPL-3.0-or-later
"""The 3D morphable model's pose: 64 expression coefficients, rotation in radians, translation.

Papers/animeceleb, section 3.1, after Deep3DFaceReconstruction: x to the picture's right, y up, z towards
the viewer, right-handed; the angles are pitch, yaw, roll, so that + looks down, turns towards the
picture's right and tilts towards the picture's left. Against tha45's head_x, head_y and neck_z: -, -, +.
Expression coefficients are weights of principal components, which have no mirror image among
themselves: mirroring a pose leaves them as they are.
"""

from __future__ import annotations

import math

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import EXPRESSION, HEAD, aside, updown

#: Wide enough for every expression of the published mapping at once: no component then exceeds 26.
_COEFFICIENT = 50.0
_HALF_TURN = math.pi / 2

SPACE = PoseSpace(
    "bfm70",
    "3D morphable model: 64 expression coefficients, 3 rotations, 3 translations",
    (
        *(
            updown(f"expression_{i:02d}", EXPRESSION, f"weight of expression component {i}", _COEFFICIENT)
            for i in range(64)
        ),
        updown("pitch", HEAD, "head looks down, in radians (against head_x)", _HALF_TURN),
        aside("yaw", HEAD, "head turns towards the picture's right, in radians (against head_y)", _HALF_TURN),
        aside("roll", HEAD, "head tilts towards the picture's left, in radians (sign of neck_z)", _HALF_TURN),
        aside("translation_x", HEAD, "head moves towards the picture's right, in the model's units", 10.0),
        updown("translation_y", HEAD, "head moves up, in the model's units", 10.0),
        updown("translation_z", HEAD, "head moves towards the viewer, in the model's units", 10.0),
    ),
)
