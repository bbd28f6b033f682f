# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample sheets: what a network answers, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from keywarp.core.color import over_srgb8
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.render import lettering

CELL = 160
_GAP, _MARGIN, _HEADING, _CAPTION = 8, 24, 64, 22
BEHIND = (0.80, 0.83, 0.87)
"""What stands behind transparent pixels, sRGB."""
_FULL_FLOW = 0.15
"""Length of a flow, in square units, that is drawn in full colour."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One example and its answer; (n, n, 4) pictures in linear light, as in ``Motion``."""

    caption: str
    rest: Picture
    posed: Picture
    image: Picture
    warped: Picture
    flow: FloatImage
    painted: FloatImage


HEADINGS = ("rest picture", "truth", "answer", "error x4", "warped only", "flow", "newly painted")


def sample_sheet(title: str, rows: Sequence[Row]) -> Pixels:
    """(H, W, 3) uint8 sRGB: a line for each row."""
    return table_sheet(title, HEADINGS, [(row.caption, _cells(row)) for row in rows])


def table_sheet(
    title: str, headings: Sequence[str], lines: Sequence[tuple[str, Sequence[Pixels]]], cell: int = CELL
) -> Pixels:
    """(H, W, 3) uint8 sRGB: lines of square pictures, (n, n, 3), each shown at ``cell`` pixels, over a caption."""
    width = 2 * _MARGIN + len(headings) * (cell + _GAP) - _GAP
    height = _HEADING + len(lines) * (cell + _CAPTION + _GAP) + _MARGIN
    sheet = Image.new("RGB", (width, height), lettering.PAPER)
    draw = ImageDraw.Draw(sheet)
    text, size = lettering.fitted(title, 18, width - 2 * _MARGIN)
    lettering.write(draw, (_MARGIN, 30), text, size)
    for column, heading in enumerate(headings):
        lettering.write(draw, (_MARGIN + column * (cell + _GAP), _HEADING - 8), heading, 14, lettering.GREY)
    for number, (caption, pictures) in enumerate(lines):
        y = _HEADING + number * (cell + _CAPTION + _GAP)
        for column, picture in enumerate(pictures):
            kernel = cv2.INTER_AREA if len(picture) > cell else cv2.INTER_CUBIC
            fitted = cv2.resize(picture, (cell, cell), interpolation=kernel)
            sheet.paste(Image.fromarray(np.asarray(fitted, np.uint8)), (_MARGIN + column * (cell + _GAP), y))
        text, size = lettering.fitted(caption, 14, width - 2 * _MARGIN)
        lettering.write(draw, (_MARGIN, y + cell + _CAPTION - 6), text, size, lettering.GREY)
    return np.asarray(sheet)


def _cells(row: Row) -> list[Pixels]:
    drawn = [
        over_srgb8(np.ascontiguousarray(x), BEHIND) for x in (row.rest, row.posed, row.image, row.warped)
    ]
    error = np.abs(drawn[2].astype(np.int16) - drawn[1]).clip(0, 63).astype(np.uint8) * 4
    painted = np.rint(np.clip(row.painted, 0, 1) * 255).astype(np.uint8)
    grey = np.repeat(painted.reshape(*painted.shape[:2], 1), 3, -1)
    return [drawn[0], drawn[1], drawn[2], error, drawn[3], flow_colours(row.flow), grey]


def flow_colours(flow: FloatImage) -> Pixels:
    """(h, w, 3): direction as hue, length as strength; white where nothing moves."""
    angle = np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360
    length = np.clip(np.linalg.norm(flow, axis=-1) / _FULL_FLOW, 0, 1)
    planes = np.stack([angle, length, np.ones_like(length)], -1).astype(np.float32)
    return np.asarray(np.rint(cv2.cvtColor(planes, cv2.COLOR_HSV2RGB) * 255), np.uint8)
