# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mappings from 3D characters have in common: rotations of bones, and shapes that compete."""

from __future__ import annotations

from dataclasses import dataclass

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings.base import Columns, share
from keywarp.keyframes.mappings.head import HeadSettings

_VOWELS = ("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo", "mouth_delta")
_CLOSED_EYE = ("eye_wink_{}", "eye_happy_wink_{}", "eye_relaxed_{}")


@dataclass(frozen=True)
class BoneSettings(HeadSettings):
    """How many degrees of a bone are tha45's 1."""

    body_y_degrees: float = 10.0
    body_z_degrees: float = 15.0
    eye_degrees: float = 15.0


def share_face(face: Columns) -> None:
    """Let the shapes of one mouth, and the ways to close one eye, come to 1 at most, within [0, 1] each."""
    face.poses[...] = face.space.clamp(face.poses)
    share(face, _VOWELS)
    for side in ("left", "right"):
        share(face, [name.format(side) for name in _CLOSED_EYE])


def pose_from_bones(
    bones: Columns,
    face: Columns,
    settings: BoneSettings,
    *,
    head: tuple[str, ...],
    body: tuple[str, ...],
    eyes: tuple[tuple[str, ...], tuple[str, ...]],
) -> None:
    """Write head, body and gaze of ``face`` (tha45) from chains of bones, given by their stems.

    The angles of a chain are summed: exact about one axis, and within two degrees for a head that nods
    and turns by ten degrees in each of two bones. The gaze is added to what ``face`` has; the eyes' mean.
    """

    face["head_x"] = _chain(bones, head, "pitch") / settings.head_x_degrees
    face["head_y"] = _chain(bones, head, "yaw") / settings.head_y_degrees
    face["neck_z"] = _chain(bones, head, "roll") / settings.neck_z_degrees
    face["body_y"] = _chain(bones, body, "yaw") / settings.body_y_degrees
    face["body_z"] = _chain(bones, body, "roll") / settings.body_z_degrees
    for channel, angle in (("iris_rotation_x", "pitch"), ("iris_rotation_y", "yaw")):
        both = _chain(bones, eyes[0], angle) + _chain(bones, eyes[1], angle)
        face[channel] = face[channel] + both / 2 / settings.eye_degrees


def _chain(bones: Columns, stems: tuple[str, ...], angle: str) -> Poses:
    return bones.total(f"{stem}_{angle}" for stem in stems)
