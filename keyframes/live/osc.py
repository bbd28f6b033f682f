# SPDX-License-Identifier: GPL-3.0-or-later
"""Open Sound Control 1.0: a datagram to its messages (opensoundcontrol.org, "OSC 1.0 specification").

Any bytes are allowed. A part that is damaged ends the part that it stands in, and what came before it counts.
Time tags are not waited for: a face is shown when it arrives. The package python-osc, to which the tests hold this,
refuses a whole bundle for one damaged message, logs a warning for each, and takes almost twice as long for a face.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Optional, Union

Argument = Union[int, float, str, bytes, bool, None]

_BUNDLE = b"#bundle\0"
_HEADER = 16
_MAX_DEPTH = 8
_MAX_ARGUMENTS = 256

#: Types of a fixed size, as ``struct`` calls them.
_FIXED = {"i": "i", "f": "f", "h": "q", "d": "d", "t": "Q", "c": "4s", "r": "4s", "m": "4s"}
_CONSTANT: dict[str, Argument] = {"T": True, "F": False, "N": None, "I": None}
_TEXT, _BLOB = "s", "b"
_SIZE = struct.Struct(">i")


class Message(NamedTuple):
    address: str
    arguments: list[Argument]


def messages(packet: bytes) -> Iterator[Message]:
    """The messages of a datagram, those of nested bundles too, in their order."""
    waiting = [(0, len(packet), 0)]  # start, end, depth; the next one last
    while waiting:
        start, end, depth = waiting.pop()
        if packet[start : start + len(_BUNDLE)] != _BUNDLE:
            message = _message(packet[start:end])
            if message is not None:
                yield message
        elif depth < _MAX_DEPTH and end - start >= _HEADER:
            waiting += reversed([(a, b, depth + 1) for a, b in _elements(packet, start + _HEADER, end)])


def _elements(packet: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    while at + _SIZE.size <= end:
        (size,) = _SIZE.unpack_from(packet, at)
        at += _SIZE.size
        if size <= 0 or size % 4 or at + size > end:
            return
        yield at, at + size
        at += size


@lru_cache(maxsize=64)
def _steps(tags: str) -> tuple[Union[str, struct.Struct, list[Argument]], ...]:
    """How arguments are read: what is of a fixed size together, texts, blobs, and what is told by its type alone.

    Ends at a type that is not known.
    """
    steps: list[Union[str, struct.Struct, list[Argument]]] = []
    fixed = ""
    for tag in (*tags[:_MAX_ARGUMENTS], ""):
        if tag in _FIXED:
            fixed += _FIXED[tag]
            continue
        if fixed:
            steps.append(struct.Struct(f">{fixed}"))
            fixed = ""
        if tag in _CONSTANT:
            steps.append([_CONSTANT[tag]])
        elif tag in ("s", "S"):
            steps.append(_TEXT)
        elif tag == "b":
            steps.append(_BLOB)
        elif tag not in ("[", "]"):
            break
    return tuple(steps)


def _message(data: bytes) -> Optional[Message]:
    address, at = _text(data, 0)
    if address is None:
        return None
    tags, at = _text(data, at)
    if tags is None or tags[:1] != ",":
        return Message(address, [])
    arguments: list[Argument] = []
    for step in _steps(tags[1 : 1 + _MAX_ARGUMENTS]):
        if isinstance(step, struct.Struct):
            if at + step.size > len(data):
                break
            arguments += step.unpack_from(data, at)
            at += step.size
        elif isinstance(step, list):
            arguments += step
        else:
            read, at = _text(data, at) if step is _TEXT else _blob(data, at)
            if read is None:
                break
            arguments.append(read)
    return Message(address, arguments)


def _text(data: bytes, at: int) -> tuple[Optional[str], int]:
    """A string that zeros fill up to a multiple of four bytes, and where the next part begins."""
    end = data.find(b"\0", at)
    if end < 0:
        return None, at
    return data[at:end].decode("utf-8", "replace"), (end + 4) & ~3


def _blob(data: bytes, at: int) -> tuple[Optional[bytes], int]:
    if at + _SIZE.size > len(data):
        return None, at
    (size,) = _SIZE.unpack_from(data, at)
    at += _SIZE.size
    if size < 0 or at + size > len(data):
        return None, at
    return data[at : at + size], (at + size + 3) & ~3
