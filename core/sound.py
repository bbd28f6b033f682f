# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech in any file with sound, videos too, as curves of the mouth."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import Imported
from keywarp.keyframes.importers.speech import imported

if TYPE_CHECKING:
    from av.container import InputContainer

RATE = 16_000
MAX_SECONDS = 4 * 3600
#: Lists in a file do not lead elsewhere.
_OPTIONS = {"protocol_whitelist": "file"}


def has_sound(path: Path) -> bool:
    """Whether it is a file in which there is a sound stream."""
    import av

    try:
        with av.open(str(path), options=_OPTIONS) as container:
            return bool(container.streams.audio)
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def load_speech(path: Path) -> Imported:
    """The clip of tha45 that speaks what is said in the file; raises ``KeywarpError`` that names it."""
    import av

    try:
        with av.open(str(path), options=_OPTIONS) as container:
            if not container.streams.audio:
                raise KeywarpError("there is no sound in it")
            return imported(_mono(container), float(RATE), path.name)
    except KeywarpError as error:
        raise KeywarpError(f"{path}: {error}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise KeywarpError(f"{path}: the sound cannot be read ({error})") from None


def _mono(container: InputContainer) -> npt.NDArray[np.float32]:
    """The first sound stream, (n,), at ``RATE``."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[npt.NDArray[np.float32]] = []
    count, start = 0, None
    for frame in itertools.chain(container.decode(audio=0), [None]):
        if start is None and frame is not None:
            start = min(max(frame.time or 0.0, 0.0), MAX_SECONDS)
        for part in resampler.resample(frame):
            parts.append(part.to_ndarray()[0])
            count += len(parts[-1])
        if count > MAX_SECONDS * RATE:
            raise KeywarpError(f"it is longer than {MAX_SECONDS // 3600} hours")
    # In a video the sound may begin after the picture.
    return np.concatenate([np.zeros(round((start or 0.0) * RATE), np.float32), *parts])
