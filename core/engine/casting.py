# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that are ready to be drawn, kept between requests, and noticed when their files change."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from keywarp.core.canvas import Fit
from keywarp.core.character import Character, load_character
from keywarp.core.models.base import ModelInfo
from keywarp.core.models.registry import model_folders
from keywarp.core.render.stage import Stage
from keywarp.core.runtime.progress import report
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

MAX_BYTES = 3 << 30
"""Of pictures and their levels that are kept for stages which nothing was asked of for longest."""
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


@dataclass(frozen=True)
class Shot:
    """What a stage is made for, beyond its character."""

    size: tuple[int, int] | None
    fit: Fit
    draft: bool


def known_character(role_character: str, model: str | None) -> tuple[Character, ModelInfo]:
    """The character and what its model is; raises ``KeywarpError`` where one of them cannot be used."""
    if not Path(role_character).is_absolute():
        raise KeywarpError(
            f"{role_character} is a relative path; a host has to name characters by whole paths"
        )
    who = load_character(role_character, model)
    info = who.find_model().info
    for name in who.defaults:
        try:
            space(info.space).index(name)
        except KeywarpError as error:
            raise KeywarpError(f"{role_character}: in its defaults, {error}") from None
    return who, info


def files_of(who: Character, reference: str) -> list[Path]:
    """The files that a character's frames depend on, as far as they are there."""
    files = {Path(reference), who.picture}
    files |= {path for path in (who.hd_picture, who.move_mask) if path is not None}
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


@dataclass
class Actor:
    """One role's character with its stages; for one thread."""

    role: Role
    stages: OrderedDict[Shot, Stage] = field(default_factory=OrderedDict)
    files: list[Path] = field(default_factory=list)
    stamp: Stamp = ()
    used: float = 0.0

    def stage(self, shot: Shot) -> Stage:
        """The stage for a shot, of the files as they are now; raises ``KeywarpError``."""
        if self.files and stamp_of(self.files) != self.stamp:
            self.stages.clear()
        if shot not in self.stages:
            self.stages[shot] = self._make(shot)
        self.stages.move_to_end(shot)
        self.used = time.monotonic()
        return self.stages[shot]

    def _make(self, shot: Shot) -> Stage:
        report("loading", 0.0)
        who, _ = known_character(self.role.character, self.role.model)
        files = files_of(who, self.role.character)
        stamp = stamp_of(files)
        if not self.stages:
            self.files, self.stamp = files, stamp
        sibling = next(iter(self.stages.values()), None)
        return Stage(
            who,
            size=shot.size,
            fit=shot.fit,
            device=self.role.device,
            draft=shot.draft,
            artwork=None if sibling is None else sibling.artwork,
        )

    def bytes_of(self, shot: Shot) -> int:
        view = self.stages[shot].view
        return view.width * view.height * BYTES_PER_PIXEL


class Company:
    """All actors; keeps the memory that idle stages take within bounds."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._actors: dict[Role, Actor] = {}

    def actor(self, role: Role) -> Actor:
        with self._changing:
            return self._actors.setdefault(role, Actor(role))

    def trim(self, keep: set[tuple[Role, Shot]]) -> None:
        """Let the oldest stages go that nobody has a stream for, while together they take too much."""
        with self._changing:
            idle = [
                (actor.used, actor, shot)
                for actor in self._actors.values()
                for shot in list(actor.stages)
                if (actor.role, shot) not in keep
            ]
            idle.sort(key=lambda each: each[0])
            total = sum(actor.bytes_of(shot) for _, actor, shot in idle)
            for _, actor, shot in idle:
                if total <= MAX_BYTES:
                    break
                total -= actor.bytes_of(shot)
                del actor.stages[shot]

    def listing(self) -> list[dict[str, object]]:
        """What is ready, for whoever asks."""
        with self._changing:
            return [
                {
                    "character": actor.role.character,
                    "model": actor.role.model,
                    "device": stage.device,
                    "size": [stage.view.width, stage.view.height],
                    "fit": shot.fit,
                    "draft": shot.draft,
                    "bytes": actor.bytes_of(shot),
                }
                for actor in self._actors.values()
                for shot, stage in list(actor.stages.items())
            ]
