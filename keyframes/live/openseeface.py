# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSeeFace's binary packets over UDP (github.com/emilianavt/OpenSeeFace, ``facetracker.py``).

A packet is one record of 1785 bytes for each face, little-endian. Points are counted as in the 68-point face;
66 and 67 are the pupils, 68 and 69 the eyeballs' centres, the right one first. What it measures is told
here in ARKit's coefficients, with EasyVtuber's proportions: half an open mouth is one wide open, and an eye is
shut as far as it is not open. The gaze is that of the eye that is open (OpenSeeFace's issue 63).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

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
RECORD = np.dtype(
    [
        ("time", "<f8"),
        ("id", "<i4"),
        ("camera", "<f4", 2),
        ("open", "<f4", 2),
        ("success", "u1"),
        ("error", "<f4"),
        ("quaternion", "<f4", 4),
        ("euler", "<f4", 3),
        ("translation", "<f4", 3),
        ("confidence", "<f4", 68),
        ("landmarks", "<f4", (68, 2)),
        ("points", "<f4", (70, 3)),
        ("features", "<f4", len(FEATURES)),
    ]
)
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
    def gaze(self) -> Floats:
        """Where the eyes look: pitch and yaw in degrees, (2,), with tha45's signs."""
        looks = self.points[66:68] - self.points[68:70]
        pitch = np.degrees(np.arctan2(looks[:, 1], np.hypot(looks[:, 0], looks[:, 2])))
        yaw = np.degrees(np.arctan2(looks[:, 0], looks[:, 2]))
        opened = np.clip(self.open, 0.0, 1.0)
        weights = np.where(opened < _SHUT * opened.max(), 0.0, 1.0)
        return np.array([np.average(angle, weights=weights) for angle in (pitch, yaw)])

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
            values[f"eyeBlink{side}"] = 1.0 - float(np.clip(self.open[shut], 0.0, 1.0))
            values[f"browOuterUp{side}"] = max(brow, 0.0)
            values[f"browDown{side}"] = _BROW_DOWN * max(-brow, 0.0)
            values[f"mouthSmile{side}"] = max(-corner, 0.0)  # measured downwards from the upper lip
            values[f"mouthFrown{side}"] = max(corner, 0.0)
            values[f"mouthLowerDown{side}"] = lip
        values.update(_looks(*self.gaze))
        values.update(zip(("head_pitch", "head_yaw", "head_roll"), map(float, self.angles)))
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
    return {name: float(value) for name, value in values.items()}


def faces(packet: bytes) -> list[Face]:
    """The faces of a packet whose numbers are finite; none where it is not made of whole records."""
    if not packet or len(packet) % RECORD.itemsize:
        return []
    return [face for record in np.frombuffer(packet, RECORD) if (face := _face(record)) is not None]


def _face(record: Any) -> Optional[Face]:
    numbers: dict[str, Floats] = {}
    for name in RECORD.names or ():
        numbers[name] = np.array(record[name], np.float64)
        if not np.isfinite(numbers[name]).all():
            return None
    return Face(
        time=float(numbers["time"]),
        id=int(record["id"]),
        camera=numbers["camera"],
        open=numbers["open"],
        success=bool(record["success"]),
        error=float(numbers["error"]),
        quaternion=numbers["quaternion"],
        euler=numbers["euler"],
        translation=numbers["translation"],
        confidence=numbers["confidence"],
        landmarks=numbers["landmarks"],
        points=numbers["points"] * (1.0, -1.0, -1.0),
        features=dict(zip(FEATURES, numbers["features"].tolist())),
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
