# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMC protocol, received as a marionette (protocol.vmc.info, version 3.1), over OSC and UDP.

A frame comes in several datagrams: bones count as they come, blend shapes when ``/VMC/Ext/Blend/Apply``
does. Names are VRM 0's, VRM 1's, and ARKit's of "Perfect Sync", in any letter case. Rotations are local,
about Unity's axes: left-handed, x to the character's right, y up, z out of the face.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import numpy as np

from keywarp.keyframes import rotation
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.live.osc import Argument, messages
from keywarp.keyframes.live.reading import ARKIT_NAMES, Mappings, Reading, TrackerProtocol, Values, finite
from keywarp.keyframes.live.source import columns, of_groups
from keywarp.keyframes.spaces import arkit52, vrm
from keywarp.keyframes.spaces.rows import BROWS, EYES, MOUTH

PORT = 39539

#: Takes quaternions about Unity's axes to those of ``rotation``: half a turn about the vertical axis.
UNITY = np.array([-1.0, 1.0, -1.0, 1.0])

_ANGLES = ("pitch", "yaw", "roll")
_BONES: Mapping[str, str] = {bone.lower(): stem for bone, stem in vrm.BONES.items()}
_SHAPES: Mapping[str, str] = {
    **ARKIT_NAMES,
    **{name.lower(): channel for name, channel in vrm.ALIASES.items()},
    **{name.lower(): name for name in vrm.SPACE.names if not name.endswith(_ANGLES)},
}
_VRM_SHAPES = frozenset(_SHAPES.values()) & frozenset(vrm.SPACE.names)
_ARKIT_SHAPES = frozenset(ARKIT_NAMES.values())
#: A face of which so many of ARKit's shapes are sent is one with "Perfect Sync".
_PERFECT_SYNC = 20
_FACE = of_groups(BROWS, EYES, MOUTH)
_GAZE = frozenset(("iris_rotation_x", "iris_rotation_y"))
_HEAD = frozenset(("head_x", "head_y", "neck_z"))
_BODY = frozenset(("body_y", "body_z"))
_BODY_STEMS = ("spine", "chest", "upper_chest")


class Decoder:
    """VMC's messages to readings; holds what has been sent of a frame that is not complete."""

    def __init__(self) -> None:
        self._staged: dict[str, float] = {}
        self._values: dict[str, float] = {}
        self._turned: dict[str, list[float]] = {}
        self._found = True
        self._time: Optional[float] = None

    def feed(self, packet: bytes) -> Optional[Reading]:
        """What the face is like after this packet, ``None`` where it changes nothing of it."""
        changed = False
        for address, arguments in messages(packet):
            if address == "/VMC/Ext/Blend/Val":
                self._stage(arguments)
            elif address == "/VMC/Ext/Blend/Apply":
                self._values.update(self._staged)
                changed = changed or bool(self._staged)
                self._staged.clear()
            elif address == "/VMC/Ext/Bone/Pos":
                self._turn(arguments)
            elif address == "/VMC/Ext/T":
                self._time = finite(arguments[0]) if arguments else None
            elif address == "/VMC/Ext/OK":
                changed = self._see(arguments) or changed
        changed = self._apply_turns() or changed
        return Reading(dict(self._values), self._time, self._found) if changed else None

    def _stage(self, arguments: list[Argument]) -> None:
        if len(arguments) < 2 or not isinstance(arguments[0], str):
            return
        channel, value = _SHAPES.get(arguments[0].lower()), finite(arguments[1])
        if channel is not None and value is not None:
            self._staged[channel] = value

    def _turn(self, arguments: list[Argument]) -> None:
        if len(arguments) < 8 or not isinstance(arguments[0], str):
            return
        stem = _BONES.get(arguments[0].lower())
        quaternion = [number for number in map(finite, arguments[4:8]) if number is not None]
        if stem is not None and len(quaternion) == 4 and any(quaternion):
            self._turned[stem] = quaternion

    def _apply_turns(self) -> bool:
        """Take over the bones of a packet, all at once; whether there were any."""
        if not self._turned:
            return False
        turned = rotation.angles(rotation.normalized(list(self._turned.values())) * UNITY)
        for stem, degrees in zip(self._turned, turned.tolist()):
            for angle, value in zip(_ANGLES, degrees):
                if f"{stem}_{angle}" in vrm.SPACE:
                    self._values[f"{stem}_{angle}"] = value
        self._turned.clear()
        return True

    def _see(self, arguments: list[Argument]) -> bool:
        """Whether a model is loaded, and where it is told, whether its tracking is good."""
        told = [argument for i, argument in enumerate(arguments[:4]) if i in (0, 3)]
        found = all(status != 0 for status in told)
        changed, self._found = found != self._found, found
        return changed


def _perfect_sync(values: Values) -> bool:
    return len(_ARKIT_SHAPES.intersection(values)) >= _PERFECT_SYNC


def pose(values: Values, mappings: Mappings) -> Poses:
    """A pose of tha45: bones and VRM's expressions, and the face of ARKit's shapes where they are sent."""
    shown = mappings["vrm"](vrm.SPACE.pose({n: v for n, v in values.items() if n in vrm.SPACE}))
    if _perfect_sync(values):
        face = mappings["arkit52"](
            arkit52.SPACE.pose({n: v for n, v in values.items() if n in _ARKIT_SHAPES})
        )
        places = columns(_FACE)
        shown[places] = face[places]
        # Where the eyes look comes as bones, as shapes, or as both, which say the same.
        places = columns(_GAZE)
        shown[places] = np.where(abs(face[places]) > abs(shown[places]), face[places], shown[places])
    return shown


def channels(values: Values) -> frozenset[str]:
    """What the bones and shapes that have been sent speak of."""
    told: frozenset[str] = frozenset()
    if _VRM_SHAPES.intersection(values) or _perfect_sync(values):
        told |= _FACE | _GAZE
    if "eye_left_yaw" in values or "eye_right_yaw" in values:
        told |= _GAZE
    if "head_yaw" in values or "neck_yaw" in values:
        told |= _HEAD
    if any(f"{stem}_yaw" in values for stem in _BODY_STEMS):
        told |= _BODY
    return told


PROTOCOL = TrackerProtocol(
    "vmc",
    "VMC",
    PORT,
    (vrm.SPACE, arkit52.SPACE),
    Decoder,
    pose,
    channels,
    check="that the program sends VMC (OSC) to this address and port",
)
