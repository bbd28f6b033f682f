# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that lie as moving pictures: videos, or folders of frames (papers: TPSMM, section 4.1).

Any two frames of a clip make a pair. Beside a clip may lie what the head does in it, as coefficients of a 3D
morphable model (papers: AnimeCeleb, section 3.1): see ``morphable``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keywarp.core.driving_video import square_frame, video_length
from keywarp.core.training.labelled import LARGEST, middle_square
from keywarp.core.training.morphable import SPACE as MORPHABLE
from keywarp.core.training.morphable import Coefficients, coefficients_of_frames, coefficients_of_video
from keywarp.core.training.sample import Pixels, Sample
from keywarp.core.training.stream import Stored
from keywarp.keyframes.channels import Poses

VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")
FRAMES = (".png", ".jpg", ".jpeg", ".webp")
PAIRS = 75
"""Pairs of a clip in an epoch, as in the authors' configurations."""
MAX_DEPTH = 6
"""Folders within folders that are searched."""


@dataclass(frozen=True)
class Clip:
    """A video, or a folder of frames."""

    name: str
    """Its place below the folder that was named, unique there."""
    files: tuple[Path, ...]
    """The video, or every frame in order."""
    count: int
    """Frames."""
    coefficients: Coefficients | None = None

    @property
    def identity(self) -> str:
        """Clips of one person are named ``PERSON#...`` in VoxCeleb."""
        return self.name.split("#")[0]

    def frame(self, number: int, side: int | None = None) -> Pixels:
        """(n, n, 4): the largest square in the middle; ``side``: n where it is to be another's."""
        if self.files[0].suffix.lower() in VIDEOS:
            seen = square_frame(self.files[0], number, LARGEST)
            return np.dstack([seen, np.full(seen.shape[:2], 255, np.uint8)])
        return middle_square(self.files[number], side)

    def pair(self, rest: int, posed: int) -> Sample:
        """Two frames, the first of which is to become the second."""
        poses: dict[str, Poses] = {}
        if self.coefficients is not None:
            poses[MORPHABLE] = self.coefficients.pose(posed)
        key = "".join(x if x.isascii() and x.isalnum() else "-" for x in self.name)[-150:]
        wanted = self.frame(posed)
        given = self.frame(rest, len(wanted))
        about = {"clip": self.name, "frame": posed}
        return Sample(f"{key}-{rest}-{posed}", self.identity, wanted, poses, given, about=about)


@dataclass(frozen=True)
class Frame:
    """A frame of a clip, from another one: its first, or in training any."""

    clip: Clip
    number: int

    def read(self) -> Sample:
        return self.clip.pair(0, self.number)

    def drawn(self, random: np.random.Generator) -> Sample:
        """A pair of frames by chance."""
        rest, posed = (int(n) for n in random.integers(self.clip.count, size=2))
        return self.clip.pair(rest, posed)


def find_clips(path: Path) -> list[Clip]:
    """The videos and folders of frames at a path, and in the folders below it, in the order of their names.

    Raises ``KeywarpError`` where one of them cannot be read.
    """
    if path.is_file():
        return [_video(path, path.name)] if path.suffix.lower() in VIDEOS else []
    return [clip for folder in _folders(path) for clip in _clips_in(folder, path)]


def _folders(root: Path) -> Iterator[Path]:
    for name, inner, _ in os.walk(root):
        folder = Path(name)
        inner.sort()
        if len(folder.relative_to(root).parts) >= MAX_DEPTH:
            inner.clear()
        yield folder


def _clips_in(folder: Path, root: Path) -> Iterator[Clip]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    frames = tuple(path for path in files if path.suffix.lower() in FRAMES)
    if len(frames) > 1:
        name = folder.relative_to(root).as_posix()
        yield Clip(
            folder.name if name == "." else name, frames, len(frames), coefficients_of_frames(folder, frames)
        )
    for path in files:
        if path.suffix.lower() in VIDEOS:
            yield _video(path, path.relative_to(root).as_posix())


def _video(path: Path, name: str) -> Clip:
    count, _ = video_length(path)
    return Clip(name, (path,), count, coefficients_of_video(path, count))


def clip_groups(clips: Sequence[Clip]) -> list[Sequence[Stored]]:
    """``PAIRS`` samples of each clip, or as many as it has frames, spread over it."""
    groups: list[Sequence[Stored]] = []
    for clip in clips:
        numbers = np.linspace(0, clip.count - 1, min(clip.count, PAIRS)).round()
        groups.append([Frame(clip, int(number)) for number in numbers])
    return groups
