# SPDX-License-Identifier: GPL-3.0-or-later
"""The trackers that keywarp understands, and the words that name them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import shown
from keywarp.keyframes.live import endpoint, facemotion3d, ifacialmocap, openseeface, vmc, vtubestudio
from keywarp.keyframes.live.reading import TrackerProtocol
from keywarp.keyframes.live.tracker import Tracker, Tuning

#: By name.
PROTOCOLS: dict[str, TrackerProtocol] = {
    module.PROTOCOL.name: module.PROTOCOL
    for module in (vmc, ifacialmocap, facemotion3d, vtubestudio, openseeface)
}


def protocol(name: str) -> TrackerProtocol:
    """The protocol called ``name``; raises ``KeywarpError`` that names those that there are."""
    word = name.strip().lower()
    if word in PROTOCOLS:
        return PROTOCOLS[word]
    close = get_close_matches(word, PROTOCOLS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PROTOCOLS)}"
    raise KeywarpError(f"there is no tracker protocol called {shown(name)}; {hint}")


def connect(text: str, tuning: Optional[Tuning] = None) -> Tracker:
    """The tracker that ``PROTOCOL[:PORT|:HOST|:HOST:PORT]`` names; it does not listen yet.

    Raises ``KeywarpError`` for what cannot be one.
    """
    name, _, rest = text.partition(":")
    found = protocol(name)
    return Tracker(found, endpoint.parse(rest, found.port), tuning)
