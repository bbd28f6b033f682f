# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading little-endian binary files that may be damaged or hostile: every count is held against what is left."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError


class Cursor:
    """A place in a file's bytes that moves on with every value read."""

    def __init__(self, data: bytes, what: str) -> None:
        """``what``: the file's name and kind, with which error messages begin."""
        self.data, self.what, self.at = data, what, 0

    def bad(self, message: str) -> KeywarpError:
        return KeywarpError(f"{self.what}: {message}")

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes; raises ``KeywarpError`` where the file ends before."""
        if not 0 <= size <= len(self.data) - self.at:
            raise self.bad(f"the file is cut short or damaged at byte {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def unpack(self, form: str) -> tuple[Any, ...]:
        """Values by ``struct``'s letters, little-endian, unpadded."""
        form = "<" + form
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def one(self, letter: str) -> Any:
        return self.unpack(letter)[0]

    def count(self, letter: str, what: str, smallest: int) -> int:
        """How many records follow, of at least ``smallest`` bytes each: more than fit are refused."""
        number = int(self.one(letter))
        if number < 0 or number * smallest > len(self.data) - self.at:
            raise self.bad(f"it claims {number} {what}, more than the file can hold")
        return number

    def records(self, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        """``count`` records of a fixed size, as an array of its own."""
        return np.frombuffer(self.take(dtype.itemsize * count), dtype, count).copy()
