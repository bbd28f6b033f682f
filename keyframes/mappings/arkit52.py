# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's coefficients to THA's parameters, as the converter of the THA3 and THA4 demos does it.

The rules and figures are those of its "converter 25" (github.com/pkhungurn/talking-head-anime-4-demo,
``src/tha4/mocap``), of which two setters and one condition are mistaken; they are followed as they were
meant. Breathing is a matter of time, not of the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import mouth
from keywarp.keyframes.mappings.base import Columns, Mapping, Scaled, ScaledChannels, ramp
from keywarp.keyframes.mappings.head import HeadSettings
from keywarp.keyframes.spaces import arkit52, tha45

BROW_DOWN_MODES = ("troubled", "angry", "lowered", "serious")
WINK_MODES = ("normal", "relaxed")
_SIDES = (("Left", "left"), ("Right", "right"))


@dataclass(frozen=True)
class ArkitSettings(HeadSettings):
    """What a person tunes to the own face. A ramp whose end is not above its start is switched off."""

    smile_min: float = 0.4
    """Smile at which brows and lids begin to change to their happy forms."""
    smile_max: float = 0.6
    """Smile at which they have changed wholly."""
    brow_down_mode: str = "angry"
    """What a lowered brow shows: ``troubled``, ``angry``, ``lowered`` or ``serious``."""
    wink_mode: str = "normal"
    """What a closed eye shows: ``normal`` (eye_wink) or ``relaxed`` (eye_relaxed)."""
    brow_down_max: float = 0.4
    eye_surprised_max: float = 0.5
    eye_blink_max: float = 0.8
    cheek_squint_min: float = 0.1
    cheek_squint_max: float = 0.7
    eye_rotation_factor: float = 1.0 / 0.75
    jaw_open_min: float = 0.1
    jaw_open_max: float = 0.4
    mouth_frown_max: float = 0.6
    mouth_funnel_min: float = 0.25
    mouth_funnel_max: float = 0.5
    iris_small_left: float = 0.0
    iris_small_right: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, modes in (("brow_down_mode", BROW_DOWN_MODES), ("wink_mode", WINK_MODES)):
            if getattr(self, name) not in modes:
                raise KeywarpError(
                    f"the setting {name} is {getattr(self, name)!r}, not one of {', '.join(modes)}"
                )


def _function(poses: Poses, settings: ArkitSettings) -> Poses:
    face = Columns(arkit52.SPACE, poses)
    out = Columns.zeros(tha45.SPACE, len(poses))
    smile = (face["mouthSmileLeft"] + face["mouthSmileRight"]) / 2 + face["mouthShrugUpper"]
    happy = ramp(smile, settings.smile_min, settings.smile_max)
    _brows(face, out, smile, happy, settings)
    _eyes(face, out, happy, settings)
    _head(face, out, settings)
    _mouth(face, out, smile, settings)
    return out.poses


def _brows(face: Columns, out: Columns, smile: Poses, happy: Poses, settings: ArkitSettings) -> None:
    for arkit, side in _SIDES:
        raised = face["browInnerUp"] + face[f"browOuterUp{arkit}"]
        out[f"eyebrow_raised_{side}"] = np.clip(raised, 0.0, 1.0)
        lowered = (1.0 - happy) * ramp(face[f"browDown{arkit}"], 0.0, settings.brow_down_max)
        out[f"eyebrow_{settings.brow_down_mode}_{side}"] = lowered
        out[f"eyebrow_happy_{side}"] = np.clip(smile, 0.0, 1.0) * happy


def _eyes(face: Columns, out: Columns, happy: Poses, settings: ArkitSettings) -> None:
    wink = "eye_wink" if settings.wink_mode == "normal" else "eye_relaxed"
    for arkit, side in _SIDES:
        out[f"eye_surprised_{side}"] = ramp(face[f"eyeWide{arkit}"], 0.0, settings.eye_surprised_max)
        closed = ramp(face[f"eyeBlink{arkit}"], 0.0, settings.eye_blink_max)
        out[f"{wink}_{side}"] = (1.0 - happy) * closed
        out[f"eye_happy_wink_{side}"] = happy * closed
        squint = ramp(face[f"cheekSquint{arkit}"], settings.cheek_squint_min, settings.cheek_squint_max)
        out[f"eye_raised_lower_eyelid_{side}"] = squint
        out[f"iris_small_{side}"] = getattr(settings, f"iris_small_{side}")
    aside = face["eyeLookInLeft"] - face["eyeLookOutLeft"] - face["eyeLookInRight"] + face["eyeLookOutRight"]
    up = face["eyeLookUpLeft"] + face["eyeLookUpRight"] - face["eyeLookDownLeft"] - face["eyeLookDownRight"]
    out["iris_rotation_y"] = np.clip(aside / 2 * settings.eye_rotation_factor, -1.0, 1.0)
    out["iris_rotation_x"] = np.clip(up / 2 * settings.eye_rotation_factor, -1.0, 1.0)


def scaled_head(settings: ArkitSettings) -> ScaledChannels:
    """Head and body follow the tracked head; the ends of tha45's range hold them."""
    yaw = Scaled("head_yaw", 1.0 / settings.head_y_degrees)
    roll = Scaled("head_roll", 1.0 / settings.neck_z_degrees)
    pitch = Scaled("head_pitch", 1.0 / settings.head_x_degrees)
    return {"head_x": pitch, "head_y": yaw, "neck_z": roll, "body_y": yaw, "body_z": roll}


def _head(face: Columns, out: Columns, settings: ArkitSettings) -> None:
    for channel, angle in scaled_head(settings).items():
        out[channel] = face[angle.source] * angle.scale


def _mouth(face: Columns, out: Columns, smile: Poses, settings: ArkitSettings) -> None:
    openness = ramp(face["jawOpen"], settings.jaw_open_min, settings.jaw_open_max)
    is_open = openness > 0.0
    frown = ramp(face["mouthFrownLeft"] + face["mouthFrownRight"], 0.0, settings.mouth_frown_max)
    for side in ("left", "right"):
        out[f"mouth_raised_corner_{side}"] = np.clip(smile, 0.0, 1.0)
        out[f"mouth_lowered_corner_{side}"] = np.where(is_open, 0.0, frown)
    lower_down = np.clip(face["mouthLowerDownLeft"] + face["mouthLowerDownRight"], 0.0, 1.0)
    funnel, pucker = face["mouthFunnel"], face["mouthPucker"]
    points = np.stack((openness, lower_down, funnel, pucker), axis=1)
    solved = np.zeros_like(points)
    solved[is_open] = mouth.shapes(points[is_open])
    rounded = np.clip(solved[:, 2] + solved[:, 3], 0.0, 1.0)
    share_of_ooo = ramp(funnel, settings.mouth_funnel_min, settings.mouth_funnel_max)
    out["mouth_aaa"] = solved[:, 0]
    out["mouth_iii"] = solved[:, 1]
    out["mouth_uuu"] = rounded * (1.0 - share_of_ooo)
    out["mouth_ooo"] = rounded * share_of_ooo


TO_THA45 = Mapping(
    arkit52.SPACE,
    tha45.SPACE,
    _function,
    cannot_carry=(
        *("eyeSquintLeft", "eyeSquintRight", "jawForward", "jawLeft", "jawRight", "mouthClose"),
        *("mouthLeft", "mouthRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft"),
        *("mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthPressLeft"),
        *("mouthPressRight", "mouthUpperUpLeft", "mouthUpperUpRight", "cheekPuff", "noseSneerLeft"),
        *("noseSneerRight", "tongueOut"),
        "a mouth whose two corners differ",
        "eyes that look in different directions",
        "lips that move while the jaw is shut",
    ),
    settings=ArkitSettings(),
    scaled=scaled_head,
)
