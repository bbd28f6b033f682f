# SPDX-License-Identifier: GPL-3.0-or-later
"""THA's parameters to AnimeCeleb's pose vector and back, with gaze and without."""

from __future__ import annotations

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.mappings.base import Columns, Mapping, Row, Scaled, ScaledChannels, with_sides
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


def _head(settings: HeadSettings) -> tuple[Row, ...]:
    return (
        ("head_x", "pitch", -settings.head_x_degrees),
        ("head_y", "yaw", -settings.head_y_degrees),
        ("neck_z", "roll", settings.neck_z_degrees),
    )


def _scale(source: PoseSpace, target: PoseSpace, poses: Poses, scaled: ScaledChannels) -> Poses:
    face, out = Columns(source, poses), Columns.zeros(target, len(poses))
    for channel, copy in scaled.items():
        out[channel] = face[copy.source] * copy.scale
    return out.poses


def _both_ways(space: PoseSpace, fixed: tuple[Row, ...]) -> tuple[Mapping, Mapping]:
    def rows(settings: HeadSettings) -> list[Row]:
        both = (*fixed, *_head(settings))
        return [side for row in both for side in with_sides(tha45.SPACE, space, row)]

    def there(settings: HeadSettings) -> ScaledChannels:
        return {other: Scaled(channel, weight) for channel, other, weight in rows(settings)}

    def back(settings: HeadSettings) -> ScaledChannels:
        return {channel: Scaled(other, 1.0 / weight) for channel, other, weight in rows(settings)}

    carried = [channel for channel, _, _ in rows(HeadSettings())]
    return (
        Mapping(
            tha45.SPACE,
            space,
            lambda poses, settings: _scale(tha45.SPACE, space, poses, there(settings)),
            cannot_carry=tuple(name for name in tha45.SPACE.names if name not in carried),
            settings=HeadSettings(),
            scaled=there,
        ),
        Mapping(
            space,
            tha45.SPACE,
            lambda poses, settings: _scale(space, tha45.SPACE, poses, back(settings)),
            cannot_carry=("turns of the head beyond tha45's range",),
            settings=HeadSettings(),
            scaled=back,
        ),
    )


FROM_THA45, TO_THA45 = _both_ways(animeceleb20.SPACE, _ROWS)
GAZE_FROM_THA45, GAZE_TO_THA45 = _both_ways(animeceleb20gaze.SPACE, _ROWS + _GAZE)
