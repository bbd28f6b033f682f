# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, by its content where that can be told at a glance."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from keywarp.keyframes.errors import KeywarpError


class Kind(Enum):
    """What commands that take any file tell apart."""

    CHARACTER = "character"
    PICTURE = "picture"
    MODEL = "model"
    CLIP = "clip"


_MODEL_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".onnx")
_LONG_MODEL_SUFFIX = ".pth.tar"
_PICTURE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"\x76\x2f\x31\x01")


def kind_of(path: Path) -> Kind:
    """The kind of what is at ``path``, a model where that is an installed one's name, a clip where it is nothing
    else. Raises ``KeywarpError`` where there is nothing."""
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        from keywarp.core.character import character_in
        from keywarp.core.models.registry import find_model, model_folders

        if any(character_in(folder / path) for folder in model_folders()):
            return Kind.CHARACTER
        find_model(path)
        return Kind.MODEL
    if path.is_dir():
        from keywarp.core.character import character_in

        return Kind.CHARACTER if character_in(path) else Kind.MODEL
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise KeywarpError(f"{path} is not a file")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise KeywarpError(f"{path} cannot be read: {error.strerror or error}") from None
    from keywarp.core.picture import PICTURE_SUFFIXES

    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return Kind.CHARACTER
    if head.startswith(_PICTURE_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Kind.PICTURE
    if suffix in _MODEL_SUFFIXES or path.name.lower().endswith(_LONG_MODEL_SUFFIX):
        return Kind.MODEL
    if suffix in PICTURE_SUFFIXES:
        return Kind.PICTURE
    return Kind.CLIP
