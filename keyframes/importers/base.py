# SPDX-License-Identifier: GPL-3.0-or-later
"""What an importer is, and what importers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Callable

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError

Array = npt.NDArray[np.float64]

#: Longer than nine hours at 30 frames a second: what a file may ask for, whatever its size.
MAX_FRAMES = 1_000_000
_MOST_NAMES = 12


@dataclass(frozen=True)
class Imported:
    """A clip, and what the person who imports it should know."""

    clip: Clip
    notes: tuple[str, ...] = ()
    """Sentences: what the file holds that the clip does not, what was decided."""


@dataclass(frozen=True)
class Format:
    """A kind of file that becomes a ``Clip``."""

    name: str
    extensions: tuple[str, ...]
    """The usual ends of the file's name, for dialogs; the content decides."""
    description: str
    recognises: Callable[[bytes], bool]
    """Whether a file that begins with these bytes is of this kind."""
    read: Callable[[bytes], Imported]
    """The whole file's bytes to a clip; raises ``KeywarpError`` that does not name the file."""
    max_bytes: int = 64 * 2**20


def listed(names: Iterable[str]) -> str:
    """Names in a note: at most a dozen, and how many more."""
    every = list(names)
    more = len(every) - _MOST_NAMES
    return ", ".join(every[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def text_of(data: bytes, what: str) -> str:
    """UTF-8 text, with or without its mark; raises ``KeywarpError`` that says what the file should be."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeywarpError(f"this is no whole {what}: it must be text in UTF-8") from None


def beginning(head: bytes) -> str:
    """The first bytes of a file as text, whatever they are."""
    return head.decode("utf-8-sig", "replace").lstrip()


def sampled_clip(
    space: PoseSpace,
    frames: npt.ArrayLike,
    columns: Sequence[tuple[str, Array]],
    fps: float,
    source: str,
) -> Clip:
    """A clip with a linear key a frame, (N,), for each channel's values, (N,), that leave their default."""
    times = np.asarray(frames, np.float64)
    curves = {
        name: Curve.from_points(times, values)
        for name, values in columns
        if np.any(values != space[name].default)
    }
    return Clip(space.name, curves, fps, float(times[0]), float(times[-1]), source=source)
