# SPDX-License-Identifier: GPL-3.0-or-later
"""A teacher's answers on disk: asked for once, looked up in parts for the rest of the training.

A teacher costs seconds a pose on a CPU, a step of the student that looks at a few tiles much less. ``NNNNNN.npy``
holds a pose's planes, (512, 512, C) in half precision and network space: image 4, flow 2, known 1 and, where the
teacher draws, drawn 4; ``NNNNNN.face.npy`` its face, (128, 128, 4).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.cover import VISIBLE
from keywarp.core.models.tha.distill.poses import poses
from keywarp.core.models.tha.distill.teacher import Teacher, Truth
from keywarp.core.motion import FloatImage
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.training.run_folder import write_text

CARD = "bank.json"
IMAGE, FLOW, KNOWN, DRAWN = slice(0, 4), slice(4, 6), slice(6, 7), slice(7, 11)
_MOVES = 0.08
"""In which share of the poses a pixel of the face shows something new, for it to belong to a part that moves:
networks redraw the rest of it a little differently every time."""
_AROUND = 3
"""Pixels by which these parts are enlarged."""

Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Bank:
    """Answers to the first ``count`` poses of a seed's sequence."""

    folder: Path
    count: int
    seed: int
    draws: bool

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.count * bytes_of_pose(self.draws)

    def fill(
        self,
        teacher: Teacher,
        device: torch.device,
        advance: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """Ask the teacher for what is not there yet. Answers of another teacher, or to other poses, go first."""
        card = {"teacher": teacher.content, **asdict(self), "folder": ""}
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._is_of(card):
            for old in self.folder.glob("*.npy"):
                old.unlink()
            write_text(self.folder / CARD, json.dumps(card))
        wanted = poses(self.seed, self.count)
        for number, pose in enumerate(wanted):
            if not self._planes_file(number).exists():
                truth = teacher.answer(torch.from_numpy(pose[None]).to(device))
                _write(self._face_file(number), half(truth.face))
                # Last: where it is, the pose is whole.
                _write(self._planes_file(number), planes_of(truth, self.draws))
            advance(number + 1, self.count)

    def _is_of(self, card: dict[str, object]) -> bool:
        try:
            there = json.loads((self.folder / CARD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(there, dict) and {**there, "count": self.count} == card

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _planes_file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npy"

    def _face_file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.face.npy"

    @cached_property
    def poses(self) -> npt.NDArray[np.float32]:
        """(count, 45)"""
        return poses(self.seed, self.count)

    def planes(self, number: int) -> Half:
        """(512, 512, C), of which what is looked at is read."""
        return np.asarray(np.load(self._planes_file(number), mmap_mode="r", allow_pickle=False))

    def face(self, number: int) -> Half:
        """(128, 128, 4)"""
        return np.asarray(np.load(self._face_file(number), allow_pickle=False))

    @cached_property
    def busy(self) -> npt.NDArray[np.int32]:
        """(P, 2): the pixels (x, y) of the square, every fourth of every fourth row, in which some pose shows
        something."""
        seen = np.zeros((layout.SIDE // 4,) * 2, bool)
        for number in range(self.count):
            seen |= self.planes(number)[::4, ::4, 3] > 2 * VISIBLE - 1
        y, x = np.nonzero(seen if seen.any() else ~seen)
        return np.stack([4 * x, 4 * y], -1).astype(np.int32)


def moving_parts(faces: Sequence[Half], still: FloatImage) -> FloatImage:
    """(128, 128) of 0 and 1: the face's movable parts, where faces, (128, 128, 4) in network space, show something
    else than the face of the picture, ``still``, in [0, 1]; where none does, all of it."""
    new = [newness((face.astype(np.float32) * 0.5 + 0.5).clip(0, 1), still) for face in faces]
    around = np.ones((2 * _AROUND + 1,) * 2, np.uint8)
    moves = (np.mean(new, 0) > _MOVES).astype(np.uint8)
    mask: FloatImage = cv2.dilate(moves, around).astype(np.float32)
    return mask if mask.any() else np.ones_like(mask)


def bytes_of_pose(draws: bool) -> int:
    """Room that an answer takes on disk."""
    planes = (DRAWN if draws else KNOWN).stop
    return 2 * (layout.SIDE**2 * planes + layout.FACE_SIDE**2 * 4) + 256


def half(images: torch.Tensor) -> Half:
    """The first of (N, C, h, w) as (h, w, C)."""
    return images[0].permute(1, 2, 0).to("cpu", torch.float16).contiguous().numpy()


def planes_of(truth: Truth, draws: bool) -> Half:
    """The first of the answers, (512, 512, C)."""
    known = torch.ones_like(truth.image[:, :1]) if truth.known is None else truth.known
    parts = [truth.image, truth.flow, known]
    if draws and truth.drawn is not None:
        parts.append(truth.drawn)
    return half(torch.cat([part.float() for part in parts], 1))


def _write(path: Path, array: Half) -> None:
    beside = path.with_suffix(".unfinished")
    with beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    beside.replace(path)
