# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM's expressions and bones to THA's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings.base import Columns, Mapping, weights
from keywarp.keyframes.mappings.bones import BoneSettings, pose_from_bones, share_face
from keywarp.keyframes.spaces import tha45, vrm

_ROWS = (
    ("happy", "eyebrow_happy", 1.0),
    ("happy", "eye_happy_wink", 1.0),
    ("happy", "mouth_raised_corner", 1.0),
    ("angry", "eyebrow_angry", 1.0),
    ("angry", "eye_unimpressed", 0.3),
    ("angry", "mouth_lowered_corner", 0.5),
    ("sad", "eyebrow_troubled", 1.0),
    ("sad", "eye_relaxed", 0.3),
    ("sad", "mouth_lowered_corner", 1.0),
    ("relaxed", "eyebrow_happy", 0.5),
    ("relaxed", "eye_raised_lower_eyelid", 0.5),
    ("relaxed", "mouth_raised_corner", 0.7),
    ("surprised", "eyebrow_raised", 1.0),
    ("surprised", "eye_surprised", 1.0),
    ("surprised", "iris_small", 0.3),
    ("surprised", "mouth_ooo", 0.3),
    ("aa", "mouth_aaa", 1.0),
    ("ih", "mouth_iii", 1.0),
    ("ou", "mouth_uuu", 1.0),
    ("ee", "mouth_eee", 1.0),
    ("oh", "mouth_ooo", 1.0),
    ("blink", "eye_wink", 1.0),
    ("blinkLeft", "eye_wink_left", 1.0),
    ("blinkRight", "eye_wink_right", 1.0),
    ("lookUp", "iris_rotation_x", 1.0),
    ("lookDown", "iris_rotation_x", -1.0),
    ("lookRight", "iris_rotation_y", 1.0),
    ("lookLeft", "iris_rotation_y", -1.0),
)
_WEIGHTS = weights(vrm.SPACE, tha45.SPACE, _ROWS)


@dataclass(frozen=True)
class VrmSettings(BoneSettings):
    """What a person tunes to the model that an animation was made for."""

    happy_shuts_eyes: float = 1.0
    """How far ``happy`` closes the eyes, as it does on most models."""


def _function(poses: Poses, settings: VrmSettings) -> Poses:
    face = Columns(tha45.SPACE, poses @ _WEIGHTS)
    for side in ("left", "right"):
        face[f"eye_happy_wink_{side}"] = face[f"eye_happy_wink_{side}"] * settings.happy_shuts_eyes
    share_face(face)
    pose_from_bones(
        Columns(vrm.SPACE, poses),
        face,
        settings,
        head=("head", "neck"),
        body=("spine", "chest", "upper_chest"),
        eyes=(("eye_left",), ("eye_right",)),
    )
    return face.poses


TO_THA45 = Mapping(
    vrm.SPACE,
    tha45.SPACE,
    _function,
    cannot_carry=(
        *("neutral", "spine_pitch", "chest_pitch", "upper_chest_pitch"),
        "eyes that look in different directions",
        "expressions of a model's own",
    ),
    settings=VrmSettings(),
)
