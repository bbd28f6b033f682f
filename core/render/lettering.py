# SPDX-License-Identifier: GPL-3.0-or-later
"""Text on charts and contact sheets, with the font that Pillow carries: none need be installed."""

from __future__ import annotations

from functools import cache

from PIL import ImageDraw, ImageFont

#: sRGB.
Ink = tuple[int, int, int]
DARK: Ink = (32, 35, 42)
GREY: Ink = (112, 118, 130)
PAPER: Ink = (250, 250, 252)

_SMALLEST = 9


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at this height in pixels."""
    return ImageFont.load_default(size)


def width(text: str, size: int) -> int:
    """Pixels that the text takes."""
    return int(font(size).getlength(text)) + 1


def fitted(text: str, size: int, room: int) -> tuple[str, int]:
    """One line of the text and a size, at most ``size``, at which it fits ``room`` pixels; cut where it must be."""
    text = " ".join(text[:room].split())
    while size > _SMALLEST and width(text, size) > room:
        size -= 1
    if width(text, size) > room:
        while text and width(f"{text}...", size) > room:
            text = text[:-1]
        text = f"{text}..."
    return text, size


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    ink: Ink = DARK,
    anchor: str = "ls",
) -> None:
    """``anchor`` as Pillow names them; ``ls``: ``at`` is the left end of the baseline."""
    draw.text(at, text, ink, font(size), anchor)
