# SPDX-License-Identifier: GPL-3.0-or-later
"""Action units to THA's parameters, by way of the ARKit coefficients that describe the same movement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.mappings.arkit52 import TO_THA45 as ARKIT_TO_THA45
from keywarp.keyframes.mappings.arkit52 import ArkitSettings, scaled_head
from keywarp.keyframes.mappings.base import Columns, Mapping, ScaledChannels
from keywarp.keyframes.spaces import arkit52, au17, au17head, tha45

#: ARKit coefficients that stand for a unit, of those that the mapping to THA reads.
_UNITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AU01", ("browInnerUp",)),
    ("AU02", ("browOuterUpLeft", "browOuterUpRight")),
    ("AU04", ("browDownLeft", "browDownRight")),
    ("AU05", ("eyeWideLeft", "eyeWideRight")),
    ("AU06", ("cheekSquintLeft", "cheekSquintRight")),
    ("AU12", ("mouthSmileLeft", "mouthSmileRight")),
    ("AU15", ("mouthFrownLeft", "mouthFrownRight")),
    ("AU25", ("mouthLowerDownLeft", "mouthLowerDownRight")),
    ("AU26", ("jawOpen",)),
    ("AU45", ("eyeBlinkLeft", "eyeBlinkRight")),
)
_HEAD = ("head_pitch", "head_yaw", "head_roll")


@dataclass(frozen=True)
class ActionUnitSettings(ArkitSettings):
    """ARKit's settings, and at which intensity a unit counts as ARKit's 1."""

    full_intensity: float = 5.0
    blink_intensity: float = 3.0
    """The same for AU45: OpenFace seldom gives a shut eye more than 3."""
    gaze_degrees: float = 30.0
    """The turn of the eyes that counts as ARKit's 1."""


def _arkit_poses(space: PoseSpace, poses: Poses, settings: ActionUnitSettings) -> Poses:
    units = Columns(space, poses)
    face = Columns.zeros(arkit52.SPACE, len(poses))
    for unit, coefficients in _UNITS:
        full = settings.blink_intensity if unit == "AU45" else settings.full_intensity
        # Both sides of the lower lip are summed on the way to THA: a unit is worth half on each.
        worth = 0.5 if unit == "AU25" else 1.0
        for name in coefficients:
            face[name] = worth * np.clip(units[unit] / full, 0.0, 1.0) if full > 0 else 0.0
    if space is au17head.SPACE:
        for name in _HEAD:
            face[name] = units[name]
        _gaze(units["gaze_pitch"] / settings.gaze_degrees, units["gaze_yaw"] / settings.gaze_degrees, face)
    return face.poses


def _gaze(up: Poses, aside: Poses, face: Columns) -> None:
    """``aside`` is towards the picture's left: the character's left eye then looks in, its right out."""
    for side, inwards in (("Left", aside), ("Right", -aside)):
        face[f"eyeLookUp{side}"] = np.clip(up, 0.0, 1.0)
        face[f"eyeLookDown{side}"] = np.clip(-up, 0.0, 1.0)
        face[f"eyeLookIn{side}"] = np.clip(inwards, 0.0, 1.0)
        face[f"eyeLookOut{side}"] = np.clip(-inwards, 0.0, 1.0)


def _nothing_scaled(settings: ActionUnitSettings) -> ScaledChannels:
    return {}


def _mapping(space: PoseSpace) -> Mapping:
    def function(poses: Poses, settings: ActionUnitSettings) -> Poses:
        return ARKIT_TO_THA45.function(_arkit_poses(space, poses, settings), settings)

    return Mapping(
        space,
        tha45.SPACE,
        function,
        cannot_carry=(
            "AU07",
            "AU09",
            "AU10",
            "AU14",
            "AU17",
            "AU20",
            "AU23",
            "lips that part while the jaw is shut",
        ),
        settings=ActionUnitSettings(),
        scaled=scaled_head if space is au17head.SPACE else _nothing_scaled,
    )


#: What of THA's face a unit is, and how much of it at 1; the strongest counts.
_FROM_FACE: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = (
    ("AU01", (("eyebrow_raised", 1.0), ("eyebrow_troubled", 1.0))),
    ("AU02", (("eyebrow_raised", 1.0),)),
    ("AU04", (("eyebrow_angry", 1.0), ("eyebrow_lowered", 1.0), ("eyebrow_serious", 0.5))),
    ("AU05", (("eye_surprised", 1.0),)),
    ("AU06", (("eye_raised_lower_eyelid", 1.0), ("eye_happy_wink", 1.0))),
    ("AU07", (("eye_unimpressed", 0.6), ("eye_relaxed", 0.4))),
    ("AU12", (("mouth_raised_corner", 1.0),)),
    ("AU15", (("mouth_lowered_corner", 1.0),)),
    ("AU20", (("mouth_iii", 0.6),)),
    ("AU25", tuple((f"mouth_{vowel}", 1.0) for vowel in ("aaa", "iii", "eee", "ooo", "delta"))),
    ("AU26", (("mouth_aaa", 1.0), ("mouth_delta", 0.7), ("mouth_ooo", 0.6), ("mouth_eee", 0.4))),
    ("AU45", (("eye_wink", 1.0), ("eye_happy_wink", 1.0))),
)


def _from_tha45(poses: Poses, settings: ActionUnitSettings) -> Poses:
    face, units = Columns(tha45.SPACE, poses), Columns.zeros(au17.SPACE, len(poses))
    for unit, sources in _FROM_FACE:
        full = settings.blink_intensity if unit == "AU45" else settings.full_intensity
        sides = [_both_sides(face, name) * weight for name, weight in sources]
        units[unit] = full * np.max(sides, axis=0)
    return units.poses


def _both_sides(face: Columns, name: str) -> Poses:
    """A channel, or the mean of the character's left and right: units have no side."""
    if name in tha45.SPACE:
        return face[name]
    return (face[f"{name}_left"] + face[f"{name}_right"]) / 2


FROM_THA45 = Mapping(
    tha45.SPACE,
    au17.SPACE,
    _from_tha45,
    cannot_carry=(
        *(name for name in tha45.SPACE.names if name.startswith(("head_", "neck_", "body_", "iris_"))),
        *("breathing", "mouth_smirk", "mouth_uuu", "eyebrow_happy_left", "eyebrow_happy_right"),
        "what only one side of the face does: units have no side",
    ),
    settings=ActionUnitSettings(),
)
TO_THA45 = _mapping(au17.SPACE)
WITH_HEAD_TO_THA45 = _mapping(au17head.SPACE)
