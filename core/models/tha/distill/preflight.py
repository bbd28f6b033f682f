# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before hours of training begin."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.settings import Settings
from keywarp.core.models.tha.distill.teacher import FACE
from keywarp.core.motion import FloatImage
from keywarp.core.picture import read_picture
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError

_RUNS_BYTES = 120_000_000
"""Checkpoints, logs and sheets of both networks."""
_FIXED_BYTES = 1_500_000_000
"""Python, PyTorch, a teacher of moderate size."""
_MOSTLY_WHITE = 0.5
_FLOATS_OF_PIXEL = 64
"""Numbers that forming the image keeps of a pixel for its gradients."""


def read_face_mask(path: Path) -> FloatImage:
    """The student's face, (128, 128) of 0 and 1, in a mask of the whole square as THA4's distiller takes it: white
    where the face moves.

    Raises ``KeywarpError`` for a mask that is not square, inverted, or black where the student's face is.
    """
    pixels = read_picture(path).pixels
    if pixels.shape[0] != pixels.shape[1] or pixels.shape[0] % layout.SIDE:
        raise KeywarpError(
            f"{path}: a face mask covers the model's square, {layout.SIDE}x{layout.SIDE} pixels, not "
            f"{pixels.shape[1]}x{pixels.shape[0]}"
        )
    by = pixels.shape[0] // layout.SIDE
    white = (pixels[by // 2 :: by, by // 2 :: by, :3].mean(-1) > 0.2).astype(np.float32)
    if white.mean() > _MOSTLY_WHITE:
        raise KeywarpError(
            f"{path} is white on {white.mean():.0%} of the square, so it seems inverted; white marks what moves in "
            "the face: brows, eyes, mouth and jaw"
        )
    face: FloatImage = white[FACE]
    if not face.any():
        raise KeywarpError(
            f"{path} is black where the student's face is (columns {FACE[1].start} to {FACE[1].stop - 1}, rows "
            f"{FACE[0].start} to {FACE[0].stop - 1} of {layout.SIDE}); white marks what moves in it"
        )
    return face


def check_disk(folder: Path, bank_bytes: int) -> None:
    """Raises ``KeywarpError`` where the folder's disk does not hold what will be written."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    needed, free = bank_bytes + _RUNS_BYTES, shutil.disk_usage(there).free
    if free < needed:
        raise KeywarpError(
            f"{folder} takes about {needed / 1e9:.1f} GB while the student learns, of which {free / 1e9:.1f} GB are "
            "free; make room, or ask the teacher for fewer poses with --poses"
        )


def check_memory(recipe: Recipe) -> None:
    """Raises ``KeywarpError`` where the machine's free memory does not hold a step; not known on every system."""
    needed, free = _FIXED_BYTES + step_bytes(recipe), free_memory()
    if free is not None and free < needed:
        raise KeywarpError(
            f"a step takes about {needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free; fewer "
            "tiles, or a smaller batch, in the recipe take less"
        )


def step_bytes(recipe: Recipe) -> int:
    """What a step of the body rotator, the larger of the two, keeps for its gradients: of each sine its sum, and its
    answer."""
    settings = Settings.of(recipe)
    several = layout.VARIANTS[settings.variant].several_resolutions
    floats = _FLOATS_OF_PIXEL + sum(
        2 * 3 * width * ((side / layout.SIDE) ** 2 if several else 1) for side, width in layout.LEVELS
    )
    pixels = settings.tiles * settings.tile**2 if settings.tiles else layout.SIDE**2
    return int(recipe.batch // recipe.accumulate * pixels * floats * 4)


def free_memory() -> int | None:
    """Bytes that a program may take, where the system says so."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
