# SPDX-License-Identifier: GPL-3.0-or-later
"""Where frames go: image sequences and video files, chosen by name."""

from __future__ import annotations

from pathlib import Path

from keywarp.core.render.sinks.base import Output, Sink
from keywarp.core.render.sinks.images import ImageSequence, write_picture
from keywarp.core.render.sinks.naming import IMAGE_SUFFIXES, is_sequence
from keywarp.core.render.sinks.queued import QueuedSink
from keywarp.core.render.sinks.video import VIDEO_FORMATS, VideoFile
from keywarp.core.render.sinks.webp import AnimatedWebp
from keywarp.keyframes.errors import KeywarpError

__all__ = ["Output", "QueuedSink", "Sink", "open_sink", "write_picture"]

#: Threads that encode images beside the renderer.
_IMAGE_WORKERS = 2


def open_sink(path: Path, output: Output) -> Sink:
    """The sink for a name: ``.png`` or ``.exr`` with a run of ``#``, ``.mp4``, ``.mov``, ``.webm``,
    ``.webp``, or a folder (``frame_####.png`` in it).

    Encoding runs in threads beside the caller. Nothing is written before the first frame. Raises
    ``KeywarpError`` for other names, and where the sound cannot be read.
    """
    suffix = path.suffix.lower()
    if is_sequence(path):
        return QueuedSink(ImageSequence(path, output), _IMAGE_WORKERS)
    if output.bits != 8:
        raise KeywarpError(
            f"{path}: {output.bits} bits per channel are for PNG files; leave the number out here"
        )
    if suffix in VIDEO_FORMATS:
        return QueuedSink(VideoFile(path, output))
    if suffix == ".webp":
        return QueuedSink(AnimatedWebp(path, output))
    known = ", ".join([*IMAGE_SUFFIXES, *VIDEO_FORMATS, ".webp"])
    raise KeywarpError(f"{path}: frames are written to a folder or to {known}, not to {suffix}")
