# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet: a character with every channel at its extremes, one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from keywarp.core.canvas import MAX_SIDE
from keywarp.core.character import Character
from keywarp.core.color import over_srgb8
from keywarp.core.render import lettering
from keywarp.core.render.stage import Stage
from keywarp.core.resample import place_picture, then
from keywarp.core.reswarp.pyramid import Box
from keywarp.keyframes.channels import Channel, Poses, PoseSpace
from keywarp.keyframes.spaces import space

CELL = 272
"""Pixels across a cell."""
COLUMNS = 7
_GAP, _MARGIN, _CAPTION, _HEADING, _TITLE, _LETTERS = 10, 28, 26, 54, 60, 17
_TALLEST = 1.7
"""Height of a cell over its width, at most."""
_BEHIND = (0.80, 0.83, 0.87)
_BEHIND_REST = (0.73, 0.80, 0.90)
_ACCENT = (176, 66, 40)

_MUCH = 0.3
"""Share of the largest change from which a pixel counts as changed."""
_ROOM = {"Brows": 1.0, "Eyes": 1.0, "Gaze": 1.0, "Mouth": 1.0, "Head": 1.8}
"""By group, the side of the square that is shown over that of what the face's channels change; other groups
show everything."""
_FACE = ("Brows", "Eyes", "Gaze", "Mouth")


@dataclass(frozen=True)
class Cell:
    """One picture of the sheet."""

    name: str
    value: str
    group: str
    pose: Poses
    """(C,)."""


def cells(poses: PoseSpace, rest: Poses) -> list[Cell]:
    """Group by group the rest pose, (C,), and from it every channel at each end of its range."""
    found = []
    for group in dict.fromkeys(channel.group for channel in poses.channels):
        found.append(Cell("rest pose", "", group, rest))
        for column, channel in enumerate(poses.channels):
            if channel.group == group:
                found += _extremes(poses, column, channel, rest)
    return found


def _extremes(poses: PoseSpace, column: int, channel: Channel, rest: Poses) -> Iterator[Cell]:
    for value in (channel.minimum, channel.maximum):
        if value != rest[column]:
            pose = _alone(poses, channel, rest)
            pose[column] = value
            yield Cell(channel.name, f"{value:g}", channel.group, pose)


def _alone(poses: PoseSpace, channel: Channel, rest: Poses) -> Poses:
    """The pose on which the channel shows what it does: mouth shapes replace each other, so the others go."""
    pose = rest.copy()
    if channel.group == "Mouth":
        for column, other in enumerate(poses.channels):
            if other.group == "Mouth":
                pose[column] = min(max(0.0, other.minimum), other.maximum)
    return pose


def contact_sheet(
    character: Character, device: str = "auto", advance: Callable[[int, int], None] = lambda done, of: None
) -> tuple[npt.NDArray[np.uint8], Stage]:
    """(H, W, 3) uint8 sRGB, and the stage that drew it; ``advance`` hears of the pictures that are done."""
    probe = Stage(character, size=(64, 64), device=device)
    poses = space(probe.model.space)
    shown = cells(poses, poses.clamp(poses.pose(character.resting)))
    face, figure = _face(probe, shown), _figure(probe)
    views = {cell.group: _view(cell.group, face, figure) for cell in shown}
    stage = Stage(probe.performer, size=_size(probe, min(views.values(), key=_across)))
    pictures = []
    for cell in shown:
        pictures.append(_drawn(stage, cell, views[cell.group]))
        advance(len(pictures), len(shown))
    return _laid_out(character, stage, shown, pictures), stage


# What to show, in pixels of the canvas.

Square = tuple[float, float, float, float]
"""(left, top, right, bottom), not rounded."""


def _face(probe: Stage, shown: list[Cell]) -> Square | None:
    """Where the channels of the face change something, by the model's own small pictures."""
    poses, rest = space(probe.model.space), shown[0].pose
    moved = [cell for cell in shown if cell.group in _FACE and cell.value]
    still = probe.motion(rest).image
    change = np.zeros(still.shape[:2], np.float32)
    for cell in moved:
        channel = poses[cell.name]
        if channel.side == "right":
            continue  # moved together with its left side
        pose = cell.pose.copy()
        if channel.pair is not None:
            pose[poses.index(channel.pair)] = pose[poses.index(channel.name)]
        np.maximum(change, np.abs(probe.motion(pose).image - still).max(-1), out=change)
    return _on_canvas(probe, change > _MUCH * change.max())


def _on_canvas(probe: Stage, changed: npt.NDArray[np.bool_]) -> Square | None:
    """The part of the canvas that holds these pixels, (side, side), of the model's square."""
    ys, xs = np.nonzero(changed)
    if not len(xs):
        return None
    ends = np.array([[xs.min(), xs.max() + 1], [ys.min(), ys.max() + 1]]) * 2 / len(changed) - 1
    corners = np.array([[x, y, 1] for x in ends[0] for y in ends[1]])
    on_canvas = corners @ probe.artwork.canvas_framing.inverse().T
    (left, top), (right, bottom) = on_canvas.min(0), on_canvas.max(0)
    return float(left), float(top), float(right), float(bottom)


def _figure(probe: Stage) -> Square:
    """What of the canvas is not transparent, with a little room."""
    canvas = probe.artwork.canvas
    height, width = canvas.shape[:2]
    seen = canvas[..., 3] > 0.02
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not len(columns):
        return 0.0, 0.0, float(width), float(height)
    room = 0.06 * max(len(columns), len(rows))
    return (
        max(columns[0] - room, 0.0),
        max(rows[0] - room, 0.0),
        min(columns[-1] + 1 + room, float(width)),
        min(rows[-1] + 1 + room, float(height)),
    )


def _view(group: str, face: Square | None, figure: Square) -> Square:
    if face is None or group not in _ROOM:
        return figure
    half = max(face[2] - face[0], face[3] - face[1]) * _ROOM[group] / 2
    x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
    return x - half, y - half, x + half, y + half


def _across(view: Square) -> float:
    return view[2] - view[0]


def _size(probe: Stage, closest: Square) -> tuple[int, int]:
    """The frame in which the closest view is a cell wide."""
    height, width = probe.artwork.canvas.shape[:2]
    scale = min(CELL / _across(closest), MAX_SIDE / 2 / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


# Drawing


def _drawn(stage: Stage, cell: Cell, view: Square) -> npt.NDArray[np.uint8]:
    """(h, CELL, 3) uint8: the view, in which the frame may end."""
    scale = CELL / _across(view)
    height = min(round((view[3] - view[1]) * scale), round(CELL * _TALLEST))
    scale = min(scale, height / (view[3] - view[1]))
    middle = (view[0] + view[2]) / 2
    to_cell = np.array([[scale, 0, CELL / 2 - middle * scale], [0, scale, -view[1] * scale]])
    box = _in_frame(stage, (middle - CELL / 2 / scale, view[1], middle + CELL / 2 / scale, view[3]))
    part = stage.frame(cell.pose, window=box)[box[1] : box[3], box[0] : box[2]]
    # From the part's pixels back to the canvas's, then to the cell's.
    frame_scale = stage.view.scale
    offset = stage.view.canvas_to_frame[:, 2]
    to_canvas = np.array(
        [
            [1 / frame_scale, 0, (box[0] - offset[0]) / frame_scale],
            [0, 1 / frame_scale, (box[1] - offset[1]) / frame_scale],
        ]
    )
    placed = place_picture(np.ascontiguousarray(part), then(to_canvas, to_cell), CELL, height)
    return over_srgb8(placed, _BEHIND if cell.value else _BEHIND_REST)


def _in_frame(stage: Stage, view: Square) -> Box:
    x, y = view[::2], view[1::2]
    matrix = stage.view.canvas_to_frame
    left, right = (matrix[0, 0] * value + matrix[0, 2] for value in x)
    top, bottom = (matrix[1, 1] * value + matrix[1, 2] for value in y)
    width, height = stage.view.width, stage.view.height
    return (
        min(max(math.floor(left) - 2, 0), width - 1),
        min(max(math.floor(top) - 2, 0), height - 1),
        max(min(math.ceil(right) + 2, width), 1),
        max(min(math.ceil(bottom) + 2, height), 1),
    )


def _laid_out(
    character: Character, stage: Stage, shown: list[Cell], pictures: list[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    width = 2 * _MARGIN + COLUMNS * CELL + (COLUMNS - 1) * _GAP
    drawn = zip(shown, pictures, strict=True)
    groups = [(group, list(members)) for group, members in groupby(drawn, key=lambda item: item[0].group)]
    rows = [
        (group, [members[i : i + COLUMNS] for i in range(0, len(members), COLUMNS)])
        for group, members in groups
    ]
    height = _TITLE + _MARGIN
    for _, lines in rows:
        height += _HEADING + sum(max(len(p) for _, p in line) + _CAPTION + _GAP for line in lines)
    sheet = Image.new("RGB", (width, height), lettering.PAPER)
    draw = ImageDraw.Draw(sheet)
    _title(draw, character, stage, width)
    y = _TITLE
    for group, lines in rows:
        lettering.write(draw, (_MARGIN, y + _HEADING - 16), group, 24)
        draw.line((_MARGIN, y + _HEADING - 8, width - _MARGIN, y + _HEADING - 8), (205, 208, 214), 1)
        y += _HEADING
        for line in lines:
            for column, (cell, picture) in enumerate(line):
                _place(sheet, draw, _MARGIN + column * (CELL + _GAP), y, cell, picture)
            y += max(len(p) for _, p in line) + _CAPTION + _GAP
    return np.asarray(sheet)


def _title(draw: ImageDraw.ImageDraw, character: Character, stage: Stage, width: int) -> None:
    lettering.write(draw, (_MARGIN, 44), character.name, 30)
    model = stage.model
    about = f"{model.form}, pose space {model.space}, {len(space(model.space))} channels"
    lettering.write(draw, (width - _MARGIN, 44), about, 18, lettering.GREY, "rs")


def _place(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int, cell: Cell, picture: npt.NDArray[np.uint8]
) -> None:
    sheet.paste(Image.fromarray(picture), (x, y))
    baseline = y + len(picture) + _LETTERS + 2
    room = CELL - 8 - (lettering.width(cell.value, _LETTERS) if cell.value else 0)
    name, size = lettering.fitted(cell.name, _LETTERS, room)
    lettering.write(draw, (x, baseline), name, size)
    if cell.value:
        lettering.write(draw, (x + CELL, baseline), cell.value, _LETTERS, _ACCENT, "rs")
