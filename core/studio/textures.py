# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures of 3D characters: found beside the model however its author spelt the name, and decoded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from keywarp.core.studio.figure import Texture

MAX_SIDE = 8192
MAX_BYTES = 256 << 20
_FORMATS = ["PNG", "JPEG", "BMP", "TGA", "DDS", "WEBP", "TIFF", "GIF"]


def texture_beside(model: Path, name: str) -> Texture | None:
    """The texture that a model names; ``None`` where it is missing or cannot be read.

    Models come from systems that do not tell upper from lower case and separate folders by backslashes. Nothing
    outside the model's own folder is read.
    """
    path = _found(model.parent, name)
    if path is None or path.stat().st_size > MAX_BYTES:
        return None
    return decode_texture(path.read_bytes())


def decode_texture(data: bytes) -> Texture | None:
    """A picture file's pixels, upright; ``None`` where they cannot be read or are too many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(BytesIO(data), formats=_FORMATS)
            if max(image.size) > MAX_SIDE:
                return None
            return np.asarray(image.convert("RGBA")).copy()
        except Exception:  # decoders raise many kinds for damaged files
            return None


def _found(folder: Path, name: str) -> Path | None:
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in (".", "")]
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0]:
        return None
    for part in parts:
        matching = next((each for each in _entries(folder) if each.name.casefold() == part.casefold()), None)
        if matching is None:
            return None
        folder = matching
    return folder if folder.is_file() else None


def _entries(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(folder.iterdir())
