# SPDX-License-Identifier: GPL-3.0-or-later
"""iFacialMocap, an app for iPhones, over UDP (ifacialmocap.com/for-developer)."""

from __future__ import annotations

from keywarp.keyframes.live.face_text import Decoder
from keywarp.keyframes.live.reading import TrackerProtocol, arkit_pose
from keywarp.keyframes.live.tracked import whole_face
from keywarp.keyframes.spaces import arkit52

PORT = 49983
#: What the app waits for before it sends; version 2 separates by ``&``, so that no sign is mistaken.
HELLO = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719|sendDataVersion=v2"


def hello(port: int) -> bytes:
    """The app answers to the port that it listens on itself."""
    return HELLO


PROTOCOL = TrackerProtocol(
    "ifacialmocap",
    "iFacialMocap",
    PORT,
    (arkit52.SPACE,),
    Decoder,
    arkit_pose,
    whole_face,
    check="that iFacialMocap is open on the phone, in the same network, and shows this phone address",
    hello=hello,
)
