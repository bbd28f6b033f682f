# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sources by the words that name them: ``vmc:39539``, ``clip:FILE``, ``idle``, ``mouse``."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import Idle
from keywarp.keyframes.live.endpoint import Endpoint, parse
from keywarp.keyframes.live.microphone import Microphone
from keywarp.keyframes.live.playing import ClipSource, IdleSource, MouseSource
from keywarp.keyframes.live.protocols import PROTOCOLS, connect
from keywarp.keyframes.live.source import LiveSource

#: The words for sources that are no trackers, with what follows them.
OTHERS = ("clip:FILE", "mic[:DEVICE]", "mouse", "idle[:SEED]")


def check(text: str) -> None:
    """Raises ``KeywarpError`` for what names no source; opens and reads nothing."""
    word, _, rest = text.partition(":")
    if word.strip().lower() == "clip" and rest:
        return
    source(text)


def identity(text: str) -> Optional[tuple[str, Union[str, Endpoint]]]:
    """What two texts that name the same tracker or microphone have in common; ``None`` for sources that are not
    shared."""
    word, _, rest = text.partition(":")
    if word.strip().lower() == "mic":
        return "mic", rest.strip()
    protocol = PROTOCOLS.get(word.strip().lower())
    return None if protocol is None else (protocol.name, parse(rest, protocol.port))


def source(text: str) -> LiveSource:
    """The source that a text names; it is not started. Raises ``KeywarpError`` for what names none.

    A clip is anything that ``importers`` read.
    """
    word, _, rest = text.partition(":")
    word = word.strip().lower()
    if word == "clip":
        return _clip(rest)
    if word == "idle":
        return IdleSource(_idle(rest))
    if word == "mic":
        return Microphone(rest)
    if word == "mouse" and not rest:
        return MouseSource()
    if word in PROTOCOLS:
        return connect(text)
    raise KeywarpError(f"there is no live source {text!r}; there are {', '.join((*PROTOCOLS, *OTHERS))}")


def _clip(path: str) -> ClipSource:
    from keywarp.keyframes.importers import load

    if not path:
        raise KeywarpError("clip: names no file; write clip:FILE")
    return ClipSource(load(Path(path)).clip)


def _idle(seed: str) -> Idle:
    if seed and not (seed.isascii() and seed.isdecimal() and len(seed) <= 10):
        raise KeywarpError(f"idle:{seed} has no seed: that is a whole number, as in idle:7")
    return Idle(seed=int(seed or 0))
