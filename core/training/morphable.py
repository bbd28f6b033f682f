# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head does in a clip, as coefficients of a 3D morphable model (papers: AnimeCeleb, section 3.1).

As Deep3DFaceReconstruction writes them, in one of these places:

- one file for a clip, beside it and named as it: ``CLIP.mat`` with ``coeff`` (F, 257), or ``CLIP.npy`` (F, 257) or
  (F, 70);
- one file a frame, ``FRAME.mat`` with ``exp``, ``angle`` and ``trans``, beside the frame or, as AniMo's authors keep
  them, in the same place below ``3dmm`` as the frame has below ``images``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SPACE = "bfm70"
WHOLE = 257
"""Numbers of a whole vector: identity 80, expression 64, texture 80, angles 3, light 27, translation 3."""
_COLUMNS = (*range(80, 144), *range(224, 227), *range(254, 257))
_PARTS = ("exp", "angle", "trans")
MAX_BYTES = 1 << 28
IMAGES, COEFFICIENTS = "images", "3dmm"


@dataclass(frozen=True)
class Coefficients:
    """Where the poses of a clip stand; read when they are needed."""

    files: tuple[Path, ...]
    """One for the clip, or one for each frame."""
    count: int
    """Frames of the clip."""

    def pose(self, number: int) -> Poses:
        """(70,): the pose of a frame; raises ``KeywarpError`` where the file does not hold it."""
        whole = len(self.files) == 1
        file = self.files[0] if whole else self.files[number]
        rows = _rows(file)
        at = number if whole else 0
        if at >= len(rows):
            raise KeywarpError(f"{file} has poses of {len(rows)} frames, but its clip has {self.count}")
        found: Poses = rows[at].astype(np.float64)
        if not np.isfinite(found).all():
            raise KeywarpError(f"{file}: the pose of frame {number} holds numbers that are not finite")
        return found


def coefficients_of_video(path: Path, count: int) -> Coefficients | None:
    """What lies beside a video, if anything does."""
    return _beside(path.with_suffix(""), count)


def coefficients_of_frames(folder: Path, frames: Sequence[Path]) -> Coefficients | None:
    """What lies beside a folder of frames, or beside the frames; raises ``KeywarpError`` where some are missing."""
    whole = _beside(folder, len(frames))
    if whole is not None:
        return whole
    for place in (folder, _elsewhere(folder)):
        files = [place / f"{frame.stem}.mat" for frame in frames] if place is not None else []
        there = [file for file in files if file.is_file()]
        if there and len(there) < len(files):
            missing = next(file for file in files if file not in there)
            raise KeywarpError(
                f"{place} has poses of {len(there)} of {len(files)} frames; {missing.name} is missing"
            )
        if there:
            return Coefficients(tuple(there), len(frames))
    return None


def _beside(stem: Path, count: int) -> Coefficients | None:
    for suffix in (".mat", ".npy"):
        file = stem.with_name(stem.name + suffix)
        if file.is_file():
            return Coefficients((file,), count)
    return None


def _elsewhere(folder: Path) -> Path | None:
    """``.../3dmm/train/CLIP`` for ``.../images/train/CLIP``."""
    parts = list(folder.parts)
    if IMAGES not in parts:
        return None
    parts[len(parts) - 1 - parts[::-1].index(IMAGES)] = COEFFICIENTS
    return Path(*parts)


def _rows(file: Path) -> Any:
    """(F, 70): all poses of a file."""
    right = (
        f"{WHOLE} numbers a frame, as Deep3DFaceReconstruction finds them, or {len(space(SPACE))} of {SPACE}"
    )
    try:
        if file.stat().st_size > MAX_BYTES:
            raise KeywarpError(f"{file} is too large; expected {right}")
        values = np.load(file, allow_pickle=False) if file.suffix == ".npy" else _mat(file)
        rows = np.atleast_2d(np.asarray(values, np.float64))
    except KeywarpError:
        raise
    except Exception as error:  # files from outside fail in any way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise KeywarpError(f"{file} cannot be read ({reason}); expected {right}") from None
    if rows.ndim == 2 and rows.shape[1] == WHOLE:
        return rows[:, _COLUMNS]
    if rows.ndim != 2 or rows.shape[1] != len(space(SPACE)):
        raise KeywarpError(f"{file} holds an array of shape {rows.shape}; expected {right}")
    return rows


def _mat(file: Path) -> Any:
    from scipy.io import loadmat

    content = loadmat(str(file), variable_names=["coeff", *_PARTS])
    if "coeff" in content:
        return content["coeff"]
    missing = [name for name in _PARTS if name not in content]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    return np.concatenate([np.atleast_2d(content[name]) for name in _PARTS], -1)
