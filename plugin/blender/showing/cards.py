# SPDX-License-Identifier: GPL-3.0-or-later
"""The error card: what a live image shows in a render whose frame could not be made.

Stripes of magenta and black, and the reason in letters of five by seven dots. Never to be taken for a frame.
"""

from __future__ import annotations

import textwrap

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

MAGENTA = (1.0, 0.0, 0.6, 1.0)
BLACK = (0.0, 0.0, 0.0, 1.0)
WHITE = (1.0, 1.0, 1.0, 1.0)
TITLE = "KEYWARP: NO FRAME"

#: Rows from the top, five bits each, the leftmost highest.
_GLYPHS = {
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (1, 1, 1, 1, 1, 17, 14),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 25, 21, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 10, 10, 4),
    "W": (17, 17, 17, 21, 21, 27, 17),
    "X": (17, 10, 10, 4, 10, 10, 17),
    "Y": (17, 17, 10, 4, 4, 4, 4),
    "Z": (31, 1, 2, 4, 8, 16, 31),
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 6, 8, 16, 31),
    "3": (30, 1, 1, 14, 1, 1, 30),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (14, 16, 30, 17, 17, 17, 14),
    "7": (31, 1, 2, 4, 4, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 1, 14),
    ".": (0, 0, 0, 0, 0, 12, 12),
    ",": (0, 0, 0, 0, 12, 4, 8),
    ":": (0, 12, 12, 0, 12, 12, 0),
    ";": (0, 12, 12, 0, 12, 4, 8),
    "-": (0, 0, 0, 14, 0, 0, 0),
    "_": (0, 0, 0, 0, 0, 0, 31),
    "/": (1, 1, 2, 4, 8, 16, 16),
    "\\": (16, 16, 8, 4, 2, 1, 1),
    "'": (4, 4, 8, 0, 0, 0, 0),
    "(": (2, 4, 8, 8, 8, 4, 2),
    ")": (8, 4, 2, 2, 2, 4, 8),
    " ": (0, 0, 0, 0, 0, 0, 0),
}
_UNKNOWN = (31, 17, 17, 17, 17, 17, 31)
_ADVANCE, _LINE = 6, 10


def error_card(size: tuple[int, int], reason: str) -> Pixels:
    """The card, flat RGBA, rows from the bottom up, premultiplied and linear."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    stripe = max(min(size) // 12, 2)
    card = np.where(((rows + columns) // stripe % 2)[..., None] == 0, np.float32(MAGENTA), np.float32(BLACK))
    dot = max(width // (_ADVANCE * 44), 1)
    room = max(width // (_ADVANCE * dot) - 4, 1)
    _write(card, [TITLE, "", *textwrap.wrap(reason.upper(), room)], dot)
    return np.ascontiguousarray(card[::-1], np.float32).reshape(-1)


def _write(card: Pixels, lines: list[str], dot: int) -> None:
    """Lines of text in a black box at the card's centre, as much of them as fits; rows from the top down."""
    height, width = card.shape[:2]
    lines = lines[: max(height // (_LINE * dot) - 2, 1)]
    text = np.kron(_dots(lines), np.ones((dot, dot), bool))[:height, :width]
    top, left = (height - text.shape[0]) // 2, (width - text.shape[1]) // 2
    box = card[top : top + text.shape[0], left : left + text.shape[1]]
    box[:] = np.where(text[..., None], np.float32(WHITE), np.float32(BLACK))


def _dots(lines: list[str]) -> npt.NDArray[np.bool_]:
    """The lines as dots, with a margin."""
    longest = max(map(len, lines))
    dots = np.zeros((_LINE * len(lines) + 3, _ADVANCE * (longest + 2)), bool)
    for i, line in enumerate(lines):
        for j, letter in enumerate(line):
            glyph = np.array(_GLYPHS.get(letter, _UNKNOWN), np.uint8)
            at = dots[_LINE * i + 3 : _LINE * i + 10, _ADVANCE * (j + 1) : _ADVANCE * (j + 1) + 5]
            at[:] = np.unpackbits(glyph[:, None], axis=1)[:, 3:]
    return dots
