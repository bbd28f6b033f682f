# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as quaternions, and as the pitch, yaw and roll of the pose spaces.

A quaternion is (x, y, z, w), of length 1. The axes are MikuMikuDance's: x to the character's left, y up,
z out of its back, left-handed; there the three angles have tha45's signs. A frame whose z points out of the
face instead (glTF, VRM 1.0, ARKit: right-handed) is the same one mirrored: ``MIRROR_Z`` times its
quaternions belong here. The whole rotation is ``Ry(yaw) Rx(pitch) Rz(roll)`` on column vectors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Takes quaternions of a frame whose z axis points the other way into the frame of this module.
MIRROR_Z: Array = np.array([-1.0, -1.0, 1.0, 1.0])
IDENTITY: Array = np.array([0.0, 0.0, 0.0, 1.0])

#: Within this of looking straight up or down, yaw and roll are one angle: all of it counts as yaw.
_STRAIGHT = 1.0 - 1e-12
#: Below this angle, in radians, an arc is a straight line to float64's precision.
_SHORT_ARC = 1e-7


def normalized(quaternions: npt.ArrayLike) -> Array:
    """Quaternions of length 1, (..., 4); one of no length means no rotation."""
    q = np.asarray(quaternions, np.float64)
    largest = np.abs(q).max(axis=-1, keepdims=True, initial=0.0)
    some = largest > 0
    scaled = q / np.where(some, largest, 1.0)  # so that no square overflows or vanishes
    length = np.linalg.norm(scaled, axis=-1, keepdims=True)
    return np.asarray(np.where(some, scaled / np.where(some, length, 1.0), IDENTITY))


def product(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """The rotation ``second`` and after it ``first``, (..., 4): a parent's times its child's."""
    x1, y1, z1, w1 = np.moveaxis(np.asarray(first, np.float64), -1, 0)
    x2, y2, z2, w2 = np.moveaxis(np.asarray(second, np.float64), -1, 0)
    return np.stack(
        (
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        ),
        axis=-1,
    )


def inverse(quaternions: npt.ArrayLike) -> Array:
    """The rotations back, (..., 4)."""
    return np.asarray(np.asarray(quaternions, np.float64) * np.array([-1.0, -1.0, -1.0, 1.0]))


def slerp(first: npt.ArrayLike, second: npt.ArrayLike, share: npt.ArrayLike) -> Array:
    """``share`` of the shorter way from ``first`` to ``second``, all broadcast: (..., 4) and (...)."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    t = np.asarray(share, np.float64)[..., None]
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    short = angle < _SHORT_ARC
    divisor = np.where(short, 1.0, np.sin(angle))
    weight_a = np.where(short, 1.0 - t, np.sin((1.0 - t) * angle) / divisor)
    weight_b = np.where(short, t, np.sin(t * angle) / divisor)
    return normalized(a * weight_a + b * weight_b)


def angles(quaternions: npt.ArrayLike) -> Array:
    """Pitch, yaw and roll in degrees, (..., 3): pitch within +-90, the others within +-180."""
    x, y, z, w = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    sine = np.clip(2 * (w * x - y * z), -1.0, 1.0)
    straight = np.abs(sine) > _STRAIGHT
    yaw = np.where(
        straight,
        2 * np.arctan2(y, w),
        np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y)),
    )
    roll = np.where(straight, 0.0, np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z)))
    yaw = (yaw + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(np.degrees(np.stack((np.arcsin(sine), yaw, roll), axis=-1)))


def unwrapped(degrees: npt.ArrayLike) -> Array:
    """Angles over time, (N, 3), without jumps of whole turns from one row to the next."""
    return np.asarray(np.unwrap(np.asarray(degrees, np.float64), axis=0, period=360.0))
