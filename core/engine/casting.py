# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that are ready to be drawn, kept between requests, and noticed when their files change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from keywarp.core.canvas import Fit
from keywarp.core.character import Character, load_character
from keywarp.core.models.base import ModelInfo
from keywarp.core.models.registry import model_folders
from keywarp.core.render.performer import Performer
from keywarp.core.render.stage import Stage
from keywarp.core.runtime.progress import report
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

MAX_IDLE_BYTES = 1 << 30
"""That stages may take which no stream asks for."""
BYTES_PER_PIXEL = 48
"""Of a stage: the still frame and the residuals of its levels, float32 RGBA."""
MAX_FILES = 1000
"""Of a model's folder, that are looked at for changes."""

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Role:
    """A character, the model that poses it, and the device: what one thread draws."""

    character: str
    model: str | None
    device: str
    driving: str | None = None
    """The driving video that takes the place of the character's own."""


@dataclass(frozen=True)
class Shot:
    """What a stage is made for, beyond its character."""

    size: tuple[int, int] | None
    fit: Fit
    draft: bool


def read_character(reference: str, model: str | None, driving: str | None = None) -> Character:
    """The character that a host names, with the driving video that it names; raises ``KeywarpError``."""
    for path in filter(None, (reference, driving)):
        if not Path(path).is_absolute():
            raise KeywarpError(f"{path} is a relative path; a host has to name characters by whole paths")
    who = load_character(reference, model)
    return who if driving is None else who.following(Path(driving))


def check_defaults(who: Character, model: ModelInfo) -> None:
    """Raises ``KeywarpError`` where a default is no channel of the model."""
    for name in who.defaults:
        try:
            space(model.space).index(name)
        except KeywarpError as error:
            raise KeywarpError(f"{who.name}: in its defaults, {error}") from None


def files_of(who: Character, reference: str) -> list[Path]:
    """The files that a character's frames depend on, as far as they are there."""
    files = {Path(reference), who.picture}
    files |= {path for path in (who.hd_picture, who.move_mask) if path is not None}
    files |= {who.driving.video} if who.driving is not None else set()
    places = [who.folder / who.model, *(folder / who.model for folder in model_folders())]
    for path in places:
        if path.is_file():
            files.add(path)
            path = path.parent
        if path.is_dir():
            files |= {entry for entry, _ in zip(sorted(path.iterdir()), range(MAX_FILES)) if entry.is_file()}
    if Path(reference).is_dir():
        files |= {path for path in Path(reference).iterdir() if path.suffix in (".yaml", ".yml")}
    return sorted(files)


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Times and sizes of files; those that are missing count as such."""
    found = []
    for path in files:
        try:
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((str(path), 0, -1))
    return tuple(found)


class Actor:
    """One role's character with its stages; one thread uses them, any may let go of them."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self._changing = threading.Lock()
        self._stages: dict[Shot, Stage] = {}
        self._used: dict[Shot, float] = {}
        self._performer: Performer | None = None
        self._files: list[Path] = []
        self._stamp: Stamp = ()

    def ready(self, shot: Shot) -> bool:
        return shot in self._stages

    def stage(self, shot: Shot) -> Stage:
        """The stage for a shot, of the files as they are now; raises ``KeywarpError``."""
        if self._performer is None or stamp_of(self._files) != self._stamp:
            report("loading", 0.0)
            self._performer = self._load()
        stage = self._stages.get(shot)
        if stage is None:
            report("preparing", 0.0)
            stage = Stage(self._performer, size=shot.size, fit=shot.fit, draft=shot.draft)
        with self._changing:
            self._stages[shot], self._used[shot] = stage, time.monotonic()
        return stage

    def _load(self) -> Performer:
        with self._changing:
            self._stages.clear()
            self._performer = None
        who = read_character(self.role.character, self.role.model, self.role.driving)
        self._files = files_of(who, self.role.character)
        # Before the files are read: one that changes while it is read is read again.
        self._stamp = stamp_of(self._files)
        check_defaults(who, who.find_model().info)
        return Performer(who, self.role.device)

    def kept(self) -> list[tuple[float, Shot, Stage]]:
        """(when it was last used, what it is for, the stage), of each."""
        with self._changing:
            return [(self._used[shot], shot, stage) for shot, stage in self._stages.items()]

    def let_go(self, shot: Shot) -> None:
        with self._changing:
            self._stages.pop(shot, None)
            self._used.pop(shot, None)


def bytes_of(stage: Stage) -> int:
    """About what a stage takes."""
    return stage.view.width * stage.view.height * BYTES_PER_PIXEL


class Company:
    """All actors; keeps the memory that idle stages take within bounds."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._actors: dict[Role, Actor] = {}

    def actor(self, role: Role) -> Actor:
        with self._changing:
            return self._actors.setdefault(role, Actor(role))

    def _all(self) -> list[tuple[float, Shot, Stage, Actor]]:
        with self._changing:
            actors = list(self._actors.values())
        return [(*each, actor) for actor in actors for each in actor.kept()]

    def trim(self, engaged: Set[tuple[Role, Shot]]) -> None:
        """Let the stages go that were used the longest ago, and are not ``engaged``, while those take too much."""
        idle = [each for each in self._all() if (each[3].role, each[1]) not in engaged]
        total = sum(bytes_of(stage) for _, _, stage, _ in idle)
        for _, shot, stage, actor in sorted(idle, key=lambda each: each[0]):
            if total <= MAX_IDLE_BYTES:
                break
            total -= bytes_of(stage)
            actor.let_go(shot)

    def listing(self) -> list[dict[str, object]]:
        """What is ready, for whoever asks."""
        return [
            {
                "character": actor.role.character,
                "model": actor.role.model,
                "device": stage.device,
                "size": [stage.view.width, stage.view.height],
                "fit": shot.fit,
                "draft": shot.draft,
                "bytes": bytes_of(stage),
            }
            for _, shot, stage, actor in self._all()
        ]
