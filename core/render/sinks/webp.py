# SPDX-License-Identifier: GPL-3.0-or-later
"""Animated WebP with alpha, written frame by frame.

Source: RFC 9649, "WebP Image Format", sections 2.3 (RIFF), 2.7 (extended format, ANIM, ANMF,
ALPH, XMP). Each frame is coded by libwebp as a still picture and wrapped, so that memory does not
grow with the clip.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

from PIL import Image

from keywarp.core.color import to_srgb8
from keywarp.core.picture import Picture
from keywarp.core.render.sinks.base import Output, Sink, storing, temporary_name
from keywarp.keyframes.errors import KeywarpError

_MAX_SIDE = 16383
_MAX_BYTES = (1 << 32) - 2
_XMP, _ALPHA, _ANIMATION = 0x04, 0x10, 0x02
_OVERWRITE = 0x02  # a frame replaces what stood there, alpha and all
_XMP_PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF>'
    "</x:xmpmeta>"
)


class AnimatedWebp(Sink):
    """One animated WebP file that loops; frames in rising order without gaps."""

    def __init__(self, path: Path, output: Output) -> None:
        super().__init__(output)
        self.path = path
        self._temporary = temporary_name(path)
        self._file: BinaryIO | None = None
        self._count = 0
        if max(output.width, output.height) > _MAX_SIDE:
            raise KeywarpError(f"{path}: WebP holds at most {_MAX_SIDE} pixels on a side")
        if output.audio is not None:
            raise KeywarpError(f"{path}: WebP carries no sound; write a video, or leave out the audio")

    def write(self, number: int, frame: Picture) -> None:
        pixels = self.output.crop(to_srgb8(frame, self.output.origin))
        still = BytesIO()
        Image.fromarray(pixels).save(still, "WEBP", quality=92, alpha_quality=100, method=2, exact=True)
        data = b"".join(_chunk(kind, body) for kind, body in _image_chunks(still.getvalue()))
        header = _u24(0) + _u24(0) + _u24(self.output.width - 1) + _u24(self.output.height - 1)
        header += _u24(self._milliseconds(self._count + 1) - self._milliseconds(self._count))
        with storing(self.path):
            if self._file is None:
                self._file = self._open()
            self._file.write(_chunk(b"ANMF", header + bytes([_OVERWRITE]) + data))
            if self._file.tell() > _MAX_BYTES:
                raise KeywarpError(f"{self.path}: WebP files end at 4 GiB; write fewer or smaller frames")
        self._count += 1

    def close(self) -> None:
        if self._file is None:
            return
        try:
            with storing(self.path):
                comment = escape(self.output.provenance.comment())
                self._file.write(_chunk(b"XMP ", _XMP_PACKET.format(comment).encode("utf-8")))
                size = self._file.tell()
                self._file.seek(4)
                self._file.write(struct.pack("<I", size - 8))
                self._file.close()
                self._temporary.replace(self.path)
        finally:
            self.abort()

    def abort(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self._temporary.open("wb")
        file.write(b"RIFF\0\0\0\0WEBP")  # the size follows when it is known
        size = _u24(self.output.width - 1) + _u24(self.output.height - 1)
        file.write(_chunk(b"VP8X", bytes([_XMP | _ALPHA | _ANIMATION, 0, 0, 0]) + size))
        file.write(_chunk(b"ANIM", struct.pack("<IH", 0, 0)))  # clear background, endless loop
        return file

    def _milliseconds(self, count: int) -> int:
        """When frame ``count`` begins; rounding never adds up."""
        return round(Fraction(1000 * count) / self.output.fps)


def _u24(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _image_chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of a still WebP file, the chunks that hold pixels."""
    position = 12
    while position + 8 <= len(webp):
        kind = webp[position : position + 4]
        (size,) = struct.unpack_from("<I", webp, position + 4)
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            yield kind, webp[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
