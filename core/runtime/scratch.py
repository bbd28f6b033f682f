# SPDX-License-Identifier: GPL-3.0-or-later
"""Working memory that a thread keeps: fresh memory costs as much as the arithmetic on it."""

from __future__ import annotations

import threading
from math import prod

import numpy as np

from keywarp.core.motion import FloatImage


class Scratch(threading.local):
    """Named arrays of one thread, used again under their name."""

    def __init__(self) -> None:
        self._flat: dict[str, FloatImage] = {}

    def array(self, name: str, *shape: int) -> FloatImage:
        """Undefined float32 content; valid until the thread asks for ``name`` again."""
        count = prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < count:
            flat = self._flat[name] = np.empty(count, np.float32)
        return flat[:count].reshape(shape)
