# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person chooses for one source, and what that asks of the engine."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

Value = Union[str, int, float, bool]
Json = dict[str, Any]

GROUPS = ("Brows", "Eyes", "Gaze", "Mouth", "Head", "Body")
"""Of the channels of the pose space ``tha45``."""

DRIVERS = {
    "idle": "Idle motion only",
    "vmc": "VMC tracker (VSeeFace, Warudo, VNyan, XR Animator ...)",
    "openseeface": "OpenSeeFace (webcam)",
    "ifacialmocap": "iFacialMocap (iPhone)",
    "facemotion3d": "Facemotion3d (iPhone)",
    "vtubestudio": "VTube Studio (iPhone, Android)",
    "mic": "Microphone",
    "mouse": "Mouse pointer",
    "clip": "Clip, looping",
}
"""What drives a character: the word for the engine, and what the person reads."""
LISTENING = ("vmc", "openseeface")
"""Drivers that wait on a port; their address is a port, or the sender's address."""
ASKING = ("ifacialmocap", "facemotion3d", "vtubestudio")
"""Drivers that ask a phone, whose address has to be given."""
MOUTHS = {"": "Whatever drives the character", "mic": "Microphone", "clip": "Clip, looping"}
SIZES = {
    "canvas": "Height of the OBS canvas",
    "720": "720 pixels high",
    "1080": "1080 pixels high",
    "1440": "1440 pixels high",
    "2160": "2160 pixels high (4K)",
    "picture": "The picture's own size",
    "own": "Width and height below",
}
RATES = {"0": "As OBS", "60": "60", "30": "30", "24": "24", "15": "15"}
FALLBACK_HEIGHT, FALLBACK_RATE = 1080, 60.0
"""While OBS has no video."""

LARGEST = 8192

TYPED = ("character", "model", "address", "microphone", "clip", "width", "height", "background")
"""What comes in pieces while a person types or chooses."""

DEFAULTS: dict[str, Value] = {
    "character": "",
    "model": "",
    "driver": "idle",
    "address": "",
    "microphone": "",
    "clip": "",
    "mouth": "",
    "size": "canvas",
    "width": 1080,
    "height": 1080,
    "rate": "0",
    "draft": False,
    "smoothing": 0.4,
    "mirror": False,
    "idle": True,
    "idle_blink": 1.0,
    "idle_breath": 1.0,
    "idle_sway": 1.0,
    **{f"sensitivity_{group.lower()}": 1.0 for group in GROUPS},
    **{f"limit_{group.lower()}": 1.0 for group in GROUPS},
    "backed": False,
    "background": 0xFF00FF00,  # green, opaque; OBS's order is alpha, blue, green, red
    "neutral": "",
}
"""OBS's names of the settings, with what they are until a person changes them."""


class SettingsError(Exception):
    """What a person has still to choose, in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """What a stream of the engine is made with; another one is opened where this changes."""

    character: str
    model: Optional[str]
    size: Union[tuple[int, int], int, None]
    """(width, height), the height alone, or ``None`` for the picture's own."""
    draft: bool
    background: Optional[str]
    """``#rrggbb``, or ``None`` for transparent."""


class Settings:
    """One source's settings, as OBS held them at a moment."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        """``values``: by the names of ``DEFAULTS``; what is missing is as there."""
        self._values: dict[str, Value] = {**DEFAULTS, **values}

    @classmethod
    def read(cls, read: Callable[[str, Value], Value]) -> Settings:
        """``read`` gives the value of a name, of the same type as the default that it also gets."""
        return cls({name: read(name, default) for name, default in DEFAULTS.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._values.items())))

    def typed_differs(self, other: Settings) -> bool:
        """Whether something else has been typed."""
        return any(self._values[name] != other._values[name] for name in TYPED)

    def text(self, name: str) -> str:
        return str(self._values[name]).strip()

    def number(self, name: str) -> float:
        value = self._values[name]
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0

    def flag(self, name: str) -> bool:
        return bool(self._values[name])

    @property
    def is_picture(self) -> bool:
        """Whether the chosen file is a picture, for which a model can be chosen."""
        return Path(self.text("character")).suffix.lower() not in (".yaml", ".yml", "")

    @property
    def mouth(self) -> str:
        """What moves the mouth in the driver's stead; "" where nothing else does."""
        driver, mouth = self.text("driver"), self.text("mouth")
        return "" if mouth == driver or driver == "mic" else mouth

    @property
    def hears(self) -> bool:
        """Whether a microphone is listened to."""
        return "mic" in (self.text("driver"), self.mouth)

    @property
    def is_shaped(self) -> bool:
        """Whether sensitivity and limits count: of what is measured, not of what somebody has animated."""
        return self.text("driver") not in ("idle", "clip") or self.hears

    def wanted(self, canvas_height: int) -> Wanted:
        """``canvas_height``: of OBS's canvas, 0 where it is not known. Raises ``SettingsError``."""
        character, model = self.text("character"), self.text("model")
        if not character:
            raise SettingsError("no character is chosen: choose a character file or a picture")
        return Wanted(
            character,
            (model or None) if self.is_picture else None,
            self._size(canvas_height),
            self.flag("draft"),
            self._background(),
        )

    def rate(self, canvas_rate: float) -> float:
        """Frames a second, at most; ``canvas_rate``: OBS's own, 0 where it is not known."""
        return float(self.text("rate") or 0) or canvas_rate or FALLBACK_RATE

    def live(self, neutral: Json) -> Json:
        """The engine's live settings (see ``keyframes.live.settings``), with calibrated faces. Raises
        ``SettingsError``."""
        idle = {name: self.number(f"idle_{name}") for name in ("blink", "breath", "sway")}
        found: Json = {
            "sources": self._sources(),
            "smoothing": self.number("smoothing"),
            "mirror": self.flag("mirror") and self.text("driver") in LISTENING + ASKING,
            "sensitivity": self._by_group("sensitivity") if self.is_shaped else {},
            "limits": self._by_group("limit") if self.is_shaped else {},
            "idle": idle if self.flag("idle") or self.text("driver") == "idle" else None,
        }
        return {**found, "neutral": neutral} if neutral else found

    def _sources(self) -> list[Json]:
        """What moves the character, the topmost first."""
        driver = self.text("driver")
        sources: list[Json] = []
        if self.mouth:
            sources.append({"from": self._words(self.mouth), "parts": ["Mouth"]})
        if driver != "idle":
            sources.append({"from": self._words(driver)})
        return sources

    def _words(self, driver: str) -> str:
        """How the engine names a source."""
        if driver in LISTENING + ASKING:
            address = self.text("address").removeprefix(
                f"{driver}:"
            )  # as messages and other commands write it
            if driver in ASKING and not address:
                raise SettingsError("the phone's address is missing: its app shows it, as in 192.168.1.7")
            return f"{driver}:{address}" if address else driver
        if driver == "mic":
            device = self.text("microphone")
            return f"mic:{device}" if device else "mic"
        if driver == "clip":
            if not self.text("clip"):
                raise SettingsError("no clip is chosen: choose a clip file")
            return f"clip:{self.text('clip')}"
        return driver

    def _by_group(self, what: str) -> dict[str, float]:
        return {group: self.number(f"{what}_{group.lower()}") for group in GROUPS}

    def _size(self, canvas_height: int) -> Union[tuple[int, int], int, None]:
        chosen = self.text("size")
        if chosen == "picture":
            return None
        if chosen == "own":
            return within(self.number("width")), within(self.number("height"))
        return int(chosen) if chosen.isdigit() else canvas_height or FALLBACK_HEIGHT

    def _background(self) -> Optional[str]:
        if not self.flag("backed"):
            return None
        packed = int(self.number("background"))
        return "#{:02x}{:02x}{:02x}".format(*(packed >> shift & 0xFF for shift in (0, 8, 16)))

    def neutral(self) -> Json:
        """The calibrated faces that OBS has kept; nothing where they cannot be read."""
        try:
            kept = json.loads(self.text("neutral") or "{}")
        except ValueError:
            return {}
        return kept if isinstance(kept, dict) else {}


def within(pixels: float) -> int:
    """A side of a frame that the engine makes."""
    return int(min(max(pixels, 16), LARGEST))


def size_for(height: int, picture: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a frame of this height that has the picture's proportions."""
    width = height * picture[0] / max(picture[1], 1)
    return within(round(width)), within(height)


def plain(sentence: str) -> str:
    """A sentence in one line, as a status or log line shows it."""
    line = re.sub(r"\s+", " ", sentence).strip()
    return line[:1].upper() + line[1:]
