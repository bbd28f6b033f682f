# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures inside keywarp, and reading them from files.

Inside, a picture is (H, W, 4) float32 RGBA, premultiplied, linear light, sRGB primaries.
"""

from __future__ import annotations

import os
import warnings as python_warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from keywarp.keyframes.errors import KeywarpError

#: (H, W, 4) float32 RGBA: premultiplied, linear light, nominally [0, 1].
Picture = npt.NDArray[np.float32]

#: Larger pictures are refused from their header, before any memory is taken.
MAX_SIDE = 16384
MAX_PIXELS = 1 << 27
MAX_FILE_BYTES = 1 << 30

#: What names of files that ``read_picture`` reads usually end in.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")
_FORMATS = "PNG, JPEG, WebP, TIFF or EXR"


@dataclass(frozen=True)
class PictureFile:
    """A picture that was read, and what its file said."""

    path: Path
    pixels: Picture
    format: str
    """``PNG``, ``JPEG``, ``WEBP``, ``TIFF`` or ``EXR``."""
    bits: int
    """Bits per channel in the file: 1 to 16, or 32 for EXR with full floats."""
    has_alpha: bool
    """Whether the file stores transparency; without it the picture is opaque."""
    colour: str
    """Where its colours came from: ``sRGB``, ``linear``, or the name of the profile."""
    warnings: tuple[str, ...] = field(default=())
    """Sentences about what was not carried over."""

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def read_picture(path: str | os.PathLike[str]) -> PictureFile:
    """Read a PNG, JPEG, WebP, TIFF or EXR file, recognised by its content.

    Colours are converted from the embedded ICC profile, or taken as sRGB (EXR: as linear
    premultiplied light with the file's own primaries); EXIF orientation is applied; palettes, grey
    and transparent colours become RGBA. Of several pages or frames the first is read.

    Raises ``KeywarpError`` where the file is missing, truncated, of another kind, empty, or larger
    than ``MAX_SIDE`` on a side or ``MAX_PIXELS`` in all.
    """
    path = Path(path)
    data = _file_bytes(path)
    if data[:4] == b"\x76\x2f\x31\x01":
        from keywarp.core.exr import read_exr

        return read_exr(path)
    return _read_coded(path, data)


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse sizes that no picture has, or that no memory holds; raises ``KeywarpError``."""
    if width < 1 or height < 1:
        raise KeywarpError(f"{path}: the picture is empty ({width}x{height} pixels)")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise KeywarpError(
            f"{path}: {width}x{height} pixels are too many; at most {MAX_SIDE} on a side "
            f"and {MAX_PIXELS >> 20} Mpixel in all can be read"
        )


def _file_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise KeywarpError(f"{path} does not exist; a picture ({_FORMATS}) was expected there")
        if not path.is_file():
            raise KeywarpError(f"{path} is not a file; a picture ({_FORMATS}) was expected")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise KeywarpError(f"{path}: the file is larger than {MAX_FILE_BYTES >> 30} GiB")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise KeywarpError(f"{path}: the file could not be read ({error})") from error
    if not data:
        raise KeywarpError(f"{path}: the file is empty; a picture ({_FORMATS}) was expected")
    return data


def _read_coded(path: Path, data: bytes) -> PictureFile:
    """A file that stores encoded (not linear) values: everything but EXR."""
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # Pillow's own bomb warning, odd EXIF entries
        try:
            Image.init()  # Pillow knows WebP and TIFF only after this
            image = Image.open(BytesIO(data), formats=["PNG", "JPEG", "WEBP", "TIFF"])
            check_size(path, *image.size)
            return _convert(path, data, image)
        except KeywarpError:
            raise
        except UnidentifiedImageError as error:
            raise KeywarpError(f"{path} is not a picture that can be read ({_FORMATS})") from error
        except Image.DecompressionBombError as error:
            raise KeywarpError(
                f"{path}: the picture is too large; at most {MAX_PIXELS >> 20} Mpixel can be read"
            ) from error
        except Exception as error:  # decoders raise many kinds for damaged files
            raise KeywarpError(
                f"{path}: the picture is damaged or truncated ({_first_line(error)})"
            ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _convert(path: Path, data: bytes, image: Image.Image) -> PictureFile:
    notes: list[str] = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"{path}: only the first of {image.n_frames} pages or frames is used")  # type: ignore[attr-defined]
    kind = {"MPO": "JPEG"}.get(image.format or "", image.format or "")
    bits = _bits(data, image)
    icc = image.info.get("icc_profile")
    if bits == 16 and image.mode not in ("CMYK", "LAB"):
        pixels = _deep_pixels(path, data, image)
    else:
        image, icc = _plain_mode(path, image, icc, notes)
        pixels = np.asarray(image)
    picture, colour = _to_linear(path, pixels, icc, notes)
    has_alpha = pixels.ndim == 3 and pixels.shape[2] in (2, 4)
    return PictureFile(path, picture, kind, bits, has_alpha, colour, tuple(notes))


def _bits(data: bytes, image: Image.Image) -> int:
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if set(tags.get(339, (1,))) - {1}:
            raise ValueError("only TIFF files of unsigned integers can be read; save it as EXR")
        return int(max(tags.get(258, (1,))))
    return 1 if image.mode == "1" else 8


def _plain_mode(
    path: Path, image: Image.Image, icc: Optional[bytes], notes: list[str]
) -> tuple[Image.Image, Optional[bytes]]:
    """An upright L, LA, RGB or RGBA image of 8 bits, and the profile that still applies to it."""
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("CMYK", "LAB") and icc is not None:
        image = _to_srgb_by_lcms(image, icc)
        return image, None
    if image.mode == "CMYK":
        notes.append(f"{path}: its CMYK colours carry no profile; they were converted plainly")
    if image.mode == "PA" or (image.mode in ("P", "RGB", "L", "1") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode in ("1", "I;16"):
        image = image.convert("L")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "RGB")
    return image, icc


def _to_srgb_by_lcms(image: Image.Image, icc: bytes) -> Image.Image:
    alpha = image.getchannel("A") if "A" in image.getbands() else None
    converted = ImageCms.profileToProfile(
        image.convert("RGB") if alpha is not None else image,
        ImageCms.ImageCmsProfile(BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    if converted is None:
        raise ValueError("its colour profile could not be applied")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _deep_pixels(path: Path, data: bytes, image: Image.Image) -> npt.NDArray[np.uint16]:
    """16-bit PNG and TIFF by OpenCV, as Pillow reduces them to 8 bits; upright, straight alpha."""
    # OpenCV applies TIFF's orientation whatever it is told, and PNG's not with this flag.
    orientation = 1 if image.format == "TIFF" else image.getexif().get(0x0112, 1)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != image.size[::-1]:
        raise ValueError("its 16-bit pixels could not be decoded")
    clear = image.info.get("transparency")
    if pixels.ndim == 2 and isinstance(clear, int):  # OpenCV leaves a grey PNG's transparent value aside
        pixels = np.dstack([pixels, np.where(pixels == clear, 0, 65535).astype(np.uint16)])
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        if image.format == "TIFF" and pixels.shape[2] == 4 and image.tag_v2.get(338) == (1,):  # type: ignore[attr-defined]
            pixels = _straight16(pixels)
    return _upright(pixels, orientation)


def _straight16(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """TIFF's associated alpha: encoded colours that were multiplied by alpha, divided again."""
    alpha = pixels[..., 3:].astype(np.float64)
    colours = np.zeros(pixels[..., :3].shape)
    np.divide(pixels[..., :3] * 65535.0, alpha, out=colours, where=alpha > 0)
    return np.concatenate([np.clip(np.rint(colours), 0, 65535).astype(np.uint16), pixels[..., 3:]], -1)


def _upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply EXIF orientation 1 to 8 (CIPA DC-008, tag 0x0112)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _to_linear(
    path: Path, pixels: npt.NDArray[Any], icc: Optional[bytes], notes: list[str]
) -> tuple[Picture, str]:
    from keywarp.core.color import from_srgb8, from_srgb16
    from keywarp.core.icc import parse_profile

    plain = from_srgb16 if pixels.dtype == np.uint16 else from_srgb8
    if icc is None:
        return plain(pixels), "sRGB"
    profile = parse_profile(icc)
    grey = pixels.ndim == 2 or pixels.shape[2] <= 2
    if profile is None:
        notes.append(f"{path}: its colour profile is damaged; the colours were taken as sRGB")
    elif profile.is_srgb():
        return plain(pixels), "sRGB"
    elif profile.simple and grey == (profile.colour_space == "GRAY"):
        return _by_profile(pixels, profile), profile.name
    elif profile.colour_space == "RGB" and not grey and pixels.dtype == np.uint8:
        mode = "RGB" if pixels.shape[2] == 3 else "RGBA"
        return from_srgb8(np.asarray(_to_srgb_by_lcms(Image.fromarray(pixels, mode), icc))), profile.name
    else:
        notes.append(f"{path}: its colour profile ({profile.name}) does not apply; taken as sRGB")
    return plain(pixels), "sRGB"


def _by_profile(pixels: npt.NDArray[Any], profile: Any) -> Picture:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * np.uint16(257)
    colours = 1 if pixels.shape[2] <= 2 else 3
    out = np.ones((*pixels.shape[:2], 4), np.float32)
    for row in range(0, len(pixels), 64):
        band = pixels[row : row + 64]
        out[row : row + 64, :, :3] = profile.to_linear_srgb(band[..., :colours])
        if colours < pixels.shape[2]:
            alpha = band[..., -1:] / np.float32(65535)
            out[row : row + 64, :, :3] *= alpha
            out[row : row + 64, :, 3:] = alpha
    return out
