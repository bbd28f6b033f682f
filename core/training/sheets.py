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
_BEHIND = (0.80, 0.83, 0.87)
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
    width = 2 * _MARGIN + len(HEADINGS) * (CELL + _GAP) - _GAP
    height = _HEADING + len(rows) * (CELL + _CAPTION + _GAP) + _MARGIN
    sheet = Image.new("RGB", (width, height), lettering.PAPER)
    draw = ImageDraw.Draw(sheet)
    text, size = lettering.fitted(title, 18, width - 2 * _MARGIN)
    lettering.write(draw, (_MARGIN, 30), text, size)
    for column, heading in enumerate(HEADINGS):
        lettering.write(draw, (_MARGIN + column * (CELL + _GAP), _HEADING - 8), heading, 14, lettering.GREY)
    for number, row in enumerate(rows):
        y = _HEADING + number * (CELL + _CAPTION + _GAP)
        for column, cell in enumerate(_cells(row)):
            larger = cv2.resize(cell, (CELL, CELL), interpolation=_kernel(len(cell)))
            sheet.paste(Image.fromarray(np.asarray(larger, np.uint8)), (_MARGIN + column * (CELL + _GAP), y))
        caption, size = lettering.fitted(row.caption, 14, width - 2 * _MARGIN)
        lettering.write(draw, (_MARGIN, y + CELL + _CAPTION - 6), caption, size, lettering.GREY)
    return np.asarray(sheet)


def _kernel(side: int) -> int:
    return int(cv2.INTER_AREA if side > CELL else cv2.INTER_CUBIC)


def _cells(row: Row) -> list[Pixels]:
    drawn = [
        over_srgb8(np.ascontiguousarray(x), _BEHIND) for x in (row.rest, row.posed, row.image, row.warped)
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
