# SPDX-License-Identifier: GPL-3.0-or-later
"""THA's parameters to AnimeCeleb's pose vector and back, with gaze and without."""

from __future__ import annotations

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.mappings.base import Columns, Mapping, Row, reversed_rows, weights
from keywarp.keyframes.mappings.head import HeadSettings
from keywarp.keyframes.spaces import animeceleb20, animeceleb20gaze, tha45

#: What both carry; each channel occurs once, so that the way back undoes the way there.
_ROWS: tuple[Row, ...] = (
    ("eye_wink", "eye_closed", 1.0),
    ("eye_surprised", "eye_wide", 1.0),
    ("eye_happy_wink", "eye_smile", 1.0),
    ("eyebrow_angry", "brow_angry", 1.0),
    ("eyebrow_troubled", "brow_sad", 1.0),
    ("eyebrow_raised", "brow_raised", 1.0),
    ("mouth_aaa", "mouth_a", 1.0),
    ("mouth_eee", "mouth_e", 1.0),
    ("mouth_iii", "mouth_i", 1.0),
    ("mouth_ooo", "mouth_o", 1.0),
    ("mouth_uuu", "mouth_u", 1.0),
)
_GAZE: tuple[Row, ...] = (
    ("iris_rotation_x", "gaze_vertical", 1.0),
    ("iris_rotation_y", "gaze_horizontal", 1.0),
)
#: THA's channel, AnimeCeleb's angle, its sign against it, and the setting with the degrees.
_HEAD = (
    ("head_x", "pitch", -1.0, "head_x_degrees"),
    ("head_y", "yaw", -1.0, "head_y_degrees"),
    ("neck_z", "roll", 1.0, "neck_z_degrees"),
)


def _both_ways(space: PoseSpace, rows: tuple[Row, ...]) -> tuple[Mapping, Mapping]:
    there = weights(tha45.SPACE, space, rows)
    back = weights(space, tha45.SPACE, reversed_rows(rows))

    def from_tha45(poses: Poses, settings: HeadSettings) -> Poses:
        face, out = Columns(tha45.SPACE, poses), Columns(space, poses @ there)
        for channel, angle, sign, degrees in _HEAD:
            out[angle] = face[channel] * (sign * getattr(settings, degrees))
        return out.poses

    def to_tha45(poses: Poses, settings: HeadSettings) -> Poses:
        face, out = Columns(space, poses), Columns(tha45.SPACE, poses @ back)
        for channel, angle, sign, degrees in _HEAD:
            out[channel] = face[angle] * (sign / getattr(settings, degrees))
        return out.poses

    head = [channel for channel, *_ in _HEAD]
    lost = tuple(
        channel
        for channel, carried in zip(tha45.SPACE.names, there.any(axis=1))
        if not carried and channel not in head
    )
    beyond = ("turns of the head beyond tha45's range",)
    return (
        Mapping(tha45.SPACE, space, from_tha45, cannot_carry=lost, settings=HeadSettings()),
        Mapping(space, tha45.SPACE, to_tha45, cannot_carry=beyond, settings=HeadSettings()),
    )


FROM_THA45, TO_THA45 = _both_ways(animeceleb20.SPACE, _ROWS)
GAZE_FROM_THA45, GAZE_TO_THA45 = _both_ways(animeceleb20gaze.SPACE, _ROWS + _GAZE)
