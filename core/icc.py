# SPDX-License-Identifier: GPL-3.0-or-later
"""Embedded ICC profiles: matrix and curve profiles, converted to linear sRGB in floating point.

Source: ICC.1:2022 (profile version 4.4), sections 7.2 (header), 7.3 (tag table), 10.6 (curveType),
10.18 (parametricCurveType), 10.31 (XYZType), and annex F (three-component matrix-based profiles).
Look-up-table profiles (printers, scanners) are not evaluated here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

#: Linear sRGB to XYZ relative to the D50 white of the profile connection space: the primaries of
#: BT.709 and D65, adapted by Bradford's transform (what an sRGB profile stores in its matrix tags).
_SRGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_D50_TO_SRGB = np.linalg.inv(_SRGB_TO_D50)


@dataclass(frozen=True)
class Profile:
    """What an embedded profile says about a picture's values."""

    name: str
    colour_space: str
    """``RGB``, ``GRAY``, ``CMYK``, ...: what the values are."""
    curves: tuple[Values, ...]
    """Per channel, the linear value at 65536 even steps of the encoded one; empty where the profile
    is not of the matrix and curve kind."""
    matrix: Optional[Values]
    """(3, 3): the profile's linear RGB to linear sRGB; ``None`` for grey."""

    @property
    def simple(self) -> bool:
        """Whether curves and matrix describe the profile wholly."""
        return bool(self.curves)

    def is_srgb(self) -> bool:
        """Whether it agrees with sRGB to less than half an 8-bit level."""
        from keywarp.core.color import srgb_to_linear

        if not self.simple:
            return False
        steps = np.linspace(0.0, 1.0, 65536)
        exact = srgb_to_linear(steps)
        near = all(np.max(np.abs(curve - exact) / (exact + 0.01)) < 0.01 for curve in self.curves)
        return near and (self.matrix is None or bool(np.allclose(self.matrix, np.eye(3), atol=2e-3)))

    def to_linear_srgb(self, encoded: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
        """(..., 1) or (..., 3) 16-bit values to (..., 3) linear sRGB, clipped to [0, 1].

        Colours outside sRGB's gamut are clipped channel by channel.
        """
        linear = np.stack([curve[encoded[..., i]] for i, curve in enumerate(self.curves)], axis=-1)
        linear = np.repeat(linear, 3, axis=-1) if self.matrix is None else linear @ self.matrix.T
        return np.clip(linear, 0.0, 1.0).astype(np.float32)


def parse_profile(data: bytes) -> Optional[Profile]:
    """The profile in ``data``, or ``None`` where that is not a readable ICC profile."""
    try:
        return _parse(data)
    except (struct.error, ValueError, KeyError, IndexError, np.linalg.LinAlgError):
        return None


def _parse(data: bytes) -> Optional[Profile]:
    if data[36:40] != b"acsp":
        return None
    tags = {}
    (count,) = struct.unpack_from(">I", data, 128)
    for i in range(min(count, 200)):
        signature, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * i)
        tags[signature] = data[offset : offset + size]
    space = data[16:20].decode("latin-1").strip()
    name = _description(tags.get(b"desc", b"")) or f"an unnamed {space} profile"
    in_xyz = data[20:24] == b"XYZ "
    if space == "RGB" and in_xyz and all(key in tags for key in (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC")):
        columns = [_xyz(tags[key]) for key in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC"))
        return Profile(name, space, curves, _D50_TO_SRGB @ np.array(columns).T)
    if space == "GRAY" and b"kTRC" in tags:
        return Profile(name, space, (_curve(tags[b"kTRC"]),), None)
    return Profile(name, space, (), None)


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Values:
    steps = np.linspace(0.0, 1.0, 65536)
    if tag[:4] == b"para":
        return _parametric(tag, steps)
    if tag[:4] != b"curv":
        raise ValueError("not a curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return steps
    if count == 1:
        return np.asarray(steps ** (struct.unpack_from(">H", tag, 12)[0] / 256))
    table = np.frombuffer(tag, ">u2", count, 12) / 65535
    return np.interp(steps, np.linspace(0.0, 1.0, count), table)


def _parametric(tag: bytes, x: Values) -> Values:
    """ICC.1:2022, table 68: function types 0 to 4."""
    kind = struct.unpack_from(">H", tag, 8)[0]
    count = (1, 3, 4, 5, 7)[kind]
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12))
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 1:
        a, b = rest
        d = -b / a
    elif kind == 2:
        a, b, e = rest
        d, f = -b / a, e
    elif kind == 3:
        a, b, c, d = rest
    elif kind == 4:
        a, b, c, d, e, f = rest
    power = np.maximum(a * x + b, 0.0) ** g + e
    return np.asarray(np.clip(np.where(x >= d, power, c * x + f), 0.0, 1.0))


def _description(tag: bytes) -> str:
    if tag[:4] == b"desc":
        (length,) = struct.unpack_from(">I", tag, 8)
        return tag[12 : 12 + length].split(b"\0")[0].decode("ascii", "replace")
    if tag[:4] == b"mluc":
        length, offset = struct.unpack_from(">II", tag, 20)
        return tag[offset : offset + length].decode("utf-16-be", "replace").strip("\0")
    return ""
