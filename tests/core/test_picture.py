# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as other programs write them, read back; Pillow and OpenCV write the files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from PIL import Image, ImageCms

from keywarp.core.color import srgb_to_linear, to_srgb8, to_srgb16
from keywarp.core.picture import read_picture


def rgba8(height: int = 37, width: int = 53, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 256, (5, 7, 4), np.uint8), (width, height))
    pixels[:5, :, 3] = 0
    pixels[-5:, :, 3] = 255
    return pixels


def assert_shows(path: Path, rgba: np.ndarray, tolerance: int = 0) -> None:
    """``rgba``: (H, W, 4) straight sRGB."""
    got = to_srgb8(read_picture(path).pixels)
    assert got.shape == rgba.shape
    assert np.array_equal(got[..., 3], rgba[..., 3])
    visible = rgba[..., 3] > 0
    assert np.abs(got[visible].astype(int) - rgba[visible]).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("p.png", {}),
        ("p.webp", {"lossless": True, "exact": True}),
        ("p.tif", {}),
        ("p.tiff", {"compression": "tiff_lzw"}),
        ("p.tiff", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_lossless_rgba(tmp_path: Path, name: str, options: dict) -> None:
    Image.fromarray(rgba8()).save(tmp_path / name, **options)
    assert_shows(tmp_path / name, rgba8())
    read = read_picture(tmp_path / name)
    assert (read.bits, read.has_alpha, read.colour, read.warnings) == (8, True, "sRGB", ())
    assert (read.width, read.height) == (53, 37)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(rgba8()).save(tmp_path / "p.png")
    (tmp_path / "p.png").rename(tmp_path / "p.jpg")
    assert read_picture(tmp_path / "p.jpg").format == "PNG"
    assert_shows(tmp_path / "p.jpg", rgba8())


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "LA", "PA"])
def test_modes(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(rgba8()).convert(mode)
    name = tmp_path / ("p.tif" if mode == "PA" else "p.png")
    image.save(name)
    assert_shows(name, np.asarray(Image.open(name).convert("RGBA")))
    assert read_picture(name).has_alpha == (mode in ("LA", "P", "PA"))


def test_transparent_palette_entries_and_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(rgba8()[..., :3]).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=bytes([0, 128, 255]))
    want = np.asarray(Image.open(tmp_path / "palette.png").convert("RGBA"))
    assert set(np.unique(want[..., 3])) >= {0, 128, 255}
    assert_shows(tmp_path / "palette.png", want)

    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[:2] = (10, 20, 30)
    Image.fromarray(rgb).save(tmp_path / "colour.png", transparency=(10, 20, 30))
    alpha = read_picture(tmp_path / "colour.png").pixels[..., 3]
    assert not alpha[:2].any()
    assert alpha[2:].all()


def test_a_transparent_grey_of_sixteen_bits(tmp_path: Path) -> None:
    grey = np.full((4, 4), 40_000, np.uint16)
    grey[:2] = 1234
    Image.fromarray(grey).save(tmp_path / "grey.png", transparency=1234)
    read = read_picture(tmp_path / "grey.png")
    assert read.has_alpha
    assert not read.pixels[:2].any()
    assert (read.pixels[2:, :, 3] == 1).all()
    assert read.pixels[2:, :, :3] == pytest.approx(
        float(srgb_to_linear(np.float32(40_000 / 65_535))), abs=1e-4
    )


@pytest.mark.parametrize("name", ["p.jpg", "p.webp"])
def test_lossy(tmp_path: Path, name: str) -> None:
    rgba = rgba8()
    rgba[..., 3] = 255
    Image.fromarray(rgba[..., :3]).save(tmp_path / name, quality=95)
    assert_shows(tmp_path / name, np.asarray(Image.open(tmp_path / name).convert("RGBA")))
    read = read_picture(tmp_path / name)
    assert not read.has_alpha
    assert (read.pixels[..., 3] == 1).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(tmp_path: Path, channels: int, suffix: str) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 65536, (31, 45, channels), np.uint16)
    if channels == 4:
        pixels[..., 3] |= 1  # visible everywhere
    cv2.imwrite(str(tmp_path / f"p{suffix}"), pixels)  # OpenCV stores BGR(A) as RGB(A)
    read = read_picture(tmp_path / f"p{suffix}")
    assert read.bits == 16
    assert read.has_alpha == (channels == 4)
    rgb = np.repeat(pixels, 3, -1) if channels == 1 else pixels[..., 2::-1]
    alpha = pixels[..., 3:] if channels == 4 else np.full((31, 45, 1), 65535, np.uint16)
    strong = alpha[..., 0] > 2000  # below, float32 cannot hold 16 bits of a premultiplied colour
    difference = np.abs(to_srgb16(read.pixels).astype(int) - np.concatenate([rgb, alpha], -1))
    assert difference[strong].max() <= 1


def test_sixteen_bit_grey_with_alpha(tmp_path: Path) -> None:
    values = np.array([[[0, 65535], [40000, 65535], [65535, 30000]]], np.uint16)
    (tmp_path / "p.png").write_bytes(png(3, 1, 16, 4, b"\0" + values.astype(">u2").tobytes()))
    got = to_srgb16(read_picture(tmp_path / "p.png").pixels).astype(int)
    want = np.concatenate([np.repeat(values[..., :1], 3, -1), values[..., 1:]], -1)
    assert np.abs(got - want).max() <= 1


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:8, :8] = (255, 0, 0)  # red at the top left
    upright[-8:, :8] = (0, 0, 255)  # blue at the bottom left
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path = tmp_path / f"p{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **options)
    got = to_srgb8(read_picture(path).pixels)[..., :3].astype(int)
    assert got.shape == upright.shape
    assert np.abs(got - upright)[2:6, 2:6].max() <= 8
    assert np.abs(got - upright)[-6:-2, 2:6].max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_of_a_deep_picture(tmp_path: Path, orientation: int, suffix: str) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"p{suffix}", exif=exif)
    assert read_picture(tmp_path / f"p{suffix}").bits == 16
    got = to_srgb16(read_picture(tmp_path / f"p{suffix}").pixels)[..., 0]
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's transpositions
    want = image if orientation == 1 else image.transpose(Image.Transpose(turned[orientation]))
    assert np.abs(got.astype(int) - np.asarray(want)).max() <= 1


def icc_profile(primaries: dict[bytes, tuple[float, float, float]], gamma: float) -> bytes:
    """A matrix and curve profile, made by the letter of ICC.1."""
    tags = {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in xyz))
        for name, xyz in primaries.items()
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + bytes(78)
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


ADOBE_RGB = icc_profile(
    {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    },
    2.19921875,
)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_embedded_profiles_are_converted_as_littlecms_does(tmp_path: Path, suffix: str) -> None:
    rgb = np.ascontiguousarray(rgba8()[..., :3] // 2 + 60)  # inside both gamuts
    path = tmp_path / f"p{suffix}"
    options = {".webp": {"lossless": True}}.get(suffix, {})
    Image.fromarray(rgb).save(path, icc_profile=ADOBE_RGB, **options)
    stored = Image.open(path).convert("RGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(ADOBE_RGB))
    want = ImageCms.profileToProfile(stored, profile, ImageCms.createProfile("sRGB"))
    read = read_picture(path)
    assert (read.colour, read.warnings) == ("Wide", ())
    assert np.abs(to_srgb8(read.pixels)[..., :3].astype(int) - np.asarray(want)).max() <= 1


def test_deep_pictures_use_their_profile_too(tmp_path: Path) -> None:
    rgb = (rgba8()[..., :3] // 2 + 60).astype(np.uint16) * 257
    shallow, deep = tmp_path / "8.png", tmp_path / "16.png"
    Image.fromarray((rgb // 257).astype(np.uint8)).save(shallow, icc_profile=ADOBE_RGB)
    data = bytearray(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())
    body = b"Wide\0\0" + zlib.compress(ADOBE_RGB)
    chunk = struct.pack(">I", len(body)) + b"iCCP" + body + struct.pack(">I", zlib.crc32(b"iCCP" + body))
    deep.write_bytes(data[:33] + chunk + data[33:])
    assert np.allclose(read_picture(deep).pixels, read_picture(shallow).pixels, atol=1e-6)
    assert read_picture(deep).bits == 16


def test_an_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(rgba8()).save(tmp_path / "p.png", icc_profile=profile)
    assert_shows(tmp_path / "p.png", rgba8())
    assert read_picture(tmp_path / "p.png").colour == "sRGB"


def test_a_damaged_profile_is_told(tmp_path: Path) -> None:
    Image.fromarray(rgba8()).save(tmp_path / "p.png", icc_profile=b"not a profile")
    assert_shows(tmp_path / "p.png", rgba8())
    (warning,) = read_picture(tmp_path / "p.png").warnings
    assert "profile" in warning


def test_cmyk_without_a_profile_is_told(tmp_path: Path) -> None:
    Image.fromarray(rgba8()[..., :3]).convert("CMYK").save(tmp_path / "p.jpg", quality=98)
    read = read_picture(tmp_path / "p.jpg")
    assert "CMYK" in read.warnings[0]
    want = np.asarray(Image.open(tmp_path / "p.jpg").convert("RGB"))
    assert np.array_equal(to_srgb8(read.pixels)[..., :3], want)


def test_only_the_first_frame_of_several_and_says_so(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    first.save(tmp_path / "p.tif", save_all=True, append_images=[second])
    read = read_picture(tmp_path / "p.tif")
    assert "first of 2" in read.warnings[0]
    assert to_srgb8(read.pixels)[0, 0].tolist() == [255, 0, 0, 255]


def write_exr(path: Path, channels: dict[str, np.ndarray], **header: object) -> None:
    OpenEXR.File(
        {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}, channels
    ).write(str(path))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_exr_is_linear_and_premultiplied(tmp_path: Path, dtype: type) -> None:
    rng = np.random.default_rng(3)
    rgba = rng.random((19, 23, 4)).astype(dtype)
    write_exr(tmp_path / "p.exr", {"RGBA": rgba})
    read = read_picture(tmp_path / "p.exr")
    assert np.array_equal(read.pixels, rgba.astype(np.float32))
    assert (read.bits, read.colour, read.has_alpha) == (8 * rgba.itemsize, "linear", True)


def test_exr_layers_grey_and_missing_alpha(tmp_path: Path) -> None:
    one = np.full((4, 5), 0.25, np.float32)
    layer = {f"ViewLayer.Combined.{c}": one * i for i, c in enumerate("RGBA")}
    write_exr(tmp_path / "layers.exr", {**layer, "ViewLayer.Depth.Z": one, "ViewLayer.Normal.R": one})
    read = read_picture(tmp_path / "layers.exr")
    assert np.allclose(read.pixels[0, 0], [0, 0.25, 0.5, 0.75])
    assert "ViewLayer.Combined" in read.warnings[0]
    write_exr(tmp_path / "grey.exr", {"Y": one})
    assert np.allclose(read_picture(tmp_path / "grey.exr").pixels[0, 0], [0.25, 0.25, 0.25, 1])


def test_exr_data_window_is_placed_in_the_picture(tmp_path: Path) -> None:
    part = np.ones((3, 4, 4), np.float32)
    windows = {
        "displayWindow": ((0, 0), (9, 7)),
        "dataWindow": ((2, 1), (5, 3)),
    }
    write_exr(tmp_path / "p.exr", {"RGBA": part}, **windows)
    pixels = read_picture(tmp_path / "p.exr").pixels
    want = np.zeros((8, 10, 4), np.float32)
    want[1:4, 2:6] = 1
    assert np.array_equal(pixels, want)


def test_exr_values_that_are_no_numbers(tmp_path: Path) -> None:
    rgba = np.full((2, 2, 4), 0.5, np.float32)
    rgba[0, 0, 0], rgba[1, 1, 2] = np.nan, np.inf
    write_exr(tmp_path / "p.exr", {"RGBA": rgba})
    read = read_picture(tmp_path / "p.exr")
    assert np.isfinite(read.pixels).all()
    assert "2 values" in read.warnings[0]


def test_exr_of_other_primaries(tmp_path: Path) -> None:
    """White stays white, and BT.2020's green lies outside BT.709."""
    rgba = np.ones((1, 2, 4), np.float32)
    rgba[0, 1] = (0, 1, 0, 1)
    bt2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
    write_exr(tmp_path / "p.exr", {"RGBA": rgba}, chromaticities=bt2020)
    pixels = read_picture(tmp_path / "p.exr").pixels
    assert np.allclose(pixels[0, 0], 1, atol=1e-4)
    assert np.allclose(pixels[0, 1, :3], [-0.5876, 1.1329, -0.1006], atol=2e-3)  # ITU-R BT.2087, M2 inverse


@pytest.mark.shared
def test_real_pictures_are_read_as_pillow_reads_them(shared: Path) -> None:
    paths = [*shared.glob("images/*.png"), *shared.glob("reference/lambda_00/*.png")]
    assert len(paths) >= 5
    for path in paths:
        assert_shows(path, np.asarray(Image.open(path).convert("RGBA")))


def test_premultiplied_linear_is_what_comes_out(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (200, 100, 50, 51)).save(tmp_path / "p.png")
    want = srgb_to_linear(np.array([200, 100, 50]) / 255) * 0.2
    assert np.allclose(read_picture(tmp_path / "p.png").pixels[0, 0], [*want, 0.2], atol=1e-7)
