# SPDX-License-Identifier: GPL-3.0-or-later
"""A character that fills the frame, for measuring what every part of a frame costs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from keywarp.core.character import Character
from keywarp.core.framing import Framing
from keywarp.core.picture import Picture
from keywarp.core.render.performer import load_artwork
from keywarp.core.render.sinks import write_picture
from keywarp.core.resample import shifted

_STEP = 0.95
"""By which the part becomes smaller from one try to the next."""


@contextmanager
def filling(character: Character, share: float, size: tuple[int, int]) -> Iterator[Character]:
    """The same character with a part of its picture, of the shape of ``size``, of which it fills ``share``.

    The new picture exists as long as the context does.
    """
    art = load_artwork(character, character.find_model().info)
    left, top, right, bottom = _part(art.canvas, share, size[0] / size[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{character.name}.png"
        write_picture(path, art.canvas[top:bottom, left:right], bits=16)
        framing = Framing.from_matrix(shifted(art.canvas_framing.matrix(), left, top))
        yield replace(character, picture=path, hd_picture=None, framing=framing, head=None, move_mask=None)


def _part(canvas: Picture, share: float, shape: float) -> tuple[int, int, int, int]:
    """The largest part of that shape about the character's middle of which it fills ``share``; left, top, right,
    bottom."""
    height, width = canvas.shape[:2]
    seen = canvas[..., 3] > 0
    rows, columns = np.nonzero(seen)
    x, y = float(columns.mean()), float(rows.mean())
    across = min(width, height * shape)
    while True:
        w, h = max(round(across), 1), max(round(across / shape), 1)
        left = min(max(round(x - w / 2), 0), width - w)
        top = min(max(round(y - h / 2), 0), height - h)
        if seen[top : top + h, left : left + w].mean() >= share or w <= 16:
            return left, top, left + w, top + h
        across *= _STEP
