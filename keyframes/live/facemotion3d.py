# SPDX-License-Identifier: GPL-3.0-or-later
"""Facemotion3d, an app for iPhones, over UDP (facemotion3d.net, "for developers")."""

from __future__ import annotations

from keywarp.keyframes.live.face_text import Decoder
from keywarp.keyframes.live.reading import TrackerProtocol, arkit_pose
from keywarp.keyframes.live.tracked import whole_face
from keywarp.keyframes.spaces import arkit52

PORT = 49993
HELLO = b"FACEMOTION3D_OtherStreaming"


def hello(port: int) -> bytes:
    """The app answers to the port that it listens on itself."""
    return HELLO


PROTOCOL = TrackerProtocol(
    "facemotion3d",
    "Facemotion3d",
    PORT,
    (arkit52.SPACE,),
    Decoder,
    arkit_pose,
    whole_face,
    check="that Facemotion3d is open on the phone, in the same network, and shows this phone address",
    hello=hello,
)
