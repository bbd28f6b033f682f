# SPDX-License-Identifier: GPL-3.0-or-later
"""A student as a folder that Talking Head Anime 4's own programs open, and keywarp."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor

from keywarp.core.character import OWN_FILE, THA4_FILE, Character, character_text
from keywarp.core.color import to_srgb8
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.teacher import FACE, Subject
from keywarp.core.models.tha.student_files import BODY_FILE, FACE_FILE
from keywarp.core.motion import FloatImage
from keywarp.core.render.sinks.base import replacing
from keywarp.core.render.sinks.png import encode_png

PICTURE, HD_PICTURE = "character.png", "character_hd.png"
_SETTINGS = (
    f"character_image_file_name: {PICTURE}\n"
    f"face_morpher_file_name: {FACE_FILE}\n"
    f"body_morpher_file_name: {BODY_FILE}\n"
)


def write_pictures(folder: Path, subject: Subject) -> None:
    """The picture as the student sees it, and larger where there is more of it."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / PICTURE, encode_png(to_srgb8(subject.square), {}))
    if subject.hd is not None:
        _write(folder / HD_PICTURE, encode_png(to_srgb8(subject.hd), {}))


def write_student(
    folder: Path, face: Mapping[str, Tensor], body: Mapping[str, Tensor], subject: Subject
) -> None:
    """Both networks and the two files that name them; each appears when it is whole."""
    for name, state in ((FACE_FILE, face), (BODY_FILE, body)):
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
        with replacing(folder / name) as temporary:
            torch.save(OrderedDict(plain), temporary)
    own = folder / OWN_FILE
    character = Character(
        name=subject.name,
        picture=folder / PICTURE,
        model=".",
        folder=folder,
        hd_picture=None if subject.hd is None else folder / HD_PICTURE,
        defaults=subject.defaults,
        licence=subject.licence,
        credit=subject.credit,
    )
    _write(own, character_text(character, own).encode())
    rights = {"licence": subject.licence, "credit": subject.credit}
    told = yaml.safe_dump({name: text for name, text in rights.items() if text}, allow_unicode=True)
    _write(folder / THA4_FILE, (_SETTINGS + (told if any(rights.values()) else "")).encode())


def write_mask(path: Path, face: FloatImage) -> None:
    """The movable parts, (128, 128), as THA4's distiller takes them: a square of 512, white where the face moves."""
    square = np.full((layout.SIDE, layout.SIDE, 4), (0, 0, 0, 255), np.uint8)
    square[FACE][face > 0.5] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, encode_png(square, {}))


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
