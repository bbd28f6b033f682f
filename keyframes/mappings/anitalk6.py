# SPDX-License-Identifier: GPL-3.0-or-later
"""THA's parameters to AniTalk's six numbers and back."""

from __future__ import annotations

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings.base import Columns, Mapping, Scaled, ScaledChannels
from keywarp.keyframes.mappings.head import HeadSettings
from keywarp.keyframes.spaces import anitalk6, tha45

#: How far each shape opens the mouth; the widest counts.
_OPENNESS = (
    ("mouth_aaa", 1.0),
    ("mouth_ooo", 0.8),
    ("mouth_delta", 0.7),
    ("mouth_eee", 0.6),
    ("mouth_iii", 0.3),
    ("mouth_uuu", 0.3),
)
#: How far each shape closes the eye; the most closed counts.
_CLOSEDNESS = (
    ("eye_wink", 1.0),
    ("eye_happy_wink", 1.0),
    ("eye_relaxed", 1.0),
    ("eye_unimpressed", 0.5),
)
_HEAD = (
    ("head_x", "top_down_head", "head_x_degrees"),
    ("head_y", "left_right_head", "head_y_degrees"),
    ("neck_z", "yaw_head", "neck_z_degrees"),
)


def _scaled_from_tha45(settings: HeadSettings) -> ScaledChannels:
    return {
        head: Scaled(channel, getattr(settings, degrees) / anitalk6.HEAD_DEGREES)
        for channel, head, degrees in _HEAD
    }


def _scaled_to_tha45(settings: HeadSettings) -> ScaledChannels:
    head = {
        copy.source: Scaled(name, 1.0 / copy.scale) for name, copy in _scaled_from_tha45(settings).items()
    }
    eyes = {f"eye_wink_{side}": Scaled(f"{side}_eye", -1.0, 1.0) for side in ("left", "right")}
    return {**eyes, "mouth_aaa": Scaled("mouth", 1.0), **head}


def _from_tha45(poses: Poses, settings: HeadSettings) -> Poses:
    face = Columns(tha45.SPACE, poses)
    out = Columns.zeros(anitalk6.SPACE, len(poses))
    for side in ("left", "right"):
        closed = [face[f"{name}_{side}"] * weight for name, weight in _CLOSEDNESS]
        out[f"{side}_eye"] = 1.0 - np.max(closed, axis=0)
    out["mouth"] = np.max([face[name] * weight for name, weight in _OPENNESS], axis=0)
    for head, copy in _scaled_from_tha45(settings).items():
        out[head] = face[copy.source] * copy.scale
    return out.poses


def _to_tha45(poses: Poses, settings: HeadSettings) -> Poses:
    face = Columns(anitalk6.SPACE, poses)
    out = Columns.zeros(tha45.SPACE, len(poses))
    for channel, copy in _scaled_to_tha45(settings).items():
        out[channel] = face[copy.source] * copy.scale + copy.offset
    return out.poses


FROM_THA45 = Mapping(
    tha45.SPACE,
    anitalk6.SPACE,
    _from_tha45,
    cannot_carry=(
        *(name for name in tha45.SPACE.names if name.startswith("eyebrow_")),
        *(
            f"{stem}_{side}"
            for stem in ("eye_surprised", "eye_raised_lower_eyelid")
            for side in ("left", "right")
        ),
        *("iris_small_left", "iris_small_right", "iris_rotation_x", "iris_rotation_y"),
        *(f"mouth_{way}_corner_{side}" for way in ("lowered", "raised") for side in ("left", "right")),
        *("mouth_smirk", "body_y", "body_z", "breathing"),
        "the shape of a mouth or of a closed eye: only how far it is open",
    ),
    settings=HeadSettings(),
    scaled=_scaled_from_tha45,
)
TO_THA45 = Mapping(
    anitalk6.SPACE,
    tha45.SPACE,
    _to_tha45,
    cannot_carry=("turns of the head beyond tha45's range",),
    settings=HeadSettings(),
    scaled=_scaled_to_tha45,
)
