# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's types of Bezier handles, and the handles of a curve while they are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

HANDLE_TYPES = ("FREE", "ALIGNED", "VECTOR", "AUTO", "AUTO_CLAMPED")
FREE, ALIGNED, VECTOR, AUTO, AUTO_CLAMPED = range(5)


@dataclass
class Handles:
    """The keys of one curve, n of them on rising frames, and their handles; changed in place."""

    x: Array
    """(n,): frames."""
    y: Array
    """(n,): values."""
    left_type: Codes
    right_type: Codes
    """(n,): index into ``HANDLE_TYPES``."""
    left: Array
    right: Array
    """(n, 2): frame and value of the handle."""

    @property
    def both_automatic(self) -> Flags:
        return np.asarray((self.left_type >= AUTO) & (self.right_type >= AUTO))
