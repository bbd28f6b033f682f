# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is photographed, and in which poses (papers/hfwb, section V-B: 27 for each character)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

import keywarp.core.studio as studio_package
from keywarp.core.head import HeadTarget
from keywarp.core.runtime.cache import content_hash
from keywarp.core.studio.actor import HEAD, SPACES, Actor
from keywarp.core.studio.annotate import target_count
from keywarp.core.studio.camera import HEADS, MIN_SIDE
from keywarp.core.studio.dataset import Character
from keywarp.core.studio.generator.assemble import annotation
from keywarp.core.studio.generator.source import WORD, generated_character
from keywarp.core.studio.palette import STYLES
from keywarp.core.studio.sampling import SCHEMES, Draw, Scheme
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.clips import shipped
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load
from keywarp.keyframes.mappings import convert
from keywarp.keyframes.spaces import space

HELD_OUT = range(50)
"""Seeds of the generated characters on which nothing is trained."""
POSES = 27
"""Of each character: the head turned about each of its axes to one end, not at all, or to the other."""
SECONDS, RATE = 5, 24
"""Of the clip by which steadiness is judged."""
_CLIP = "thinking"
_POOL = 125
"""Expressions of a scheme among which those of a character are drawn."""
_SPACE = "animeceleb20gaze"
"""In which space poses are drawn for models whose own a 3D character cannot strike."""


Opened = Callable[[int], Character]
"""A character, as finely painted as pictures of so many pixels need."""


@dataclass(frozen=True)
class Subject:
    """A character before the camera."""

    name: str
    kind: str
    """``generated``, or ``named`` where a person named its file."""
    style: str
    space: str
    """In which the poses are."""
    rest: Poses
    """The pose of the rest picture, (C,)."""
    draws: Sequence[Draw]
    """What it is to do; ``group`` says how far its head is turned."""
    key: str
    """A hash of whatever decides its pictures, but for style and poses."""
    licence: str
    actor: Callable[[int], Actor]
    """For pictures of so many pixels."""


def posable(model_space: str) -> str:
    """The space in which poses are drawn for a model: its own where 3D characters can be posed in it."""
    return model_space if model_space in SPACES else _SPACE


def framing_of(target: HeadTarget | None) -> str:
    """How photographs are framed for a model: as nearly as it expects the head."""
    if target is None:
        return next(iter(HEADS))
    return min(HEADS, key=lambda name: abs(HEADS[name].side - target.side) + abs(HEADS[name].cy - target.cy))


def style_of(number: int) -> str:
    """The styles in turn."""
    return list(STYLES)[number % len(STYLES)]


def generated_subject(seed: int, space_name: str, framing: str, style: str) -> Subject:
    """The character of a seed."""
    chosen = _scheme(space_name)

    def actor(side: int) -> Actor:
        made = generated_character(seed, side)
        return Actor(made.figure, made.annotation, framing)

    known = annotation()
    return Subject(
        f"{WORD}{seed}",
        "generated",
        style,
        space_name,
        chosen.rest(),
        turned(chosen, known.keys(), target_count(known), seed),
        content_hash([_code(), f"{seed} {framing}".encode()]),
        "CC0-1.0",
        actor,
    )


def named_subject(opened: Opened, space_name: str, framing: str, style: str) -> Subject:
    """A character that a person has named."""
    chosen, character = _scheme(space_name), opened(MIN_SIDE)

    def actor(side: int) -> Actor:
        figure = opened(side)
        return Actor(figure.figure, figure.annotation, framing)

    draws = turned(chosen, character.annotation.keys(), character.targets, len(HELD_OUT))
    return Subject(
        character.identity,
        "named",
        style,
        space_name,
        chosen.rest(),
        draws,
        figure_key(character, framing),
        character.licence,
        actor,
    )


def figure_key(character: Character, framing: str) -> str:
    """A hash of a figure, its annotation, its framing, and of the program that photographs it."""
    figure = character.figure
    arrays = (figure.positions, figure.triangles, figure.uv, figure.weights, *figure.textures)
    said = repr(sorted((name, tuple(parts)) for name, parts in character.annotation.items()))
    return content_hash(
        [_code(), f"{framing} {said}".encode(), *(np.ascontiguousarray(part).tobytes() for part in arrays)]
    )


@cache
def _code() -> bytes:
    """A hash of the photographer and the generator: what they change, they change in every picture."""
    folders = [Path(folder) for folder in studio_package.__path__]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return content_hash(path.read_bytes() for path in files).encode()


def _scheme(space_name: str) -> Scheme:
    return next(each for each in SCHEMES.values() if each.space == space_name)


def turned(scheme: Scheme, channels: Collection[str], targets: int, seed: int) -> list[Draw]:
    """``POSES`` expressions of a scheme, each with another turn of the head."""
    poses, chance = space(scheme.space), np.random.default_rng(seed)
    pool = scheme.poses(channels, targets, seed, _POOL)
    chosen = chance.choice(len(pool), POSES, replace=False)
    columns = [poses.index(name) for name, _ in HEAD[scheme.space]]
    draws = []
    for number, turn in zip(chosen, itertools.product((0, -1, 1), repeat=len(columns)), strict=True):
        pose = pool[number].pose.copy()
        for column, sign in zip(columns, turn, strict=True):
            pose[column] = poses.channels[column].maximum * sign
        draws.append(Draw(pose, f"{sum(map(abs, turn))}"))
    return draws


def with_count(subject: Subject, places: Sequence[int]) -> Subject:
    """The subject with some of its poses."""
    return replace(subject, draws=[subject.draws[place] for place in places])


def in_motion(subject: Subject) -> Subject:
    """The subject in ``SECONDS`` of a clip that comes with keywarp, frame by frame."""
    clip = load(shipped()[_CLIP]).clip
    frames = clip.start + np.arange(SECONDS * RATE) * clip.fps / RATE
    poses = convert(clip.sample(frames), clip.space, subject.space)
    return replace(subject, draws=[Draw(np.asarray(pose), "clip") for pose in poses])


def photograph_side(side: int) -> int:
    """Raises ``KeywarpError`` for a network too small to be compared with photographs."""
    if side < MIN_SIDE:
        raise KeywarpError(
            f"the model draws {side}x{side} pixels; photographs are taken from {MIN_SIDE}x{MIN_SIDE} on"
        )
    return side
