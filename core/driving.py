# SPDX-License-Identifier: GPL-3.0-or-later
"""Driving videos: whose motion a character takes over, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Mode = Literal["relative", "standard", "avd"]
MODES: tuple[str, ...] = get_args(Mode)
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".gif")


@dataclass(frozen=True)
class Driving:
    """A driving video and how its motion is carried over (papers: TPSMM, section 3.4)."""

    video: Path
    mode: Mode = "relative"
    """``standard``: the video's own keypoints; ``relative``: how they moved since the first frame; ``avd``: keypoints
    of the character's shape in the video's pose."""
    best_frame: bool = False
    """Relative to the frame that is most like the picture, instead of the first."""


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES
