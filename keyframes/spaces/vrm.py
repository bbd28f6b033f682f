# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM 1.0's preset expressions, and the rotations of the bones that move a head.

``.vrma`` animations and the VMC protocol carry both. Expressions have VRM 1.0's names, whose left and
right are the character's; bones follow in degrees with tha45's signs, one set a bone, each relative to
its parent and to the rest pose. Angles about the axes of VRM 1.0 (right-handed, x to the character's
left, y up, z out of the face) are ``-pitch``, ``-yaw`` and ``roll``; about those of Unity, in which VMC
sends (left-handed, x to the character's right), ``-pitch``, ``yaw`` and ``-roll``.
"""

from __future__ import annotations

from collections.abc import Mapping

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import (
    BODY,
    CAMEL_CASE,
    EXPRESSION,
    EYES,
    GAZE,
    HEAD,
    MOUTH,
    exchanged,
    look,
    one,
    pair,
    rotation,
)

SPACE = PoseSpace(
    "vrm",
    "VRM 1.0: preset expressions, and the bones of eyes, head, neck and spine in degrees",
    (
        one("happy", EXPRESSION, "happy"),
        one("angry", EXPRESSION, "angry"),
        one("sad", EXPRESSION, "sad"),
        one("relaxed", EXPRESSION, "relaxed"),
        one("surprised", EXPRESSION, "surprised"),
        one("aa", MOUTH, "open as in 'ah'"),
        one("ih", MOUTH, "wide as in 'ee'"),
        one("ou", MOUTH, "rounded and small as in 'oo'"),
        one("ee", MOUTH, "half open as in 'eh'"),
        one("oh", MOUTH, "rounded as in 'oh'"),
        one("blink", EYES, "both eyes closed"),
        *pair("blink", EYES, "eye closed", CAMEL_CASE),
        one("lookUp", GAZE, "eyes look up"),
        one("lookDown", GAZE, "eyes look down"),
        *exchanged("lookLeft", "lookRight", GAZE, "eyes look towards the picture's {}"),
        one("neutral", EXPRESSION, "the expression that the model calls neutral"),
        *rotation("head", HEAD, "head", 90.0),
        *rotation("neck", HEAD, "neck", 90.0),
        *rotation("spine", BODY, "lower spine", 90.0),
        *rotation("chest", BODY, "chest", 90.0),
        *rotation("upper_chest", BODY, "upper chest", 90.0),
        *look("eye", 45.0),
    ),
)

#: VRM 0.x's presets and VMC's spellings of both versions, by which files and senders may name a channel.
ALIASES: Mapping[str, str] = {
    "Joy": "happy",
    "Sorrow": "sad",
    "Fun": "relaxed",
    "A": "aa",
    "I": "ih",
    "U": "ou",
    "E": "ee",
    "O": "oh",
    "Blink_L": "blinkLeft",
    "Blink_R": "blinkRight",
}

#: HumanBodyBones (VRM, Unity) to the stem of the channels that hold the bone's rotation.
BONES: Mapping[str, str] = {
    "Head": "head",
    "Neck": "neck",
    "Spine": "spine",
    "Chest": "chest",
    "UpperChest": "upper_chest",
    "LeftEye": "eye_left",
    "RightEye": "eye_right",
}
