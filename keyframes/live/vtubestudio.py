# SPDX-License-Identifier: GPL-3.0-or-later
"""VTube Studio's stream from iPhones (github.com/DenchiSoft/VTubeStudioBlendshapeUDPReceiverTest).

The phone sends JSON over UDP for as long as it is asked to. ``Rotation`` is in degrees and turns about the
vertical axis come first: x is ARKit's ry, y its rx, as other receivers have found. Phones with Android
send the same with ``browInnerUp`` for each side.
"""

from __future__ import annotations

import json
from typing import Any, Optional

from keywarp.keyframes.live.reading import ARKIT_NAMES, Reading, TrackerProtocol, arkit_pose, finite
from keywarp.keyframes.live.tracked import whole_face
from keywarp.keyframes.spaces import arkit52

PORT = 21412
SENT_BY = "keywarp"
#: How long the phone goes on after a request, in seconds; from 0.5 to 10.
ASKED_SECONDS = 5.0

_HEAD = (("y", "head_pitch", -1.0), ("x", "head_yaw", -1.0), ("z", "head_roll", 1.0))
_INNER_BROWS = ("browinnerupleft", "browinnerupright")


def hello(port: int) -> bytes:
    """The request for frames to ``port``."""
    request = {
        "messageType": "iOSTrackingDataRequest",
        "time": ASKED_SECONDS,
        "sentBy": SENT_BY,
        "ports": [port],
    }
    return json.dumps(request).encode()


class Decoder:
    """JSON to readings; every packet is a whole frame."""

    def feed(self, packet: bytes) -> Optional[Reading]:
        """The face of one packet, ``None`` where there is none in it."""
        try:
            frame = json.loads(packet)
        except (ValueError, RecursionError):
            return None
        if not isinstance(frame, dict) or not isinstance(frame.get("FaceFound"), bool):
            return None
        milliseconds = finite(frame.get("Timestamp"))
        time = None if milliseconds is None else milliseconds / 1000.0
        values = {**_shapes(frame.get("BlendShapes")), **_head(frame.get("Rotation"))}
        return Reading(values, time, frame["FaceFound"])


def _head(turned: Any) -> dict[str, float]:
    if not isinstance(turned, dict):
        return {}
    angles = {channel: (finite(turned.get(axis)), sign) for axis, channel, sign in _HEAD}
    return {channel: sign * angle for channel, (angle, sign) in angles.items() if angle is not None}


def _shapes(entries: Any) -> dict[str, float]:
    values: dict[str, float] = {}
    inner: list[float] = []
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("k") if isinstance(entry, dict) else None
        value = finite(entry.get("v")) if isinstance(name, str) else None
        if name is None or value is None:
            continue
        channel = ARKIT_NAMES.get(name.lower())
        if channel is not None:
            values[channel] = value
        elif name.lower() in _INNER_BROWS:
            inner.append(value)
    if inner and "browInnerUp" not in values:
        values["browInnerUp"] = sum(inner) / len(inner)
    return values


PROTOCOL = TrackerProtocol(
    "vtubestudio",
    "VTube Studio (iPhone)",
    PORT,
    (arkit52.SPACE,),
    Decoder,
    arkit_pose,
    whole_face,
    check='that VTube Studio is open on the phone, in the same network, with "3rd Party PC Clients" on',
    hello=hello,
    hello_seconds=ASKED_SECONDS / 4,
    hello_always=True,
)
