# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets of photographs: a plan of pictures, and its execution into shards, which can be resumed."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from keywarp.core.layered import Layered
from keywarp.core.opencv import cv2
from keywarp.core.studio.actor import Actor, read_pose
from keywarp.core.studio.annotate import Annotation, annotate, read_annotation, target_count
from keywarp.core.studio.figure import Figure, Floats
from keywarp.core.studio.layers import Peeler, vertex_fields
from keywarp.core.studio.load import load_figure
from keywarp.core.studio.photograph import Shot, Studio
from keywarp.core.studio.sampling import Draw, Scheme
from keywarp.core.studio.steps import SPACE, on_the_way, without_brows
from keywarp.core.training.sample import REGIONS, Pixels, Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

ANNOTATION = ".annotation.yaml"
"""What a character's annotation is called, behind the character's own name."""
_AHEAD = 4
"""Pictures that wait to be written, a worker."""
_ROUND_FACE = 0.04
"""How far the face's mask reaches beyond what its features move, in sides of the picture."""
_ROUND_PART = 0.008
"""The same of eyes and mouth."""


@dataclass(frozen=True)
class Character:
    """A 3D character and what is known about it."""

    identity: str
    """Its name in data sets: letters, digits, ``_`` and ``-``."""
    figure: Figure
    annotation: Annotation
    licence: str
    credit: str

    @cached_property
    def targets(self) -> int:
        """How many of AnimeCeleb's target morphs it has."""
        return target_count(self.annotation)


def open_character(
    path: Path, exporter: Sequence[str | Path] | None = None, annotations: Path | None = None
) -> Character:
    """The character in a file, annotated as the YAML beside it says, else by its morphs' names.

    ``annotations``: the folder of those files, where they do not lie beside the characters. Raises
    ``KeywarpError`` where the character cannot be used.
    """
    figure = load_figure(path, exporter)
    beside = annotation_file(path, annotations)
    if not beside.exists():
        found = annotate(figure)
        return Character(identity(path), figure, found, figure.licence, figure.credit)
    said = read_yaml(beside)
    return Character(
        identity(path),
        figure,
        read_annotation(beside, figure),
        str(said.get("licence") or figure.licence),
        str(said.get("credit") or figure.credit),
    )


def annotation_file(path: Path, annotations: Path | None) -> Path:
    """Where a character's annotation is kept."""
    return (annotations or path.parent) / f"{path.stem}{ANNOTATION}"


def identity(path: Path) -> str:
    """A character's name in data sets, from its file's; names that lose letters get a mark of their own."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")
    if plain == path.stem:
        return plain
    return f"{plain or 'character'}-{hashlib.sha256(path.stem.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class Order:
    """What is to be photographed of every character."""

    scheme: Scheme
    styles: tuple[str, ...] = ("flat",)
    side: int = 256
    framing: str = "head"
    count: int | None = None
    """Pictures of a character in each style; ``None``: as many as the scheme says."""
    seed: int = 0
    stages: bool = False
    """Whether the pictures between rest and pose are taken, too."""
    layers: bool = False
    """Whether the rest picture's layers are taken, too."""

    def __post_init__(self) -> None:
        if self.stages and self.scheme.space != SPACE:
            raise KeywarpError(f"stages are those of the scheme tha45, not of {self.scheme.name}")


@dataclass(frozen=True)
class Task:
    """One picture of the plan."""

    key: str
    style: str
    draw: Draw


def plan(character: Character, order: Order) -> list[Task]:
    """Every picture of a character. Styles differ in their poses, too, so that more of these are seen."""
    tasks = []
    for style in order.styles:
        own = hashlib.sha256(f"{character.identity} {style} {order.seed}".encode()).digest()
        draws = order.scheme.poses(
            character.annotation.keys(), character.targets, int.from_bytes(own[:8], "little"), order.count
        )
        tasks += [
            Task(f"{character.identity}-{order.scheme.name}-{style}-{order.side}-{i:05d}", style, draw)
            for i, draw in enumerate(draws)
        ]
    return tasks


def photograph(
    character: Character,
    order: Order,
    writer: ShardWriter,
    workers: int = 2,
    advance: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Add to the shards what of a character's plan they lack; how many pictures that were.

    Raises ``KeywarpError`` where the character cannot be photographed.
    """
    every = plan(character, order)
    tasks = [task for task in every if task.key not in writer.written]
    if not tasks:
        return 0
    session = _Session(Actor(character.figure, character.annotation, order.framing), character, order)
    done = len(every) - len(tasks)
    for sample in _in_order(session.sample, tasks, workers):
        writer.add(sample)
        done += 1
        advance(done, len(every))
    return len(tasks)


def _in_order(work: Callable[[Task], Sample], tasks: Sequence[Task], workers: int) -> Iterator[Sample]:
    """The samples in the plan's order, made side by side, a few ahead of what is written."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Sample]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Session:
    """A character before the camera, in every style of an order."""

    def __init__(self, actor: Actor, character: Character, order: Order) -> None:
        self._actor, self._character, self._order = actor, character, order
        rest = read_pose(order.scheme.space, order.scheme.rest())
        self._studios: dict[str, Studio] = {}
        self._apart: dict[str, dict[str, Pixels]] = {}
        self._layered: dict[str, Layered] = {}
        for style in order.styles:
            self._studios[style] = actor.studio(order.side, style, rest)
        for studio in self._studios.values():
            if not studio.rest[..., 3].any():
                raise KeywarpError(f"{character.figure.name}: the rest picture shows nothing")
        if order.layers:
            fields = vertex_fields(actor, rest)
            for style, studio in self._studios.items():
                self._layered[style] = Peeler(actor, studio, fields).with_inside()
        if order.stages:
            for style, studio in self._studios.items():
                self._apart[style] = without_brows(character.figure.name, studio)

    def sample(self, task: Task) -> Sample:
        pose = read_pose(self._order.scheme.space, task.draw.pose)
        studio = self._studios[task.style]
        shot = studio.shot(self._actor.placed(pose))
        about = {
            "style": task.style,
            "group": task.draw.group,
            "scheme": self._order.scheme.name,
            "framing": self._order.framing,
            "licence": self._character.licence,
            "credit": self._character.credit,
        }
        return Sample(
            key=task.key,
            identity=self._character.identity,
            posed=shot.picture,
            poses={self._order.scheme.space: task.draw.pose},
            rest=studio.rest,
            flow=shot.flow,
            visible=shot.visible,
            regions=masks(shot),
            stages=self._stages(task, studio),
            layered=self._layered.get(task.style),
            about=about,
        )

    def _stages(self, task: Task, studio: Studio) -> dict[str, Pixels]:
        if not self._order.stages:
            return {}
        rest = self._order.scheme.rest()
        return {**self._apart[task.style], **on_the_way(self._actor, studio, rest, task.draw.pose)}


def masks(shot: Shot) -> dict[str, Floats]:
    """The regions of a photograph as losses weigh them: what the features move, and a little around it.

    The face is the convex hull of everything that they move.
    """
    side = len(shot.picture)
    found = {}
    for name in REGIONS:
        mask = shot.regions[name]
        if not (mask > 0.5).any():
            continue
        seen = (mask > 0.5).astype(np.uint8)
        if name == "face":
            points = cv2.findNonZero(seen)
            cv2.fillConvexPoly(seen, cv2.convexHull(points), 1)
        reach = max(round((_ROUND_FACE if name == "face" else _ROUND_PART) * side), 1)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        found[name] = cv2.dilate(seen, kernel).astype(np.float32)
    return found
