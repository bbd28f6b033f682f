# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Motion of each system costs at its published size. Weights do not change that; they are drawn by chance."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from keywarp.core.bench.operations import counted
from keywarp.core.bench.rows import random_poses
from keywarp.core.character import Character
from keywarp.core.driving import Driving
from keywarp.core.framing import Framing
from keywarp.core.models.base import DrivenSource, Family
from keywarp.core.models.exported import Card
from keywarp.core.models.registry import DEMO, SHIPPED, families, find_model
from keywarp.core.picture import read_picture
from keywarp.core.render.performer import Performer
from keywarp.core.render.sinks import Output, open_sink
from keywarp.core.resample import square_picture
from keywarp.core.training.families import Trainable
from keywarp.core.training.recipe import load_recipe, presets

POSES = 3
PAPER = "paper"
FRAMES, FRAME_SIDE, SLIDE = 4, 256, 6
"""Of the driving video: a picture that slides by this many pixels from frame to frame."""


@runtime_checkable
class Specimens(Protocol):
    """What a family's ``FAMILY`` offers besides, where its published sizes are not those of its preset ``paper``."""

    def specimens(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """(what it is called, files of its folder by name), with weights drawn by chance."""
        ...


@dataclass(frozen=True)
class Cost:
    """What a Motion costs of which every channel has changed since the last one, without what depends on the picture
    alone."""

    name: str
    side: int
    """Pixels along a side of the square."""
    parameters: int
    multiply_adds: int
    """Of convolutions and matrix products."""
    processor_seconds: float
    """Of all cores together; median."""
    seconds: float
    """By the clock; median."""


def costs(picture: Path | None = None) -> Iterator[Cost]:
    """Each system's, one after another, on the CPU; ``picture``: what is animated, else the demo character's."""
    shown = picture or SHIPPED / DEMO / "character.png"
    for family in families():
        for name, folder in models(family):
            yield cost(name, folder, shown)


def models(family: Family) -> Iterator[tuple[str, Path]]:
    """(name, folder of a model) for each size of a family that a paper has; a folder lasts until the next."""
    import torch

    torch.manual_seed(0)
    if isinstance(family, Specimens):
        for name, files in family.specimens():
            with tempfile.TemporaryDirectory() as folder:
                for file, content in files.items():
                    (Path(folder) / file).write_bytes(content)
                yield name, Path(folder)
    elif isinstance(family, Trainable) and PAPER in presets(family.recipes):
        with tempfile.TemporaryDirectory() as folder:
            yield f"{family.name}, preset {PAPER}", _exported(family, Path(folder) / family.name)


def _exported(family: Trainable, folder: Path) -> Path:
    """The model that a run of the preset ``paper`` would become before its first step."""
    from keywarp.core.training.losses import perceptual_loss
    from keywarp.core.training.runs import place_model

    recipe = load_recipe(family.recipes, family.name, PAPER)
    learner = family.learner(recipe, perceptual_loss(None))
    weights: dict[str, Any] = {
        f"{network}.{name}": value.numpy()
        for network in learner.kept
        for name, value in learner.networks[network].state_dict().items()
    }
    parameters = sum(int(value.size) for value in weights.values())
    card = Card(family.name, PAPER, recipe.space, recipe.side, parameters)
    place_model(folder, card, family.export(recipe, weights))
    return folder


def cost(name: str, folder: Path, picture: Path) -> Cost:
    with _own_cache(), counted() as tally:
        who = Character(name, picture, folder, folder.parent)
        if isinstance(find_model(folder), DrivenSource):
            who = Character(name, picture, folder, folder.parent, driving=_driving(picture, folder))
        performer = Performer(who, "cpu")
        info = performer.model
        poses = random_poses(info.space, POSES + 1)
        if who.driving is not None:
            poses[:, 0] = np.arange(len(poses)) % FRAMES
        performer.motion(poses[0])
        before = tally.multiply_adds
        spent, took = [], []
        for pose in poses[1:]:
            clock, processor = time.perf_counter(), time.process_time()
            performer.motion(pose)
            took.append(time.perf_counter() - clock)
            spent.append(time.process_time() - processor)
        count = (tally.multiply_adds - before) // POSES
    return Cost(name, info.side, info.parameters, count, statistics.median(spent), statistics.median(took))


def _driving(picture: Path, folder: Path) -> Driving:
    """A short video of the picture, sliding."""
    pixels = read_picture(picture).pixels
    height, width = pixels.shape[:2]
    video = folder / "driving.mp4"
    with open_sink(video, Output(FRAME_SIDE, FRAME_SIDE, Fraction(24))) as sink:
        for i in range(FRAMES):
            left = i * SLIDE * width / FRAME_SIDE
            part = Framing.of_square(left, 0, min(width, height))
            sink.write(i, square_picture(pixels, part, FRAME_SIDE))
    return Driving(video)


@contextmanager
def _own_cache() -> Iterator[None]:
    """A cache that lasts as long as the context: nobody needs these graphs again."""
    before = os.environ.get("KEYWARP_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KEYWARP_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["KEYWARP_CACHE"]
            else:
                os.environ["KEYWARP_CACHE"] = before
