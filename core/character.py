# SPDX-License-Identifier: GPL-3.0-or-later
"""Character files: a picture, the model that animates it, and how the two fit together.

Version 1 is a small YAML file; paths in it are relative to it, keys that are not known are kept. THA4's
``character_model.yaml`` is a character as it is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from keywarp.core.driving import MODES, Driving
from keywarp.core.framing import Framing
from keywarp.core.models.base import DrivenSource, ModelSource
from keywarp.core.models.registry import default_model, find_model, model_folders
from keywarp.core.picture import PICTURE_SUFFIXES
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.unknown import unknown

VERSION = 1
OWN_FILE, THA4_FILE = "character.yaml", "character_model.yaml"
"""By what names a folder holds a character: keywarp's own file, which knows more, before THA4's."""
_KNOWN = (
    "keywarp", "picture", "hd_picture", "model", "framing", "head", "move_mask", "driving", "defaults", "licence",
    "credit",
)  # fmt: skip
_LEAST_SQUARE, _LARGEST_SQUARE, _FARTHEST = 16, 1_000_000, 100_000.0
FRAMED = f"a square of {_LEAST_SQUARE} to {_LARGEST_SQUARE} pixels near the picture"
"""What a framing is to be, in words."""
"""The model's square in the picture's pixels, and how far off it may lie in its own units."""


@dataclass(frozen=True)
class Character:
    """What ``render`` needs to know about a character."""

    name: str
    picture: Path
    model: str | Path
    """A path, absolute or relative to ``folder``, or a name that ``find_model`` knows."""
    folder: Path
    """What relative paths are relative to."""
    hd_picture: Path | None = None
    """The same artwork at higher resolution."""
    framing: Framing | None = None
    """Pixels of ``picture`` to the model's square; ``None``: to be found."""
    head: tuple[float, float, float, float] | None = None
    """(x, y, width, height) of the head in ``picture``'s pixels."""
    move_mask: Path | None = None
    """White where the picture may move, of the same extent as the picture that is drawn."""
    driving: Driving | None = None
    """The video that a model takes its motion from, where it is of that kind."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Values of channels that a clip does not animate."""
    licence: str = ""
    credit: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys that this version does not know."""

    @property
    def remarks(self) -> list[str]:
        """What its owner should know of the file, in sentences."""
        return unknown(self.extra, _KNOWN)

    def following(self, video: Path) -> Character:
        """The same character, which follows this driving video, as it follows its own where it has one."""
        driving = Driving(video) if self.driving is None else replace(self.driving, video=video)
        return replace(self, driving=driving)

    def find_model(self) -> ModelSource:
        """The model, and with it the driving video, where there is one; raises ``KeywarpError``."""
        source = find_model(self.model, beside=self.folder)
        if self.driving is None:
            return source
        if not isinstance(source, DrivenSource):
            raise KeywarpError(
                f"{self.name} has the driving video {self.driving.video.name}, but its model "
                f"({source.info.form} {source.info.source}) is animated by poses in the space {source.info.space}"
            )
        return source.driven(self.driving)

    @property
    def model_named(self) -> str:
        """The model, as a command names it: the path of a place, or the name of one that is installed."""
        place = self.folder / self.model
        return str(place if place.exists() else self.model)

    @cached_property
    def resting(self) -> Mapping[str, float]:
        """``defaults``, and beneath them what the model says of the pose of its pictures; raises ``KeywarpError``
        where there is no model."""
        return {**self.find_model().info.rest, **self.defaults}


def load_character(reference: str | Path, model: str | None = None) -> Character:
    """A character file, a folder with one, the name of a folder that lies among the models, or a picture.

    ``model`` replaces the character's own; a character or a picture without one gets ``default_model``. Raises
    ``KeywarpError``.
    """
    path = found_character(reference)
    if path.is_dir():
        inside = character_in(path)
        if inside is None:
            raise KeywarpError(
                f"{path} is a folder without a {OWN_FILE} or {THA4_FILE}; name a character file or a picture instead"
            )
        path = inside
    if not path.exists():
        raise KeywarpError(
            f"{path} does not exist; a character file, a character's folder or a picture was expected there"
        )
    if path.suffix.lower() in (".yaml", ".yml"):
        return _from_file(path, model)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise KeywarpError(
            f"{path} is neither a character file (.yaml) nor a picture ({', '.join(PICTURE_SUFFIXES)})"
        )
    return Character(path.stem, path, _anchored(model or default_model()), path.parent)


def found_character(reference: str | Path) -> Path:
    """The place of what a person names: itself, or a folder among the models that is called so."""
    path = Path(reference)
    if not path.exists() and len(path.parts) == 1:
        path = next((folder / path for folder in model_folders() if character_in(folder / path)), path)
    return path


def character_in(folder: Path) -> Path | None:
    """The character file that stands for a folder."""
    return next((folder / name for name in (OWN_FILE, THA4_FILE) if (folder / name).is_file()), None)


def _name(path: Path) -> str:
    """What a character's file, or its folder, calls it."""
    return path.absolute().parent.name if path.name in (OWN_FILE, THA4_FILE) else path.stem


def _anchored(model: str) -> str | Path:
    """A model named on the command line, whose path is relative to the working folder."""
    return Path(model).absolute() if Path(model).exists() else model


def _from_file(path: Path, model: str | None) -> Character:
    content = read_yaml(path)
    folder = path.parent
    if "keywarp" not in content:
        picture = content.get("character_image_file_name")
        if not isinstance(picture, str):
            raise KeywarpError(f"{path} is not a character file: it has neither `keywarp: 1` nor THA4's keys")
        return Character(
            _name(path),
            folder / picture,
            _anchored(model) if model else path.absolute(),
            folder,
        )
    if type(content["keywarp"]) is not int or content["keywarp"] != VERSION:  # nor true, nor 1.0
        raise KeywarpError(
            f"{path} is of version {content['keywarp']!r}; this keywarp reads version {VERSION}"
        )
    reader = _Reader(path, content)
    return Character(
        name=_name(path),
        picture=reader.path("picture", required=True),  # type: ignore[arg-type]
        model=_anchored(model) if model else reader.model(),
        folder=folder,
        hd_picture=reader.path("hd_picture"),
        framing=reader.framing(),
        head=reader.head(),
        move_mask=reader.path("move_mask"),
        driving=reader.driving(),
        defaults=reader.defaults(),
        licence=reader.text("licence"),
        credit=reader.text("credit"),
        extra={key: value for key, value in content.items() if key not in _KNOWN},
    )


def can_frame(framing: Framing) -> bool:
    """Whether a character file takes it: see ``FRAMED``."""
    near = max(abs(framing.x), abs(framing.y)) <= _FARTHEST
    return near and _LEAST_SQUARE <= framing.side <= _LARGEST_SQUARE


class _Reader:
    """Typed access to a character file's keys; every complaint names the file and the key."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path, self._content = path, content

    def _wrong(self, key: str, right: str) -> KeywarpError:
        return KeywarpError(f"{self._path}: {key} should be {right}, not {self._content.get(key)!r}")

    def text(self, key: str, required: bool = False) -> str:
        value = self._content.get(key)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or (required and not value):
            raise self._wrong(key, "text")
        return value

    def model(self) -> str:
        if self._content.get("model") is None:
            return default_model()
        return self.text("model", required=True)

    def path(self, key: str, required: bool = False) -> Path | None:
        value = self.text(key, required)
        return self._path.parent / value if value else None

    def _numbers(self, key: str, mapping: Any, names: tuple[str, ...]) -> list[float] | None:
        if not isinstance(mapping, dict) or not set(names) <= set(mapping):
            return None
        values = [mapping[name] for name in names]
        return [float(v) for v in values] if all(map(_is_finite, values)) else None

    def framing(self) -> Framing | None:
        value = self._content.get("framing")
        if value is None:
            return None
        numbers = self._numbers("framing", value, ("scale", "rotation_deg", "x", "y"))
        if numbers is None or numbers[0] <= 0:
            raise self._wrong("framing", "the numbers scale (above 0), rotation_deg, x and y")
        framing = Framing(*numbers)
        if not can_frame(framing):
            raise self._wrong("framing", f"{FRAMED} (2 / scale)")
        return framing

    def head(self) -> tuple[float, float, float, float] | None:
        value = self._content.get("head")
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or len(value) != 4
            or not all(map(_is_finite, value))
            or min(value[2:]) <= 0
        ):
            raise self._wrong("head", "[x, y, width, height] in pixels of the picture")
        return (float(value[0]), float(value[1]), float(value[2]), float(value[3]))

    def driving(self) -> Driving | None:
        value = self._content.get("driving")
        if value is None:
            return None
        settings = {"video": value} if isinstance(value, str) else value
        right = f"a video, or video, mode ({', '.join(MODES)}) and best_frame (true or false)"
        if not isinstance(settings, dict) or not set(settings) <= {"video", "mode", "best_frame"}:
            raise self._wrong("driving", right)
        video, mode = settings.get("video"), settings.get("mode", MODES[0])
        best = settings.get("best_frame", False)
        if not isinstance(video, str) or not video or mode not in MODES or not isinstance(best, bool):
            raise self._wrong("driving", right)
        return Driving(self._path.parent / video, mode, best)

    def defaults(self) -> dict[str, float]:
        value = self._content.get("defaults")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(
            isinstance(k, str) and _is_finite(v) for k, v in value.items()
        ):
            raise self._wrong("defaults", "channel names with numbers")
        return {name: float(number) for name, number in value.items()}


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def character_text(character: Character, file: Path) -> str:
    """The character as the text of a version 1 file that will stand at ``file``."""

    def relative(path: Path | None) -> str | None:
        if path is None:
            return None
        try:
            return Path(os.path.relpath(path.resolve(), file.resolve().parent)).as_posix()
        except ValueError:  # on another drive
            return path.resolve().as_posix()

    model = character.model
    if isinstance(model, Path) or (model and (character.folder / model).exists()):
        model = relative(character.folder / model) or str(model)
    content: dict[str, Any] = {
        "keywarp": VERSION,
        "picture": relative(character.picture),
        "hd_picture": relative(character.hd_picture),
        "model": str(model) or None,
        "framing": None if character.framing is None else dict(vars(character.framing)),
        "head": None if character.head is None else list(character.head),
        "move_mask": relative(character.move_mask),
        "driving": character.driving
        and {**vars(character.driving), "video": relative(character.driving.video)},
        "defaults": dict(character.defaults) or None,
        "licence": character.licence or None,
        "credit": character.credit or None,
        **character.extra,
    }
    known = {key: value for key, value in content.items() if value is not None}
    text: str = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    return text
