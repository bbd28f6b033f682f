# SPDX-License-Identifier: GPL-3.0-or-later
"""A little driving video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(path: Path, count: int = 5, size: tuple[int, int] = (160, 128), fps: int = 12) -> Path:
    """``count`` frames of ``size`` (width, height): grey, with a bright block that moves to the right."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(count):
            pixels = np.full((height, width, 3), 60, np.uint8)
            pixels[30:90, 30 + 8 * i : 80 + 8 * i] = (230, 190, 170)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
