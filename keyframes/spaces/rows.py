# SPDX-License-Identifier: GPL-3.0-or-later
"""Shorthand with which the tables of channels are written, a row a channel or a pair."""

from __future__ import annotations

from keywarp.keyframes.channels import Channel

BROWS = "Brows"
EYES = "Eyes"
GAZE = "Gaze"
MOUTH = "Mouth"
HEAD = "Head"
BODY = "Body"
SHAPE = "Shape"
EXPRESSION = "Expression"
DRIVING = "Driving"

#: How a space spells the character's left and its right in a channel's name.
Sides = tuple[str, str]
UNDERSCORED: Sides = ("{}_left", "{}_right")
CAMEL_CASE: Sides = ("{}Left", "{}Right")


def one(
    name: str, group: str, description: str, low: float = 0.0, high: float = 1.0, default: float = 0.0
) -> Channel:
    """A channel that has no side, and that a mirrored picture shows unchanged."""
    return Channel(name, low, high, default, group, None, description)


def aside(name: str, group: str, description: str, limit: float = 1.0) -> Channel:
    """A channel from ``-limit`` to ``limit`` that a mirrored picture shows negated: a turn, a lean."""
    return Channel(name, -limit, limit, 0.0, group, None, description, None, -1)


def updown(name: str, group: str, description: str, limit: float = 1.0) -> Channel:
    """A channel from ``-limit`` to ``limit`` that a mirrored picture shows unchanged: a nod."""
    return one(name, group, description, -limit, limit)


def pair(
    stem: str,
    group: str,
    description: str,
    sides: Sides = UNDERSCORED,
    low: float = 0.0,
    high: float = 1.0,
    default: float = 0.0,
    mirror_sign: int = 1,
) -> tuple[Channel, Channel]:
    """The two channels of a feature that the character has on its left and on its right."""
    left, right = (side.format(stem) for side in sides)
    return (
        Channel(left, low, high, default, group, "left", description, right, mirror_sign),
        Channel(right, low, high, default, group, "right", description, left, mirror_sign),
    )


def exchanged(left: str, right: str, group: str, description: str) -> tuple[Channel, Channel]:
    """Two channels without a side, from 0 to 1, of which each is the other in a mirrored picture.

    ``description`` holds ``{}`` where the picture's side is named, on which the feature then lies:
    the character's left is the picture's right.
    """
    return (
        Channel(left, 0.0, 1.0, 0.0, group, None, description.format("right"), right),
        Channel(right, 0.0, 1.0, 0.0, group, None, description.format("left"), left),
    )


def rotation(bone: str, group: str, what: str, limit: float) -> tuple[Channel, Channel, Channel]:
    """Pitch, yaw and roll of ``bone`` in degrees, each with the sign of tha45's channel.

    A rotation of the whole is yaw about the vertical axis, after pitch about the sideways axis, after
    roll about the axis through the nose (``R = Ry Rx Rz`` on column vectors).
    """
    return (
        updown(f"{bone}_pitch", group, f"{what} looks up, in degrees (sign of head_x)", limit),
        aside(
            f"{bone}_yaw",
            group,
            f"{what} turns towards the picture's left, in degrees (sign of head_y)",
            limit,
        ),
        aside(
            f"{bone}_roll",
            group,
            f"{what} tilts towards the picture's left, in degrees (sign of neck_z)",
            limit,
        ),
    )


def look(stem: str, limit: float) -> tuple[Channel, ...]:
    """Pitch and yaw of each eye in degrees, with the signs of tha45's iris_rotation_x and _y.

    In a mirrored picture the eyes change places, and what looks aside looks to the other side.
    """
    up = "eye looks up, in degrees (sign of iris_rotation_x)"
    left = "eye looks towards the picture's left, in degrees (sign of iris_rotation_y)"
    return (
        *pair(stem, GAZE, up, ("{}_left_pitch", "{}_right_pitch"), -limit, limit),
        *pair(stem, GAZE, left, ("{}_left_yaw", "{}_right_yaw"), -limit, limit, mirror_sign=-1),
    )
