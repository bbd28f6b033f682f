# SPDX-License-Identifier: GPL-3.0-or-later
"""Image sequences and single images: PNG (sRGB, straight alpha) and EXR (linear, premultiplied)."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import OpenEXR  # type: ignore[import-not-found]

from keywarp.core.color import to_srgb8, to_srgb16
from keywarp.core.picture import Picture
from keywarp.core.render.provenance import Provenance
from keywarp.core.render.sinks.base import Output, Sink, replacing
from keywarp.core.render.sinks.naming import IMAGE_SUFFIXES, frame_path, frame_pattern
from keywarp.core.render.sinks.png import SIGNATURE, encode_png
from keywarp.keyframes.errors import KeywarpError

_LARGEST_HALF = 65504.0
_RGBA = 6
"""How PNG's header says so."""


class ImageSequence(Sink):
    """One file per frame; several threads may write at once."""

    def __init__(self, pattern: Path, output: Output) -> None:
        """``pattern``: a file name with one run of ``#``, in whose place the frame's number stands."""
        super().__init__(output)
        self.pattern = frame_pattern(pattern)
        if output.audio is not None:
            raise KeywarpError(f"{pattern}: images carry no sound; write a video, or leave out the audio")

    def path(self, number: int) -> Path:
        """The file of this frame."""
        return frame_path(self.pattern, number)

    def has(self, number: int) -> bool:
        """Whether the frame is there; raises ``KeywarpError`` where something else stands under its name."""
        path = self.path(number)
        found = _form(path) if path.is_file() else None
        if found is None:  # missing, or damaged since it was written
            return False
        wanted = _Form(self.output.width, self.output.height, self._bits, self.output.provenance.work)
        if found != wanted:
            different = "another clip, character, model, setting or version of keywarp"
            if found[:3] != wanted[:3]:
                different = f"an image of {found.in_words()} where one of {wanted.in_words()} belongs"
            raise KeywarpError(
                f"{path} is a frame of another render: {different}; choose another folder, or leave out --resume"
            )
        return True

    @property
    def _bits(self) -> int:
        return 16 if self.pattern.suffix.lower() == ".exr" else self.output.bits

    def write(self, number: int, frame: Picture) -> None:
        write_image(self.path(number), frame, self.output)


class _Form(NamedTuple):
    """What tells whether an image may be a frame of a render."""

    width: int
    height: int
    bits: int
    """Of a channel."""
    work: str
    """See ``Provenance.work``."""

    def in_words(self) -> str:
        return f"{self.width}x{self.height} pixels with {self.bits} bits"


def _form(path: Path) -> _Form | None:
    """What an image of ours is; ``None`` where it is none, or not whole."""
    try:
        return _exr_form(path) if path.suffix.lower() == ".exr" else _png_form(path)
    except (OSError, RuntimeError, ValueError, KeyError, struct.error):
        return None


def _exr_form(path: Path) -> _Form:
    with OpenEXR.File(str(path)) as file:  # reads, and so asks for, every pixel
        header = file.header()
        (left, top), (right, bottom) = header["dataWindow"]
        return _Form(int(right - left) + 1, int(bottom - top) + 1, 16, str(header.get("work", "")))


def _png_form(path: Path) -> _Form | None:
    """By all of its chunks, which are no more than the file holds, with their checksums."""
    data = memoryview(path.read_bytes())
    place, kind, found, work = len(SIGNATURE), b"", None, ""
    if data[:place] != SIGNATURE:
        return None
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        if zlib.crc32(content, zlib.crc32(kind)) != checksum:
            return None
        if kind == b"IHDR":
            width, height, bits, colours = struct.unpack(">IIBB", content[:10])
            found = (width, height, bits) if colours == _RGBA else None
        elif kind == b"tEXt" and bytes(content[:5]) == b"Work\0":
            work = bytes(content[5:]).decode("latin-1")
        place += 12 + length
    return None if found is None else _Form(*found, work)


def write_picture(path: Path, picture: Picture, bits: int = 8, provenance: Provenance | None = None) -> None:
    """Write one picture as PNG (8 or 16 bit, sRGB, straight alpha) or EXR, by the name's suffix."""
    height, width = picture.shape[:2]
    output = Output(width, height, Fraction(1), provenance or Provenance(), bits)
    write_image(path, picture, output)


def write_image(path: Path, frame: Picture, output: Output) -> None:
    """Write one frame; ``output`` says how, and which part of it."""
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise KeywarpError(f"{path}: images are written as {' or '.join(IMAGE_SUFFIXES)}")
    if suffix == ".exr":
        with replacing(path) as temporary:
            _write_exr(temporary, output.crop(frame), output.provenance)
        return
    convert = to_srgb16 if output.bits == 16 else to_srgb8
    data = encode_png(output.crop(convert(frame, output.origin)), output.provenance.fields())
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _write_exr(path: Path, frame: Picture, provenance: Provenance) -> None:
    """Half floats, ZIP: lossless but for the rounding to half."""
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
        **{key[0].lower() + key[1:]: text for key, text in provenance.fields().items()},
    }
    # What is added up along outlines may leave the range of light and of opacity.
    half = np.clip(frame, 0, _LARGEST_HALF).astype(np.float16)
    np.minimum(half[..., 3], 1, out=half[..., 3])
    try:
        OpenEXR.File(header, {"RGBA": half}).write(str(path))
    except RuntimeError as error:
        raise OSError(str(error).splitlines()[0]) from error
