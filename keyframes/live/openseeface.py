# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSeeFace's binary packets over UDP (github.com/emilianavt/OpenSeeFace, ``facetracker.py``).

A packet is one record of 1785 bytes for each face, little-endian. Points are counted as in the 68-point face;
66 and 67 are the pupils, 68 and 69 the eyeballs' centres, the right one first. What it measures is told
here in ARKit's coefficients, with EasyVtuber's proportions: half an open mouth is one wide open, and an eye is
shut as far as it is not open. The gaze is that of the eye that is open (OpenSeeFace's issue 63).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes import rotation
from keywarp.keyframes.live.reading import Reading, TrackerProtocol, arkit_pose
from keywarp.keyframes.live.tracked import whole_face
from keywarp.keyframes.live.vmc import UNITY
from keywarp.keyframes.spaces import arkit52

PORT = 11573
Floats = npt.NDArray[np.float64]

FEATURES = (
    *("eye_l", "eye_r"),
    *("brow_steepness_l", "brow_updown_l", "brow_quirk_l"),
    *("brow_steepness_r", "brow_updown_r", "brow_quirk_r"),
    *("corner_updown_l", "corner_inout_l", "corner_updown_r", "corner_inout_r"),
    *("mouth_open", "mouth_wide"),
)
#: A record: time, number of the face, the camera's size, how far the eyes are open, success; then ``FIELDS``.
_HEADER = struct.Struct("<di4fB")
#: What follows as 32-bit floats, with its shape.
FIELDS: Mapping[str, tuple[int, ...]] = {
    "error": (1,),
    "quaternion": (4,),
    "euler": (3,),
    "translation": (3,),
    "confidence": (68,),
    "landmarks": (68, 2),
    "points": (70, 3),
    "features": (len(FEATURES),),
}
_FLOATS = sum(math.prod(shape) for shape in FIELDS.values())
RECORD_BYTES = _HEADER.size + 4 * _FLOATS
#: The quaternion of a face that looks straight into the camera, about Unity's axes.
_STRAIGHT = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])
#: An eye that is open less than this share of the other one is shut: its gaze is a guess.
_SHUT = 0.5
#: Degrees of gaze that ARKit calls 1.
_GAZE_DEGREES = 30.0
#: Where the way from ARKit to tha45 begins to open the mouth, and what it takes to open it wholly.
_JAW_START, _JAW_SPAN = 0.1, 0.3
_WIDE_OPEN = 0.5
_BROW_DOWN = 0.4


@dataclass(frozen=True)
class Face:
    """One record. Lengths are in the tracker's model units, angles in degrees, pixels from the top left."""

    time: float
    """Seconds of the sender's clock."""
    id: int
    camera: Floats
    """(2,): the picture's width and height."""
    open: Floats
    """(2,): how far the right and the left eye are open, 0 to 1."""
    success: bool
    """Whether points, rotation and translation were found."""
    error: float
    quaternion: Floats
    """(4,): x, y, z, w, as sent."""
    euler: Floats
    """(3,), as sent."""
    translation: Floats
    """(3,), as sent."""
    confidence: Floats
    """(68,)"""
    landmarks: Floats
    """(68, 2): x and y in the picture."""
    points: Floats
    """(70, 3): x to the character's right, y up, z out of the face."""
    features: dict[str, float]
    """By ``FEATURES``: how far from the person's usual, -1 to 1."""

    @property
    def angles(self) -> Floats:
        """The head's pitch, yaw and roll in degrees, (3,), with tha45's signs."""
        x, y, z, w = self.quaternion
        turned = rotation.product(rotation.normalized([-y, -x, z, w]), rotation.inverse(_STRAIGHT))
        return rotation.angles(turned * UNITY)

    @property
    def gaze(self) -> tuple[float, float]:
        """Where the eyes look: pitch and yaw in degrees, with tha45's signs."""
        looks = (self.points[66:68] - self.points[68:70]).tolist()
        openings = [min(max(opening, 0.0), 1.0) for opening in self.open.tolist()]
        seen = [look for look, opening in zip(looks, openings) if opening >= _SHUT * max(openings)]
        pitch = sum(math.atan2(y, math.hypot(x, z)) for x, y, z in seen) / len(seen)
        yaw = sum(math.atan2(x, z) for x, _, z in seen) / len(seen)
        return math.degrees(pitch), math.degrees(yaw)

    @property
    def values(self) -> dict[str, float]:
        """The face in ARKit's coefficients."""
        feature = self.features
        opened = max(feature["mouth_open"], 0.0)
        lip = min(opened, _WIDE_OPEN)
        values = {
            "jawOpen": _JAW_START + _JAW_SPAN * min(opened / _WIDE_OPEN, 1.0) if opened else 0.0,
            "mouthPucker": max(-feature["mouth_wide"], 0.0),
        }
        for side, short, shut in (("Right", "r", 0), ("Left", "l", 1)):
            brow, corner = feature[f"brow_updown_{short}"], feature[f"corner_updown_{short}"]
            values[f"eyeBlink{side}"] = 1.0 - min(max(float(self.open[shut]), 0.0), 1.0)
            values[f"browOuterUp{side}"] = max(brow, 0.0)
            values[f"browDown{side}"] = _BROW_DOWN * max(-brow, 0.0)
            values[f"mouthSmile{side}"] = max(-corner, 0.0)  # measured downwards from the upper lip
            values[f"mouthFrown{side}"] = max(corner, 0.0)
            values[f"mouthLowerDown{side}"] = lip
        values.update(_looks(*self.gaze))
        values.update(zip(("head_pitch", "head_yaw", "head_roll"), self.angles.tolist()))
        return values


def _looks(pitch: float, yaw: float) -> dict[str, float]:
    up, left = pitch / _GAZE_DEGREES, yaw / _GAZE_DEGREES  # left in the picture: the character's right
    values = {
        "eyeLookInLeft": max(left, 0.0),
        "eyeLookOutRight": max(left, 0.0),
        "eyeLookOutLeft": max(-left, 0.0),
        "eyeLookInRight": max(-left, 0.0),
    }
    for side in ("Left", "Right"):
        values[f"eyeLookUp{side}"], values[f"eyeLookDown{side}"] = max(up, 0.0), max(-up, 0.0)
    return values


def faces(packet: bytes) -> list[Face]:
    """The faces of a packet whose numbers are finite; none where it is not made of whole records."""
    if len(packet) % RECORD_BYTES:
        return []
    found = (_face(packet, at) for at in range(0, len(packet), RECORD_BYTES))
    return [face for face in found if face is not None]


def _face(packet: bytes, at: int) -> Optional[Face]:
    time, identity, width, height, right, left, success = _HEADER.unpack_from(packet, at)
    numbers = np.frombuffer(packet, "<f4", _FLOATS, at + _HEADER.size)
    if not (all(map(math.isfinite, (time, width, height, right, left))) and np.isfinite(numbers).all()):
        return None
    exact = numbers.astype(np.float64)
    fields: dict[str, Floats] = {}
    start = 0
    for name, shape in FIELDS.items():
        end = start + math.prod(shape)
        fields[name] = exact[start:end].reshape(shape)
        start = end
    return Face(
        time=time,
        id=identity,
        camera=np.array([width, height]),
        open=np.array([right, left]),
        success=bool(success),
        error=float(fields["error"][0]),
        quaternion=fields["quaternion"],
        euler=fields["euler"],
        translation=fields["translation"],
        confidence=fields["confidence"],
        landmarks=fields["landmarks"],
        points=fields["points"] * (1.0, -1.0, -1.0),
        features=dict(zip(FEATURES, fields["features"].tolist())),
    )


class Decoder:
    """Packets to readings of the face with the lowest number, which is the one that was seen first."""

    def feed(self, packet: bytes) -> Optional[Reading]:
        """The face of one packet, ``None`` where there is none in it."""
        seen = faces(packet)
        if not seen:
            return None
        face = min(seen, key=lambda face: (not face.success, face.id))
        return Reading(face.values if face.success else {}, face.time, face.success)


PROTOCOL = TrackerProtocol(
    "openseeface",
    "OpenSeeFace",
    PORT,
    (arkit52.SPACE,),
    Decoder,
    arkit_pose,
    whole_face,
    check="that facetracker runs with this address and port (--ip, --port) and sees a face: it sends nothing else",
)
