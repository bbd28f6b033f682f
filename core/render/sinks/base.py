# SPDX-License-Identifier: GPL-3.0-or-later
"""``Sink``: where finished frames go."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import numpy.typing as npt

from keywarp.core.color import WHITE, Colour
from keywarp.core.picture import Picture
from keywarp.core.render.provenance import Provenance
from keywarp.keyframes.errors import KeywarpError


@dataclass(frozen=True)
class Output:
    """What is asked of a sink."""

    width: int
    height: int
    fps: Fraction
    provenance: Provenance = field(default_factory=Provenance)
    bits: int = 8
    """Bits per channel of PNG files: 8 or 16."""
    background: Colour = WHITE
    """sRGB; what files without alpha show behind the character."""
    audio: Optional[Path] = None
    audio_offset: Fraction = Fraction(0)
    """Seconds of the sound that lie before the first frame that is written."""
    origin: tuple[int, int] = (0, 0)
    """Where the first pixel of the frames that are handed over lies in the whole frame, (x, y)."""
    margin: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels that those frames have beyond the output, on the left, top, right and bottom. With
    ``core.bleed.REACH`` of them a region's hidden colours equal those of the whole frame."""

    def crop(self, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of a frame, (H, W, ...), that is written; ``ValueError`` for other sizes."""
        left, top, right, bottom = self.margin
        if frame.shape[:2] != (self.height + top + bottom, self.width + left + right):
            raise ValueError(f"a frame of {self.width}x{self.height} and margins {self.margin} was announced")
        return frame[top : top + self.height, left : left + self.width]


class Sink(ABC):
    """Takes frames one by one. As a context manager it closes, or aborts after an exception.

    Files appear under their final names only when whole. A frame that was handed over belongs to
    the sink: its memory must not be written to again.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.notes: list[str] = []
        """Sentences for the user about what was changed to fit the format."""

    @abstractmethod
    def write(self, number: int, frame: Picture) -> None:
        """Take the frame of this number; raises ``KeywarpError`` where it cannot be stored."""

    def has(self, number: int) -> bool:
        """Whether this frame was already written, whole, by this run or an earlier one."""
        return False

    def close(self) -> None:  # noqa: B027 - nothing to finish is a fair answer
        """Finish the file. Frames that could not be stored raise here at the latest."""

    def abort(self) -> None:  # noqa: B027
        """Give up: remove whatever is not whole."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()


def temporary_name(path: Path) -> Path:
    """A name beside ``path`` for what is not finished; unlike any other process's."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name that becomes ``path`` when the block ends well, and vanishes otherwise."""
    temporary = temporary_name(path)
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Says in one sentence when the system refuses to store ``path``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise KeywarpError(f"{path} could not be written: {reason}") from error
