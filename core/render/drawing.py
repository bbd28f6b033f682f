# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts and contact sheets as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from keywarp.core.render.provenance import Provenance
from keywarp.core.render.sinks.base import replacing
from keywarp.core.render.sinks.png import encode_png


def write_drawing(path: Path, pixels: npt.NDArray[np.uint8], provenance: Provenance | None = None) -> None:
    """Write an opaque drawing, (H, W, 3) uint8 sRGB, as PNG."""
    data = encode_png(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), (provenance or Provenance()).fields())
    with replacing(path) as temporary:
        temporary.write_bytes(data)
