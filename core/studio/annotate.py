# SPDX-License-Identifier: GPL-3.0-or-later
"""Which morphs of a figure show which feature of a face: found by their names, corrected by a person.

Papers/animeceleb, section 2.1, step C: group annotation by names, then individual inspection. The features are
``tha45``'s; AnimeCeleb's 23 target morphs (nine of the eyes, nine of the brows: three each for both sides, the left
and the right; five of the mouth) are those of them that ``TARGETS`` names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keywarp.core.studio.figure import Figure, Floats, Morph
from keywarp.core.studio.names import SIDED, SIDES, WHOLE, Name, Recipe, folded
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

Side = Literal["left", "right"]

TARGETS: Mapping[str, tuple[str, ...]] = {
    "Eyes": ("eye_wink", "eye_surprised", "eye_happy_wink"),
    "Brows": ("eyebrow_angry", "eyebrow_troubled", "eyebrow_raised"),
    "Mouth": ("mouth_aaa", "mouth_eee", "mouth_iii", "mouth_ooo", "mouth_uuu"),
}
"""By part, the features of AnimeCeleb's target morphs."""
CHANNELS = (*(f"{stem}_{side}" for stem in SIDED for side in SIDES), *WHOLE)
"""What may be annotated: tha45's channels of the face, and four directions of gaze."""
VERSION = 1
_SEAM = 0.02
"""Half the width, in widths of what moves, over which a morph of both sides is divided in the middle."""


@dataclass(frozen=True)
class Part:
    """A source morph, how far it is taken, and of which side of the face."""

    morph: str
    weight: float = 1.0
    side: Side | None = None
    """The character's side to which a morph of both sides is held; ``None``: all of it."""


#: Channel to the morphs that show it together.
Annotation = Mapping[str, tuple[Part, ...]]


def annotate(figure: Figure) -> dict[str, tuple[Part, ...]]:
    """Match a figure's morphs to channels by their names."""
    book = _Book(figure.morphs)
    found: dict[str, tuple[Part, ...]] = {}
    for stem, feature in SIDED.items():
        named = book.pair(feature.names)
        for side, name in zip(SIDES, named, strict=False):
            found[f"{stem}_{side}"] = (Part(name, side=None if named[0] != named[1] else _side(side)),)
        for side in SIDES if not named else ():
            if mixed := book.mixed(feature.mixed, (side,)):
                found[f"{stem}_{side}"] = tuple(_held(figure, part, _side(side)) for part in mixed)
        _check_sides(figure, found, stem)
    for channel, feature in WHOLE.items():
        named = book.pair(feature.names)
        parts: tuple[Part, ...] = (Part(named[0]),) if named else book.mixed(feature.mixed, tuple(SIDES))
        if parts:
            found[channel] = parts
    _check_gaze(figure, found)
    return found


class _Book:
    """A figure's morphs by their folded names; the first of several wins."""

    def __init__(self, morphs: Mapping[str, Morph]) -> None:
        self.names = {folded(name): name for name in reversed(list(morphs))}

    def pair(self, names: Sequence[Name]) -> tuple[str, ...]:
        """The morphs for left and right by the first of these names that the figure has, twice the same where one
        is for both; nothing where it has none."""
        for name in names:
            for spelt in _spelt(name):
                if all(each in self.names for each in spelt):
                    return tuple(self.names[each] for each in spelt)
        return ()

    def mixed(self, recipes: Sequence[Recipe], sides: Sequence[str]) -> tuple[Part, ...]:
        """The first recipe of which the figure has everything."""
        for recipe in recipes:
            parts = []
            for name, weight in recipe:
                spelt = [name] if "{}" not in name else [name.format(side) for side in sides]
                parts += [(self.names.get(each), weight) for each in spelt]
            if all(name for name, _ in parts):
                return tuple(Part(str(name), weight) for name, weight in parts)
        return ()


def _spelt(name: Name) -> Iterator[tuple[str, str]]:
    """How left and right of a name may be written."""
    if isinstance(name, tuple):
        yield name
    elif "{}" not in name:
        yield name, name
    else:
        for left, right in zip(*SIDES.values(), strict=True):
            yield name.format(left), name.format(right)


def _side(name: str) -> Side:
    return "left" if name == "left" else "right"


def _held(figure: Figure, part: Part, side: Side) -> Part:
    """The part, held to its side where its morph moves both."""
    return part if _leans(figure, [part]) else Part(part.morph, part.weight, side)


def _leans(figure: Figure, parts: Iterable[Part]) -> int:
    """1 where parts move the character's left alone, -1 its right, 0 both."""
    left = right = 0.0
    for part in parts:
        morph = figure.morphs[part.morph]
        moved = np.linalg.norm(morph.offsets, axis=1) * abs(part.weight)
        x = figure.positions[morph.vertices, 0]
        left += float(moved[x > 0].sum()) * (part.side != "right")
        right += float(moved[x < 0].sum()) * (part.side != "left")
    if min(left, right) > 0.1 * max(left, right):
        return 0
    return 1 if left > right else -1


def _check_sides(figure: Figure, found: dict[str, tuple[Part, ...]], stem: str) -> None:
    """Exchange left and right where the names say one thing and the geometry another."""
    left, right = found.get(f"{stem}_left"), found.get(f"{stem}_right")
    if left and right and _leans(figure, left) < 0 < _leans(figure, right):
        found[f"{stem}_left"], found[f"{stem}_right"] = right, left


def _check_gaze(figure: Figure, found: dict[str, tuple[Part, ...]]) -> None:
    left, right = found.get("gaze_left"), found.get("gaze_right")
    if left and right and _sideways(figure, left) > 0 > _sideways(figure, right):
        found["gaze_left"], found["gaze_right"] = right, left


def _sideways(figure: Figure, parts: Iterable[Part]) -> float:
    return sum(float(figure.morphs[part.morph].offsets[:, 0].sum()) * part.weight for part in parts)


def moved(figure: Figure, parts: Sequence[Part]) -> Morph:
    """What parts move together, as one morph, each vertex once."""
    vertices, offsets = [], []
    for part in parts:
        morph = figure.morphs[part.morph]
        share = np.full(len(morph.vertices), part.weight, np.float32)
        if part.side is not None:
            share *= _on_side(figure.positions[morph.vertices, 0], part.side)
        vertices.append(morph.vertices)
        offsets.append(morph.offsets * share[:, None])
    which, place = np.unique(np.concatenate(vertices), return_inverse=True)
    total = np.zeros((len(which), 3), np.float32)
    np.add.at(total, place.reshape(-1), np.concatenate(offsets))
    return Morph("", which.astype(np.int32), total)


def _on_side(x: Floats, side: Side) -> Floats:
    """How much of each vertex belongs to a side: by the sign of x, with a narrow seam."""
    width = float(np.ptp(x)) if len(x) else 0.0
    across = np.clip(x / max(2 * _SEAM * width, 1e-9) + 0.5, 0.0, 1.0)
    return np.asarray(across if side == "left" else 1.0 - across, np.float32)


def target_count(annotation: Annotation) -> int:
    """How many of AnimeCeleb's 23 target morphs there are."""
    count = sum(stem in annotation for stem in TARGETS["Mouth"])
    for stem in (*TARGETS["Eyes"], *TARGETS["Brows"]):
        sides = sum(f"{stem}_{side}" in annotation for side in SIDES)
        count += 3 if sides == 2 else sides
    return count


def to_yaml(annotation: Annotation, licence: str = "", credit: str = "") -> dict[str, Any]:
    """The mapping that is kept in a file beside the character, for a person to correct."""
    channels = {
        channel: [{"morph": part.morph, "weight": part.weight} | _said(part) for part in parts]
        for channel, parts in annotation.items()
    }
    return {"keywarp_annotation": VERSION, "licence": licence, "credit": credit, "channels": channels}


def _said(part: Part) -> dict[str, str]:
    return {} if part.side is None else {"side": part.side}


def read_annotation(path: Path, figure: Figure) -> dict[str, tuple[Part, ...]]:
    """What a person's file says; raises ``KeywarpError`` where it names what there is not."""
    content = read_yaml(path)
    if content.get("keywarp_annotation") != VERSION or not isinstance(content.get("channels"), dict):
        raise KeywarpError(f"{path} should begin with `keywarp_annotation: {VERSION}` and hold `channels`")
    found = {}
    for channel, parts in content["channels"].items():
        if channel not in CHANNELS:
            raise KeywarpError(f"{path}: {channel!r} is no channel of a face that can be annotated")
        if not isinstance(parts, list):
            raise KeywarpError(f"{path}: {channel} should be a list of morphs")
        if parts:
            found[channel] = tuple(_part(path, channel, part, figure) for part in parts)
    return found


def _part(path: Path, channel: str, said: Any, figure: Figure) -> Part:
    entry = said if isinstance(said, dict) else {"morph": said}
    name, weight, side = entry.get("morph"), entry.get("weight", 1.0), entry.get("side")
    if name not in figure.morphs:
        raise KeywarpError(f"{path}: {channel} names the morph {name!r}, which {figure.name} does not have")
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight) or abs(weight) > 4:
        raise KeywarpError(f"{path}: the weight of {name!r} in {channel} should be a number from -4 to 4")
    if side not in (None, "left", "right"):
        raise KeywarpError(f"{path}: the side of {name!r} in {channel} should be left or right")
    return Part(str(name), float(weight), side)
