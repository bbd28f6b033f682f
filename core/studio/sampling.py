# SPDX-License-Identifier: GPL-3.0-or-later
"""Which poses are photographed: the schemes of the published data sets, and free poses of THA's 45 parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.annotate import TARGETS
from keywarp.core.studio.names import SIDES
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space
from keywarp.keyframes.spaces.animeceleb20 import HEAD_DEGREES

ENOUGH_TARGETS = 5
"""A character with more target morphs than this is photographed often (papers/animeceleb, section 2.1)."""
MANY, FEW = 100, 20
EXPRESSIONS, EXPRESSION_LEVELS = 150, 5
HEAD_POSES, HEAD_LEVELS = 1108, 9
"""AniTalk-2K's counts a character, and steps from end to end of a channel (papers/hfwb, section III-B)."""

#: tha45's features of AnimeCeleb's target morphs to that space's channels.
_ANIMECELEB: Mapping[str, str] = {
    "eye_wink": "eye_closed",
    "eye_surprised": "eye_wide",
    "eye_happy_wink": "eye_smile",
    "eyebrow_angry": "brow_angry",
    "eyebrow_troubled": "brow_sad",
    "eyebrow_raised": "brow_raised",
    "mouth_aaa": "mouth_a",
    "mouth_eee": "mouth_e",
    "mouth_iii": "mouth_i",
    "mouth_ooo": "mouth_o",
    "mouth_uuu": "mouth_u",
}


@dataclass(frozen=True)
class Draw:
    """A pose that is to be photographed."""

    pose: Poses
    """(C,)."""
    group: str
    """Which of the scheme's groups of pictures it belongs to."""


@dataclass(frozen=True)
class Scheme:
    """How poses are chosen."""

    name: str
    space: str
    description: str
    rest: Callable[[], Poses]
    """The pose of the rest picture, (C,)."""
    draws: Callable[[Collection[str], int, np.random.Generator], Iterator[Draw]]
    """Of the annotated channels, AnimeCeleb's count of target morphs, and chance: the poses, in their order."""

    def poses(
        self, channels: Collection[str], targets: int, seed: int, count: int | None = None
    ) -> list[Draw]:
        """The poses for one character; ``count``: only the first so many, or further ones where the scheme has no
        end of its own."""
        drawn = self.draws(channels, targets, np.random.default_rng(seed))
        if count is None:
            count = _own_count(self.name, targets)
        return list(itertools.islice(drawn, count))


def _own_count(name: str, targets: int) -> int | None:
    if name.startswith("animeceleb"):
        return MANY if targets > ENOUGH_TARGETS else FEW
    return MANY if name == "tha45" else None


def scheme(name: str) -> Scheme:
    """The scheme called ``name``; raises ``KeywarpError`` where there is none."""
    if name not in SCHEMES:
        raise KeywarpError(f"there is no sampling scheme {name!r}; there are {', '.join(SCHEMES)}")
    return SCHEMES[name]


def _animeceleb(gaze: bool) -> Callable[[Collection[str], int, np.random.Generator], Iterator[Draw]]:
    """Papers/animeceleb, section 2.1: for each part a target morph of chance, its magnitude uniform; every second
    picture turned, by three uniform angles."""
    poses = space("animeceleb20gaze" if gaze else "animeceleb20")

    def draws(channels: Collection[str], _targets: int, chance: np.random.Generator) -> Iterator[Draw]:
        choices = {part: _target_morphs(stems, channels) for part, stems in TARGETS.items()}
        for index in itertools.count():
            pose = poses.rest()
            for morphs in choices.values():
                if morphs:
                    value = chance.uniform()
                    for channel in morphs[chance.integers(len(morphs))]:
                        pose[poses.index(channel)] = value
            if gaze:
                for name in ("gaze_vertical", "gaze_horizontal"):
                    pose[poses.index(name)] = chance.uniform(-1, 1) * (chance.uniform() < 0.5)
            for name in ("roll", "pitch", "yaw") if index % 2 else ():
                pose[poses.index(name)] = chance.uniform(-HEAD_DEGREES, HEAD_DEGREES)
            yield Draw(pose, "rotated-expression" if index % 2 else "frontalised-expression")

    return draws


def _target_morphs(stems: tuple[str, ...], channels: Collection[str]) -> list[tuple[str, ...]]:
    """The target morphs of a part, each as the channels of AnimeCeleb's space that it fills: one, or both sides."""
    found: list[tuple[str, ...]] = []
    for stem in stems:
        name = _ANIMECELEB[stem]
        if stem in channels:
            found.append((name,))
        sides = [f"{name}_{side}" for side in SIDES if f"{stem}_{side}" in channels]
        found += [(side,) for side in sides]
        found += [tuple(sides)] if len(sides) == 2 else []
    return found


def _anitalk(_channels: Collection[str], _targets: int, chance: np.random.Generator) -> Iterator[Draw]:
    """Papers/hfwb, section III-B, which tells counts and levels, but not which of their combinations: all of them,
    and as many more as are missing drawn again, expressions with a turned head and heads with an expression."""
    poses = space("anitalk6")
    faces = list(itertools.product(np.linspace(0, 1, EXPRESSION_LEVELS), repeat=3))
    heads = list(itertools.product(np.linspace(-1, 1, HEAD_LEVELS), repeat=3))
    at_rest = poses.rest()

    def joined(face: Sequence[float] | Poses, head: Sequence[float] | Poses) -> Poses:
        pose = at_rest.copy()
        pose[:3], pose[3:] = face, head
        return pose

    for i in range(EXPRESSIONS):
        face = faces[i] if i < len(faces) else faces[chance.integers(len(faces))]
        yield Draw(joined(face, at_rest[3:] if i < len(faces) else _one(heads, chance)), "expression")
    for i in range(HEAD_POSES):
        head = heads[i] if i < len(heads) else _one(heads, chance)
        yield Draw(joined(at_rest[:3] if i < len(heads) else _one(faces, chance), head), "head")


def _one(of: list[tuple[float, ...]], chance: np.random.Generator) -> tuple[float, ...]:
    return of[chance.integers(len(of))]


def _tha45(channels: Collection[str], _targets: int, chance: np.random.Generator) -> Iterator[Draw]:
    """Poses as they occur: a shape of brows, of eyes and of the mouth, gaze, head, body and breath."""
    poses = space("tha45")
    groups = {
        "eyebrow_": _stems("eyebrow_", channels),
        "eye_": _stems("eye_", channels),
        "mouth_": _stems("mouth_", channels),
    }
    while True:
        pose = _tha45_rest()
        for stems in groups.values():
            if stems and chance.uniform() < 0.85:
                _set_shape(pose, stems[chance.integers(len(stems))], chance)
        if "iris_small_left" in channels and chance.uniform() < 0.2:
            pose[[poses.index(f"iris_small_{side}") for side in SIDES]] = chance.uniform()
        for name in ("iris_rotation_x", "iris_rotation_y", "head_x", "head_y", "neck_z", "body_y", "body_z"):
            pose[poses.index(name)] = chance.uniform(-1, 1) * (chance.uniform() < 0.75)
        pose[poses.index("breathing")] = chance.uniform()
        yield Draw(pose, "free")


def _stems(prefix: str, channels: Collection[str]) -> list[tuple[str, ...]]:
    """The features of a group: a channel, or a pair."""
    sides = tuple(f"_{side}" for side in SIDES)
    found: dict[str, list[str]] = {}
    for name in space("tha45").names:
        if name.startswith(prefix) and name in channels:
            stem = name.rsplit("_", 1)[0] if name.endswith(sides) else name
            found.setdefault(stem, []).append(name)
    return [tuple(names) for names in found.values()]


def _set_shape(pose: Poses, names: tuple[str, ...], chance: np.random.Generator) -> None:
    """One value for both sides, most of the time."""
    value, alike = chance.uniform(), chance.uniform() < 0.7
    for name in names:
        pose[space("tha45").index(name)] = value if alike else chance.uniform()


def _tha45_rest() -> Poses:
    """A 3D character rests with its mouth closed."""
    return space("tha45").pose({"mouth_aaa": 0.0})


SCHEMES: Mapping[str, Scheme] = {
    each.name: each
    for each in (
        Scheme(
            "animeceleb",
            "animeceleb20",
            "AnimeCeleb: a morph a part, half of the pictures turned up to 20 degrees; 100 or 20 a character",
            space("animeceleb20").rest,
            _animeceleb(gaze=False),
        ),
        Scheme(
            "animeceleb-gaze",
            "animeceleb20gaze",
            "the same, and in half of the pictures the eyes look elsewhere",
            space("animeceleb20gaze").rest,
            _animeceleb(gaze=True),
        ),
        Scheme(
            "anitalk",
            "anitalk6",
            "AniTalk-2K: 150 expressions on 5 levels, 1108 head poses on 9 levels; at rest the mouth is open",
            space("anitalk6").rest,
            _anitalk,
        ),
        Scheme(
            "tha45",
            "tha45",
            "free poses of all 45 parameters; at rest the mouth is closed",
            _tha45_rest,
            _tha45,
        ),
    )
}
