# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are no pictures, or no longer, or far too large: one sentence, and no memory taken."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from keywarp.core.picture import read_picture
from keywarp.keyframes.errors import KeywarpError


def refusal(path: Path) -> str:
    with pytest.raises(KeywarpError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def samples(folder: Path) -> list[Path]:
    """One small picture of every kind."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 31, 4), np.uint8)
    image = Image.fromarray(pixels)
    image.save(folder / "p.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("RGB").save(folder / "p.jpg")
    image.save(folder / "p.webp")
    image.save(folder / "p.tif", compression="tiff_lzw")
    cv2.imwrite(str(folder / "deep.png"), pixels.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "deep.tif"), pixels.astype(np.uint16) * 257)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGBA": pixels.astype(np.float16) / 255}).write(str(folder / "p.exr"))
    return sorted(folder.iterdir())


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int, bits: int = 8) -> bytes:
    rows = zlib.compress(bytes(10_000_000), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def exr_bomb(folder: Path) -> bytes:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGBA": np.zeros((2, 2, 4), np.float16)}).write(str(folder / "small.exr"))
    data = (folder / "small.exr").read_bytes()
    return data.replace(struct.pack("<4i", 0, 0, 1, 1), struct.pack("<4i", 0, 0, 60000, 60000))


def tiff_bomb(folder: Path) -> bytes:
    Image.new("RGB", (300, 200)).save(folder / "small.tif")
    data = (folder / "small.tif").read_bytes()
    entry = struct.pack("<HHII", 256, 4, 1, 300)
    at = data.index(entry)
    return data[:at] + struct.pack("<HHII", 256, 4, 1, 40000) + data[at + 12 :]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("wide.png", lambda _: png_bomb(20000, 4)),
        ("many.png", lambda _: png_bomb(16000, 16000)),
        ("deep.png", lambda _: png_bomb(16000, 16000, 16)),
        ("absurd.png", lambda _: png_bomb(2**31 - 1, 2**31 - 1)),
        ("p.exr", exr_bomb),
        ("p.tif", tiff_bomb),
    ],
)
def test_enormous_pictures_are_refused_from_the_header(
    tmp_path: Path, name: str, make: Callable[[Path], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(make(tmp_path))
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = refusal(path)
    assert "too many" in message or "too large" in message
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 100e6


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    assert "none.png does not exist; a picture" in refusal(tmp_path / "none.png")
    (tmp_path / "empty.png").touch()
    assert "empty" in refusal(tmp_path / "empty.png")
    assert "not a file" in refusal(tmp_path)
    with pytest.raises(KeywarpError):
        read_picture("a\0b.png")


@pytest.mark.parametrize("data", [b"hello", b"GIF89a" + bytes(50), b"%PDF-1.4", b"<svg/>", bytes(1000)])
def test_other_kinds(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.png").write_bytes(data)
    assert "PNG, JPEG, WebP, TIFF or EXR" in refusal(tmp_path / "p.png")


def test_truncated_anywhere(tmp_path: Path) -> None:
    """No cut may end in anything but a picture or one sentence; half a file is never a picture."""
    for source in samples(tmp_path):
        data = source.read_bytes()
        for length in range(1, len(data), max(1, len(data) // 25)):
            cut = tmp_path / "cut"
            cut.write_bytes(data[:length])
            if length < len(data) / 2:
                refusal(cut)
            else:
                read_or_refuse(cut)


def test_mutated_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    for source in samples(tmp_path):
        data = source.read_bytes()
        for _ in range(40):
            mutated = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(0, min(len(data), 400), rng.integers(1, 6))
            mutated[places] = rng.integers(0, 256, len(places))
            path = tmp_path / "mutated"
            path.write_bytes(mutated.tobytes())
            read_or_refuse(path)


def read_or_refuse(path: Path) -> None:
    try:
        read = read_picture(path)
    except KeywarpError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(read.pixels).all()
        assert read.pixels.dtype == np.float32


def test_exr_without_colour(tmp_path: Path) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Z": np.ones((4, 4), np.float32)}).write(str(tmp_path / "z.exr"))
    assert "no colour" in refusal(tmp_path / "z.exr")


def test_float_tiff_is_told_what_to_do(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "f.tif")
    assert "EXR" in refusal(tmp_path / "f.tif")
