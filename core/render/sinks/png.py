# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files, written fast enough for 4K sequences.

Source: Portable Network Graphics (PNG) Specification (Third Edition), W3C: section 5 (chunks),
9 (filters), 11 (chunk types). Rows are filtered by Up or Sub, whichever leaves smaller
differences; igzip compresses ten times as fast as zlib at about the same size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from isal import isal_zlib
except ImportError:  # no wheel for this machine: slower, as valid

    def _deflate(data: Any) -> bytes:
        return zlib.compress(data, 1)

else:

    def _deflate(data: Any) -> bytes:
        return isal_zlib.compress(data, 2)


Bytes = npt.NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SUB, _UP = 1, 2
#: Rows that share a filter: their differences are compared on a few of them.
_BAND = 16


def encode_png(pixels: npt.NDArray[Any], text: Mapping[str, str] | None = None) -> bytes:
    """A PNG file of (H, W, 4) uint8 or uint16 pixels: sRGB, straight alpha.

    ``text``: keywords (1 to 79 Latin-1 characters) and their texts. Equal pixels and texts give
    equal bytes.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected (H, W, 4) uint8 or uint16, got {pixels.shape} {pixels.dtype}")
    height, width = pixels.shape[:2]
    bits = 8 * pixels.itemsize
    parts = [SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0))]
    parts.append(_chunk(b"sRGB", b"\0"))  # perceptual intent
    parts += [_text_chunk(keyword, value) for keyword, value in (text or {}).items()]
    parts.append(_chunk(b"IDAT", _deflate(_filtered(pixels))))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)])


def _text_chunk(keyword: str, value: str) -> bytes:
    key = keyword.encode("latin-1")
    try:
        return _chunk(b"tEXt", key + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:  # iTXt: not compressed, no language, no translated keyword
        return _chunk(b"iTXt", key + b"\0\0\0\0\0" + value.encode("utf-8"))


def _filtered(pixels: npt.NDArray[Any]) -> Bytes:
    """The rows as PNG stores them before compression: flat, a filter byte before each row."""
    big_endian = pixels if pixels.itemsize == 1 else pixels.astype(">u2")
    rows = np.ascontiguousarray(big_endian).view(np.uint8).reshape(len(pixels), -1)
    step = 4 * pixels.itemsize
    out = np.zeros((len(rows), rows.shape[1] + 1), np.uint8)
    empty_before = True
    for start in range(0, len(rows), _BAND):
        band = rows[start : start + _BAND]
        empty = not band.any()
        if not (empty and empty_before):  # rows of zeros stand there already, filter 0
            above = rows[start - 1 : start - 1 + len(band)] if start else None
            _filter_band(band, above, step, out[start : start + _BAND])
        empty_before = empty
    return out.ravel()


def _filter_band(band: Bytes, above: Bytes | None, step: int, out: Bytes) -> None:
    """``above``: for each row of the band the one before it; ``None`` at the top of the picture."""
    if above is None:
        above = np.concatenate([np.zeros_like(band[:1]), band[:-1]])
    if _cost(band[1::5], above[1::5], 0) <= _cost(band[1::5], band[1::5], step):
        out[:, 0] = _UP
        np.subtract(band, above, out=out[:, 1:])
    else:
        out[:, 0] = _SUB
        out[:, 1 : 1 + step] = band[:, :step]
        np.subtract(band[:, step:], band[:, :-step], out=out[:, 1 + step :])


def _cost(rows: Bytes, before: Bytes, step: int) -> int:
    """Sum of the differences' magnitudes, taken as signed bytes."""
    difference = rows[:, step:] - before[:, : before.shape[1] - step]
    return int(np.minimum(difference, -difference).sum(dtype=np.int64))
