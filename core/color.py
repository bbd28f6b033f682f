# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour conversion: the one module that turns encoded colours into linear light and back.

Conventions: linear light is float32 with sRGB (BT.709) primaries; "straight" means that colours are
not multiplied by alpha, "premultiplied" that they are. A ``Picture`` is (H, W, 4) float32 RGBA,
premultiplied, linear. Alpha is linear everywhere and is never gamma encoded.

The transfer function is that of IEC 61966-2-1 (sRGB): a line below 0.04045 encoded, 0.0031308 linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from keywarp.core.bleed import HiddenColour
from keywarp.core.picture import Picture
from keywarp.core.runtime.kernels import BYTES, FLOATS, INDEX, Compiled, Kernel, built_once
from keywarp.keyframes.errors import KeywarpError

Floats = TypeVar("Floats", bound=npt.NDArray[np.floating[Any]])

#: Encoded sRGB in [0, 1]: red, green, blue.
Colour = tuple[float, float, float]

#: OpenCV's stubs do not know that an operand may be a number.
_cv: Any = cv2

WHITE: Colour = (1.0, 1.0, 1.0)


def srgb_to_linear(encoded: Floats) -> Floats:
    """Decode sRGB values, nominally [0, 1], of any shape (IEC 61966-2-1, the exact formula)."""
    line = encoded / 12.92
    power = ((np.maximum(encoded, 0.0) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, line, power).astype(encoded.dtype, copy=False)  # type: ignore[return-value]


def linear_to_srgb(linear: Floats) -> Floats:
    """Encode linear values, nominally [0, 1], of any shape; the inverse of ``srgb_to_linear``."""
    line = linear * 12.92
    power = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, line, power).astype(linear.dtype, copy=False)  # type: ignore[return-value]


def premultiply(straight: Picture) -> Picture:
    """(H, W, 4) straight RGBA, linear, to premultiplied."""
    out = straight.copy()
    out[..., :3] *= straight[..., 3:]
    return out


def unpremultiply(picture: Picture) -> Picture:
    """(H, W, 4) premultiplied RGBA, linear, to straight; colours are 0 where alpha is 0."""
    out = picture.copy()
    alpha = picture[..., 3:]
    np.divide(out[..., :3], alpha, out=out[..., :3], where=alpha > 0)
    out[..., :3] *= alpha > 0
    return out


def from_srgb8(pixels: npt.NDArray[np.uint8]) -> Picture:
    """8-bit sRGB, straight alpha, to a ``Picture``.

    ``pixels`` is (H, W) or (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4)
    RGBA; without alpha the picture is opaque.
    """
    return _decode(pixels, np.dtype(np.uint8))


def from_srgb16(pixels: npt.NDArray[np.uint16]) -> Picture:
    """16-bit sRGB, straight alpha, to a ``Picture``; shapes as in ``from_srgb8``."""
    return _decode(pixels, np.dtype(np.uint16))


@cache
def _decoding_table(levels: int) -> npt.NDArray[np.float32]:
    return srgb_to_linear(np.arange(levels) / (levels - 1)).astype(np.float32)


def _decode(pixels: npt.NDArray[Any], dtype: np.dtype[Any]) -> Picture:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype != dtype or pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"expected (H, W, 1..4) {dtype}, got {pixels.shape} {pixels.dtype}")
    channels = pixels.shape[2]
    colours = 3 if channels >= 3 else 1
    top = int(np.iinfo(dtype).max)
    table = _decoding_table(top + 1)
    out = np.empty((*pixels.shape[:2], 4), np.float32)
    for row in range(0, len(pixels), 64):  # bands bound the memory that the look-up takes
        band = pixels[row : row + 64]
        out[row : row + 64, :, :3] = table[band[..., :colours]]
        out[row : row + 64, :, 3] = 1.0
        if colours < channels:
            alpha = band[..., -1:] / np.float32(top)
            out[row : row + 64, :, :3] *= alpha
            out[row : row + 64, :, 3:] = alpha
    return out


def over(picture: Picture, background: Colour) -> npt.NDArray[np.float32]:
    """The picture over an opaque colour, composited in linear light: (H, W, 3) float32, linear."""
    colour = srgb_to_linear(np.array(background)).astype(np.float32)
    return np.asarray(picture[..., :3] + np.maximum(1.0 - picture[..., 3:], 0) * colour, np.float32)


_NAMES: dict[str, Colour] = {
    "black": (0.0, 0.0, 0.0),
    "white": WHITE,
    "gray": (128 / 255,) * 3,
    "grey": (128 / 255,) * 3,
    "silver": (192 / 255,) * 3,
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 128 / 255, 0.0),
    "lime": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "aqua": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "fuchsia": (1.0, 0.0, 1.0),
    "maroon": (128 / 255, 0.0, 0.0),
    "olive": (128 / 255, 128 / 255, 0.0),
    "navy": (0.0, 0.0, 128 / 255),
    "purple": (128 / 255, 0.0, 128 / 255),
    "teal": (0.0, 128 / 255, 128 / 255),
    "orange": (1.0, 165 / 255, 0.0),
    "pink": (1.0, 192 / 255, 203 / 255),
}


def parse_colour(text: str) -> Colour:
    """An sRGB colour from a name, ``#rgb``, ``#rrggbb`` or ``r,g,b`` (0..255 each).

    Raises ``KeywarpError`` for anything else.
    """
    plain = text.strip().lower()
    if plain in _NAMES:
        return _NAMES[plain]
    try:
        if plain.startswith("#") and len(plain) in (4, 7) and plain.isascii():
            step = (len(plain) - 1) // 3
            digits = [plain[i : i + step] for i in range(1, len(plain), step)]
            levels = [float(int(d * (3 - step), 16)) for d in digits if d.isalnum()]
        else:
            levels = [float(part) for part in plain.split(",")]
    except ValueError:
        levels = []
    if len(levels) != 3 or not all(0.0 <= level <= 255.0 for level in levels):
        raise KeywarpError(
            f"{text!r} is not a colour: give a name such as white, #rgb, #rrggbb, or r,g,b from 0 to 255"
        )
    return (levels[0] / 255, levels[1] / 255, levels[2] / 255)


#: Rows and columns of the tiles in which frames are encoded: what a tile takes stays in cache.
_TILE = (32, 960)


def to_srgb8(picture: Picture, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.uint8]:
    """A ``Picture`` to 8-bit sRGB with straight alpha: (H, W, 4) uint8.

    Within one level of the exact formula, and equal to it in more than 99 of 100 pixels. Under
    transparent pixels stands the neighbouring colour (see ``core.bleed``), for which ``origin`` says
    where in the whole frame, (x, y), the picture's first pixel lies.
    """
    _check(picture)
    out = np.zeros((*picture.shape[:2], 4), np.uint8)
    hidden = HiddenColour(out, origin)
    rows = picture if picture.strides[1:] == (16, 4) else np.ascontiguousarray(picture)
    height, width = out.shape[:2]
    kernel = _encoding_kernel()
    kernel(
        rows,
        _encoding_table(),
        out,
        hidden.alpha,
        rows.strides[0] // 4,
        hidden.alpha.strides[0],
        height,
        width,
    )
    hidden.fill()
    return out


def to_srgb16(picture: Picture, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.uint16]:
    """A ``Picture`` to 16-bit sRGB with straight alpha, (H, W, 4) uint16; else as ``to_srgb8``."""
    out = np.zeros((*picture.shape[:2], 4), np.uint16)
    hidden = HiddenColour(out, origin)
    for tile in _tiles(picture):
        *colours, alpha = cv2.split(picture[tile])
        if alpha.max() <= 0:
            continue
        alpha16 = _cv.multiply(alpha, 65535.0, dtype=cv2.CV_16U)
        visible = alpha16 > 0
        hidden.alpha[tile] = np.maximum(alpha16 >> 8, visible)
        divisor = np.where(visible, alpha, np.float32(1.0))
        encoded = [_encode16(_cv.divide(c, divisor)) * visible for c in colours]
        out[tile] = cv2.merge([*encoded, alpha16])
    hidden.fill()
    return out


def over_srgb8(picture: Picture, background: Colour) -> npt.NDArray[np.uint8]:
    """The picture over an opaque colour, composited in linear light: (H, W, 3) uint8 sRGB."""
    levels = srgb_to_linear(np.array(background)).astype(np.float32)
    out = np.empty((*picture.shape[:2], 3), np.uint8)
    empty = np.rint(np.array(background) * 255)
    buffers = _Buffers()
    for tile in _tiles(picture):
        *colours, alpha = buffers.split(picture[tile])
        if alpha.max() <= 0:
            out[tile] = empty
            continue
        encoded = buffers.planes8(alpha.shape)[:3]
        _cv.subtract(1.0, alpha, alpha)
        cv2.threshold(alpha, 0.0, 0.0, cv2.THRESH_TOZERO, alpha)  # opacity may overshoot at outlines
        for colour, level, plane in zip(colours, levels, encoded):
            _cv.scaleAdd(alpha, float(level), colour, colour)
            _encode8(_cv.multiply(colour, 65535.0, buffers.plane16(alpha.shape), 1.0, cv2.CV_16U), plane)
        cv2.merge(encoded, out[tile])
    return out


class _Buffers:
    """A tile's planes, kept between tiles: fresh memory would cost more than the arithmetic."""

    def __init__(self) -> None:
        self._linear = [np.empty(_TILE, np.float32) for _ in range(4)]
        self._deep = np.empty(_TILE, np.uint16)
        self._encoded = [np.empty(_TILE, np.uint8) for _ in range(4)]

    def split(self, pixels: Picture) -> list[npt.NDArray[np.float32]]:
        h, w = pixels.shape[:2]
        planes = [plane[:h, :w] for plane in self._linear]
        cv2.split(pixels, planes)
        return planes

    def plane16(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
        return self._deep[: shape[0], : shape[1]]

    def planes8(self, shape: tuple[int, ...]) -> list[npt.NDArray[np.uint8]]:
        return [plane[: shape[0], : shape[1]] for plane in self._encoded]


@built_once
def _encoding_kernel() -> Compiled:
    """Each pixel's bytes, and its alpha's apart; what is not seen is left as it is."""
    k = Kernel("srgb8", FLOATS, *[BYTES] * 3, *[INDEX] * 4)
    pixels, table, out, plane, pitch, plane_pitch, rows, columns = k.arguments
    with k.loop(0, rows) as row, k.loop(0, columns) as column:
        pixel = k.load(pixels, row * pitch + column * 4, 4)
        alpha = (pixel[3].clamped(0.0, 1.0) * 255.0).nearest().as_int()
        with k.only_if(alpha, ">", 0):
            steps = (pixel * (65535.0 / pixel[3]).spread(4)).clamped(0.0, 65535.0).nearest().as_int()
            word = alpha << 24
            for channel in range(3):
                word = word | (k.load(table, steps[channel].as_index()).as_word() << (8 * channel))
            k.store(word, out, (row * columns + column) * 4)
            k.store(alpha.as_byte(), plane, row * plane_pitch + column)
    return k.compiled()


def _check(picture: Picture) -> None:
    if picture.dtype != np.float32 or picture.ndim != 3 or picture.shape[2] != 4:
        raise ValueError(f"expected a (H, W, 4) float32 picture, got {picture.shape} {picture.dtype}")


def _tiles(picture: Picture) -> Iterator[tuple[slice, slice]]:
    _check(picture)
    for y in range(0, picture.shape[0], _TILE[0]):
        for x in range(0, picture.shape[1], _TILE[1]):
            yield slice(y, y + _TILE[0]), slice(x, x + _TILE[1])


@cache
def _encoding_table() -> npt.NDArray[np.uint8]:
    """8-bit sRGB for 65536 even steps of linear light.

    The curve's steepest slope is 12.92 * 255 levels per unit, so rounding to the nearest step moves
    a value by at most 0.026 of a level.
    """
    return np.rint(linear_to_srgb(np.arange(65536) / 65535) * 255).astype(np.uint8)


@cache
def _has_deep_lut() -> bool:
    """Whether this OpenCV looks up 16-bit values (5 does, 4 refuses)."""
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), _encoding_table()[None])
    except cv2.error:
        return False
    return True


def _encode8(linear: npt.NDArray[Any], out: npt.NDArray[np.uint8]) -> None:
    if _has_deep_lut():
        cv2.LUT(linear, _encoding_table()[None], out)
    else:
        _encoding_table().take(linear, out=out, mode="wrap")


def _encode16(linear: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    power = cv2.pow(np.maximum(linear, np.float32(0.0031308)), 1 / 2.4)
    # In double precision: float32 leaves 0.01 of a level at the top.
    levels = np.multiply(power, 1.055 * 65535, dtype=np.float64)
    levels -= 0.055 * 65535
    np.multiply(linear, 12.92 * 65535, out=levels, where=linear <= 0.0031308)
    levels += 0.5
    return np.asarray(np.clip(levels, 0, 65535), np.uint16)
