# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts may ask for, checked: nothing that comes over the wire is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keywarp.core.color import Colour, parse_colour
from keywarp.core.engine.casting import Role, Shot
from keywarp.core.engine.ring import PIXELS
from keywarp.core.engine.wire import Message
from keywarp.keyframes.errors import KeywarpError

MAX_TEXT = 4096
MAX_CHANNELS = 1000
MAX_INTEGER = 1 << 53


@dataclass(frozen=True)
class FrameRequest:
    """One frame of one stream."""

    stream: int
    number: int
    role: Role
    shot: Shot
    pixels: str
    flip: bool
    background: Colour | None
    pose: Mapping[str, float]
    space: str
    crop: tuple[int, int, int, int] | None
    held: frozenset[tuple[str, int]]
    """(name of the ring's file, slot) of the frames that the host looks at."""

    @classmethod
    def of(cls, message: Message) -> FrameRequest:
        """Raises ``KeywarpError`` for a message that says something else."""
        settings = message.get("settings")
        if not isinstance(settings, dict):
            raise wrong("settings", "an object")
        size = settings.get("size")
        crop = message.get("crop")
        return cls(
            integer(message, "stream"),
            integer(message, "number"),
            Role(
                text(settings, "character"),
                optional_text(settings, "model"),
                one_of(settings, "device", ("auto", "cpu", "cuda")),
                optional_text(settings, "driving"),
            ),
            Shot(
                None if size is None else _integers("size", size, 2),  # type: ignore[arg-type]
                one_of(settings, "fit", ("contain", "cover")),  # type: ignore[arg-type]
                settings.get("draft") is True,
            ),
            one_of(settings, "pixels", tuple(PIXELS)),
            settings.get("flip") is True,
            _colour(settings),
            _pose(message.get("pose")),
            text(message, "space"),
            None if crop is None else _integers("crop", crop, 4),  # type: ignore[arg-type]
            held(message.get("held")),
        )


def wrong(name: str, right: str) -> KeywarpError:
    return KeywarpError(f"a host has sent a request whose {name} is not {right}")


def text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or "\0" in value:
        raise wrong(name, "text")
    return value


def optional_text(values: Mapping[str, Any], name: str) -> str | None:
    return None if values.get(name) is None else text(values, name)


def one_of(values: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = values.get(name)
    if value not in choices:
        raise wrong(name, f"one of {', '.join(choices)}")
    return str(value)


def integer(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise wrong(name, "a whole number")
    return value


def number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e300 < value < 1e300:
        raise wrong(name, "a number")
    return float(value)


def _integers(name: str, value: Any, count: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise wrong(name, f"{count} whole numbers")
    return tuple(integer({name: each}, name) for each in value)


def _colour(settings: Mapping[str, Any]) -> Colour | None:
    colour = optional_text(settings, "background")
    return None if colour is None else parse_colour(colour)


def _pose(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > MAX_CHANNELS:
        raise wrong("pose", "an object of channels and numbers")
    return {str(name): number(value, name) for name in value}


def held(value: Any) -> frozenset[tuple[str, int]]:
    right = "a list of rings and slots"
    if not isinstance(value, list) or len(value) > 64:
        raise wrong("held", right)
    found = set()
    for each in value:
        if not isinstance(each, list) or len(each) != 2 or not isinstance(each[0], str):
            raise wrong("held", right)
        found.add((each[0], integer({"held": each[1]}, "held")))
    return frozenset(found)
