# SPDX-License-Identifier: GPL-3.0-or-later
"""A colour behind the character, in files that could be transparent."""

from __future__ import annotations

import numpy as np

from keywarp.core.color import Colour, over
from keywarp.core.picture import Picture
from keywarp.core.render.sinks.base import Sink
from keywarp.core.resample import hold


class BackedSink(Sink):
    """Hands frames to another sink over an opaque colour, composited in linear light."""

    def __init__(self, sink: Sink, colour: Colour) -> None:
        super().__init__(sink.output)
        self._sink = sink
        self._colour = colour
        self.notes = sink.notes

    def has(self, number: int) -> bool:
        return self._sink.has(number)

    def write(self, number: int, frame: Picture) -> None:
        opaque = np.ones(frame.shape, np.float32)
        # What a warp overshot would take away from the background, or add to it.
        opaque[..., :3] = over(hold(frame.copy()), self._colour)
        self._sink.write(number, opaque)

    def close(self) -> None:
        self._sink.close()

    def abort(self) -> None:
        self._sink.abort()
