# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves a live character, as hosts send it: a JSON object, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import Idle
from keywarp.keyframes.keys import MAX_VALUE, number, shown
from keywarp.keyframes.live import named
from keywarp.keyframes.live.mixer import Layer, Mixer
from keywarp.keyframes.live.playing import IdleSource
from keywarp.keyframes.live.protocols import PROTOCOLS
from keywarp.keyframes.live.shaped import Shape, Shaped
from keywarp.keyframes.live.source import LiveSource

MAX_SOURCES = 32
_MAX_TEXT = 4096
#: Sources that are what somebody has made already: nothing is smoothed, stretched or held back.
_AS_THEY_ARE = ("clip", "idle")

Neutral = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class SourceSettings:
    """One source; raises ``KeywarpError`` for what cannot be one."""

    source: str
    """The words that name it (see ``named``); a clip's path is absolute."""
    parts: Optional[tuple[str, ...]] = None
    """Groups and channels that it may move; ``None``: all of which it speaks."""
    weight: float = 1.0
    mode: str = "REPLACE"

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or len(self.source) > _MAX_TEXT or "\0" in self.source:
            raise KeywarpError(f"a live source is named by words such as vmc:39539, not {shown(self.source)}")
        named.check(self.source)
        word, _, rest = self.source.partition(":")
        if word.strip().lower() == "clip" and not Path(rest).is_absolute():
            raise KeywarpError(
                f"clip:{rest} is a relative path; a live clip has to be named by its whole path"
            )
        self.layer(IdleSource())  # which checks the rest

    @property
    def word(self) -> str:
        """The kind of source: ``vmc``, ``clip``, ``mic`` ..."""
        return self.source.partition(":")[0].strip().lower()

    def layer(self, source: LiveSource, priority: int = 0) -> Layer:
        return Layer(source, priority, self.parts, self.weight, self.mode)

    @classmethod
    def of(cls, given: object) -> SourceSettings:
        """From JSON: ``{"from": ..., "parts": ..., "weight": ..., "mode": ...}``, or the words alone."""
        if isinstance(given, str):
            return cls(given)
        values = _object(given, "a live source", ("from", "parts", "weight", "mode"))
        if "from" not in values:
            raise KeywarpError('a live source has to say what it is "from"')
        parts = values.get("parts")
        if parts is not None and not (isinstance(parts, list) and all(isinstance(p, str) for p in parts)):
            raise KeywarpError("the parts of a live source are a list of groups and channels, or null")
        return cls(
            values["from"],
            None if parts is None else tuple(parts),
            values.get("weight", 1.0),
            values.get("mode", "REPLACE"),
        )


@dataclass(frozen=True)
class LiveSettings:
    """All that moves one character; raises ``KeywarpError`` for what is beyond its limits."""

    sources: tuple[SourceSettings, ...] = ()
    """The first is the topmost."""
    shape: Shape = field(default_factory=Shape)
    """Smoothing, sensitivity, limits and mirror of what is tracked; clips and idle motion are as they are."""
    idle: Optional[Idle] = None
    """Idle motion below all sources."""
    neutral: Neutral = field(default_factory=dict)
    """By the words of a tracker: its neutral face, from an earlier calibration; without numbers that no face reads,
    which are no reason to refuse all the rest."""

    def __post_init__(self) -> None:
        if len(self.sources) > MAX_SOURCES:
            raise KeywarpError(f"a character follows at most {MAX_SOURCES} live sources at once")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> LiveSettings:
        """From JSON (docs/live.md, "Settings for hosts")."""
        shape_names = tuple(each.name for each in fields(Shape))
        values = _object(given, "live settings", ("sources", "idle", "neutral", *shape_names))
        sources = values.get("sources", [])
        if not isinstance(sources, list):
            raise KeywarpError("the sources of live settings are a list, the topmost first")
        return cls(
            tuple(SourceSettings.of(each) for each in sources[: MAX_SOURCES + 1]),
            _shape({name: values[name] for name in shape_names if name in values}),
            _idle(values.get("idle")),
            _neutral(values.get("neutral")),
        )

    def mixer(
        self, source: Callable[[str], LiveSource] = named.source, rest: Optional[Mapping[str, float]] = None
    ) -> Mixer:
        """All sources in their layers; ``source`` gives one by its words. ``rest``: see ``Mixer``."""
        layers = [
            each.layer(self._shaped(each, source(each.source)), len(self.sources) - place)
            for place, each in enumerate(self.sources)
        ]
        if self.idle is not None:
            layers.append(Layer(IdleSource(self.idle)))
        return Mixer(layers, rest)

    def _shaped(self, settings: SourceSettings, source: LiveSource) -> LiveSource:
        if settings.word in _AS_THEY_ARE:
            return source
        shape = self.shape
        if shape.mirror and settings.word not in PROTOCOLS:  # the mouse is where it is, sound has no sides
            shape = Shape(shape.smoothing, shape.sensitivity, shape.limits)
        return Shaped(source, shape)


def _mapping(given: object, what: str) -> dict[str, Any]:
    """``given`` as what it must be; raises ``KeywarpError`` for anything else."""
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise KeywarpError(f"{what} must be an object, not {shown(given)}")
    return dict(given)


def _object(given: object, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    """As ``_mapping``, with no other names in it than these."""
    values = _mapping(given, what)
    for name in values:
        if name not in names:
            raise KeywarpError(f"{what} cannot say {shown(name)}; it says {', '.join(names)}")
    return values


def _shape(values: dict[str, Any]) -> Shape:
    for name in ("sensitivity", "limits"):
        values[name] = _mapping(values.get(name, {}), name)
    if not isinstance(values.get("mirror", False), bool):
        raise KeywarpError(f"mirror must be true or false, not {shown(values['mirror'])}")
    return Shape(**values)


def _idle(given: object) -> Optional[Idle]:
    if given is None:
        return None
    return Idle(**_object(given, "idle motion", tuple(each.name for each in fields(Idle))))


def _neutral(given: object) -> Neutral:
    faces = {}
    for text, face in _mapping({} if given is None else given, "neutral").items():
        values = _mapping(face, "a neutral face")
        faces[text] = {
            name: number(value, f"the neutral face's {name[:40]}", MAX_VALUE)
            for name, value in values.items()
            if not (isinstance(value, (int, float)) and _is_beyond(value))
        }
    return faces


def _is_beyond(value: float) -> bool:
    """Whether a number, a whole one of any length too, is larger than any channel's, or none at all."""
    return not -MAX_VALUE <= value <= MAX_VALUE
