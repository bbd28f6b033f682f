# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that iFacialMocap and Facemotion3d send: ``name-value|...|=head#rx,ry,rz,px,py,pz|rightEye#...|``.

Values are percent, angles degrees; version 2 and Facemotion3d write ``&`` for ``-``. Sides are ``_L``,
``_R`` or ``Left``, ``Right``. Where the eyes look is among the values too, so that their angles are passed
over. Names that ARKit does not have (``FM_...``) are as well.

Two things that the developers' page does not name, and phones send: ``=|head#`` in place of ``=head#``, and
``trackingStatus``, which is 0 while the phone sees no face and repeats the last one.
"""

from __future__ import annotations

from typing import Optional

from keywarp.keyframes.live.reading import ARKIT_NAMES, Reading, parsed

#: Channel by place of ``=head#rx,ry,rz``; ARKit's frame has the signs of ``spaces.arkit52``.
_HEAD = (("head_pitch", -1.0), ("head_yaw", -1.0), ("head_roll", 1.0))
_TRACKING = "trackingstatus"


class Decoder:
    """Text to readings; every packet is a whole frame."""

    def feed(self, packet: bytes) -> Optional[Reading]:
        """The face of one packet, ``None`` where there is none in it."""
        values: dict[str, float] = {}
        found = True
        for part in packet.decode("utf-8", "replace").split("|"):
            bone, mark, rest = part.strip().partition("#")
            if mark:
                if bone.lstrip("=") == "head":
                    values.update(_head(rest))
                continue
            name, percent = _named(part)
            if name == _TRACKING:
                found = percent != 0.0
            elif name in ARKIT_NAMES and percent is not None:
                values[ARKIT_NAMES[name]] = percent / 100.0
        return Reading(values, None, found) if values else None


def _head(text: str) -> dict[str, float]:
    numbers = [parsed(number) for number in text.split(",", 6)[:3]]
    if len(numbers) < 3 or None in numbers:
        return {}
    return {name: sign * number for (name, sign), number in zip(_HEAD, numbers) if number is not None}


def _named(part: str) -> tuple[str, Optional[float]]:
    """The name of ``name-value`` or ``name&value`` in lower case, and the value where it is a number."""
    name, mark, text = part.partition("&")
    if not mark:
        name, _, text = part.partition("-")
    return name.strip().lower(), parsed(text)
