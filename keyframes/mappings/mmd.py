# SPDX-License-Identifier: GPL-3.0-or-later
"""MMD's face morphs and bones to THA's parameters, most of which were named after such morphs."""

from __future__ import annotations

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings.base import Columns, Mapping, Row, weights
from keywarp.keyframes.mappings.bones import BoneSettings, pose_from_bones, share_face
from keywarp.keyframes.spaces import mmd, tha45


def _trio(morph: str, channel: str, weight: float = 1.0) -> tuple[Row, ...]:
    """The morph of both sides, and that of each, to the channels of both sides."""
    return (
        (morph, channel, weight),
        (f"{morph}_left", f"{channel}_left", weight),
        (f"{morph}_right", f"{channel}_right", weight),
    )


_ROWS = (
    *_trio("brow_serious", "eyebrow_serious"),
    *_trio("brow_troubled", "eyebrow_troubled"),
    *_trio("brow_happy", "eyebrow_happy"),
    *_trio("brow_angry", "eyebrow_angry"),
    *_trio("brow_up", "eyebrow_raised"),
    *_trio("brow_down", "eyebrow_lowered"),
    ("blink", "eye_wink", 1.0),
    ("wink", "eye_wink", 1.0),
    ("smile", "eye_happy_wink", 1.0),
    ("smile_wink", "eye_happy_wink", 1.0),
    *_trio("calm", "eye_relaxed"),
    ("squeezed", "eye_wink", 1.0),
    *_trio("surprised", "eye_surprised"),
    *_trio("unimpressed", "eye_unimpressed"),
    *_trio("sharp", "eye_raised_lower_eyelid", 0.5),
    *_trio("lower_lid_up", "eye_raised_lower_eyelid"),
    *_trio("pupil_small", "iris_small"),
    ("a", "mouth_aaa", 1.0),
    ("i", "mouth_iii", 1.0),
    ("u", "mouth_uuu", 1.0),
    ("e", "mouth_eee", 1.0),
    ("o", "mouth_ooo", 1.0),
    ("a_large", "mouth_aaa", 1.0),
    ("triangle", "mouth_delta", 1.0),
    ("wa", "mouth_aaa", 0.7),
    ("wa", "mouth_raised_corner", 1.0),
    ("lambda", "mouth_lowered_corner", 1.0),
    ("omega", "mouth_raised_corner", 0.5),
    ("omega_open", "mouth_aaa", 0.5),
    ("omega_open", "mouth_raised_corner", 0.5),
    ("square", "mouth_eee", 1.0),
    ("smirk", "mouth_smirk", 1.0),
    ("mouth_smile", "mouth_raised_corner", 1.0),
    *_trio("corner_up", "mouth_raised_corner"),
    *_trio("corner_down", "mouth_lowered_corner"),
    ("wide", "mouth_iii", 0.3),
    ("narrow", "mouth_uuu", 0.3),
)
_WEIGHTS = weights(mmd.SPACE, tha45.SPACE, _ROWS)


def _function(poses: Poses, settings: BoneSettings) -> Poses:
    face = Columns(tha45.SPACE, poses @ _WEIGHTS)
    share_face(face)
    pose_from_bones(
        Columns(mmd.SPACE, poses),
        face,
        settings,
        head=("head", "neck"),
        body=("upper_body", "upper_body_2"),
        eyes=(("eyes", "eye_left"), ("eyes", "eye_right")),
    )
    return face.poses


TO_THA45 = Mapping(
    mmd.SPACE,
    tha45.SPACE,
    _function,
    cannot_carry=(
        *("pupil_large", "star_eyes", "heart_eyes", "highlight_off", "pressed", "tongue_out"),
        *("teeth_up_off", "teeth_down_off", "blush", "pale", "tears"),
        *("upper_body_pitch", "upper_body_2_pitch"),
        "eyes that look in different directions",
        "movement of bones other than those of eyes, head, neck and upper body",
    ),
    settings=BoneSettings(),
)
