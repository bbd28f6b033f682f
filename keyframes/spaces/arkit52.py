# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's 52 blend shapes in Apple's spelling and grouping, and after them the head's rotation.

Phone trackers and MediaPipe send these coefficients, 0 to 1, with the head's angles. The angles here
have tha45's signs. ARKit's own frame (x to the character's left, y up, z out of the face, right-handed;
iFacialMocap's ``=head#rx,ry,rz`` in degrees) relates to them by ``head_pitch = -rx``,
``head_yaw = -ry``, ``head_roll = rz``. Left and right are the character's own, as everywhere.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import (
    BROWS,
    CAMEL_CASE,
    EYES,
    GAZE,
    HEAD,
    MOUTH,
    exchanged,
    one,
    pair,
    rotation,
)

SPACE = PoseSpace(
    "arkit52",
    "ARKit's 52 face coefficients, with the head's rotation in degrees",
    (
        *pair("eyeBlink", EYES, "lids closed", CAMEL_CASE),
        *pair("eyeLookDown", GAZE, "eye looks down", CAMEL_CASE),
        *pair("eyeLookIn", GAZE, "eye looks towards the nose", CAMEL_CASE),
        *pair("eyeLookOut", GAZE, "eye looks away from the nose", CAMEL_CASE),
        *pair("eyeLookUp", GAZE, "eye looks up", CAMEL_CASE),
        *pair("eyeSquint", EYES, "eye narrowed", CAMEL_CASE),
        *pair("eyeWide", EYES, "eye wide open", CAMEL_CASE),
        one("jawForward", MOUTH, "jaw pushed forward"),
        *exchanged("jawLeft", "jawRight", MOUTH, "jaw moved towards the picture's {}"),
        one("jawOpen", MOUTH, "jaw open"),
        one("mouthClose", MOUTH, "lips closed over an open jaw"),
        one("mouthFunnel", MOUTH, "lips form an open funnel"),
        one("mouthPucker", MOUTH, "lips pushed together and out"),
        *exchanged("mouthLeft", "mouthRight", MOUTH, "mouth moved towards the picture's {}"),
        *pair("mouthSmile", MOUTH, "corner up", CAMEL_CASE),
        *pair("mouthFrown", MOUTH, "corner down", CAMEL_CASE),
        *pair("mouthDimple", MOUTH, "corner drawn back", CAMEL_CASE),
        *pair("mouthStretch", MOUTH, "corner drawn aside", CAMEL_CASE),
        one("mouthRollLower", MOUTH, "lower lip rolled inwards"),
        one("mouthRollUpper", MOUTH, "upper lip rolled inwards"),
        one("mouthShrugLower", MOUTH, "lower lip pushed up and out"),
        one("mouthShrugUpper", MOUTH, "upper lip pushed up and out"),
        *pair("mouthPress", MOUTH, "lips pressed together", CAMEL_CASE),
        *pair("mouthLowerDown", MOUTH, "lower lip down", CAMEL_CASE),
        *pair("mouthUpperUp", MOUTH, "upper lip up", CAMEL_CASE),
        *pair("browDown", BROWS, "brow lowered, its outer part too", CAMEL_CASE),
        one("browInnerUp", BROWS, "inner ends of both brows up"),
        *pair("browOuterUp", BROWS, "outer end of the brow up", CAMEL_CASE),
        one("cheekPuff", MOUTH, "both cheeks puffed out"),
        *pair("cheekSquint", EYES, "cheek raised below the eye", CAMEL_CASE),
        *pair("noseSneer", MOUTH, "nostril raised", CAMEL_CASE),
        one("tongueOut", MOUTH, "tongue out"),
        *rotation("head", HEAD, "head", 90.0),
    ),
)
