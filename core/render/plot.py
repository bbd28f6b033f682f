# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart of a clip's curves: a panel for each group of channels, over one time axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from keywarp.core.render import lettering
from keywarp.core.render.lettering import DARK, GREY, PAPER, Ink
from keywarp.keyframes.channels import Channel, Poses
from keywarp.keyframes.clip import Clip

WIDTH = 1900
_LEFT, _RIGHT, _TITLE, _GAP, _FOOT = 90, 380, 122, 46, 64
_PANEL = 220
"""Height of a panel, at least; a long legend takes more."""
_LINE = 24
_MOST_KEYS = 400
"""A curve of more keys is drawn without them: they would hide it."""
_GRID: Ink = (226, 229, 234)
_PANEL_FILL: Ink = (255, 255, 255)
#: Far apart in hue and near in weight, on white; the first eight are told apart by colour-blind readers too.
_INKS: tuple[Ink, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 140, 105),
    (204, 101, 157),
    (178, 132, 0),
    (60, 160, 215),
    (110, 64, 170),
    (60, 60, 60),
    (190, 40, 50),
    (120, 140, 30),
    (140, 90, 60),
    (90, 110, 160),
)


@dataclass(frozen=True)
class _Panel:
    group: str
    channels: tuple[Channel, ...]
    top: int
    height: int


@dataclass(frozen=True)
class _Axes:
    """Frames and values to pixels."""

    first: float
    last: float
    low: float
    high: float
    top: int
    height: int

    def x(self, frames: npt.ArrayLike) -> npt.NDArray[np.float64]:
        span = self.last - self.first or 1.0
        return _LEFT + (np.asarray(frames, np.float64) - self.first) / span * (WIDTH - _LEFT - _RIGHT)

    def y(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        share = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        # A curve far beyond its channel's range leaves the panel; OpenCV's coordinates must stay small.
        return self.top + self.height * (1 - np.clip(share, -1.0, 2.0))


def plotted(clip: Clip, title: str) -> npt.NDArray[np.uint8]:
    """(H, WIDTH, 3) uint8 sRGB: the curves of the clip's moving channels."""
    panels = _panels(clip)
    height = (panels[-1].top + panels[-1].height if panels else _TITLE) + _FOOT
    frames = np.linspace(clip.start, clip.end, 2 * (WIDTH - _LEFT - _RIGHT))
    values = clip.sample(frames)
    image = np.full((height, WIDTH, 3), PAPER, np.uint8)
    axes = [_axes(clip, panel, values) for panel in panels]
    for panel, scale in zip(panels, axes, strict=True):
        _draw_curves(image, clip, panel, scale, frames, values)
    sheet = Image.fromarray(image)
    draw = ImageDraw.Draw(sheet)
    _heading(draw, clip, title, bool(panels))
    for panel, scale in zip(panels, axes, strict=True):
        _label(draw, panel, scale)
    if panels:
        _label_time(draw, clip, axes[-1], panels)
    return np.asarray(sheet)


def _panels(clip: Clip) -> list[_Panel]:
    space = clip.pose_space
    moving = [channel for channel in space.channels if channel.name in clip.curves]
    panels: list[_Panel] = []
    top = _TITLE
    for group in dict.fromkeys(channel.group for channel in moving):
        members = tuple(channel for channel in moving if channel.group == group)
        height = max(_PANEL, len(members) * _LINE + 8)
        panels.append(_Panel(group, members, top, height))
        top += height + _GAP
    return panels


def _axes(clip: Clip, panel: _Panel, values: Poses) -> _Axes:
    """The panel's values with a little room; at least a tenth of the channels' range, so that noise stays small."""
    shown = values[:, [clip.pose_space.index(channel.name) for channel in panel.channels]]
    low, high = min(float(shown.min()), 0.0), max(float(shown.max()), 0.0)
    least = 0.1 * max(channel.maximum - channel.minimum for channel in panel.channels)
    if high - low < least:
        high = low + least
    room = 0.06 * (high - low)
    return _Axes(clip.start, clip.end, low - room, high + room, panel.top, panel.height)


def _ink(index: int) -> Ink:
    return _INKS[index % len(_INKS)]


def _draw_curves(
    image: npt.NDArray[np.uint8],
    clip: Clip,
    panel: _Panel,
    axes: _Axes,
    frames: npt.NDArray[np.float64],
    values: Poses,
) -> None:
    part = image[panel.top : panel.top + panel.height, _LEFT : WIDTH - _RIGHT]
    part[:] = _PANEL_FILL
    for x in axes.x(_ticks(axes.first, axes.last, 12)):
        image[panel.top : panel.top + panel.height, round(float(x))] = _GRID
    for y in axes.y(_ticks(axes.low, axes.high, 5)):
        image[min(round(float(y)), panel.top + panel.height - 1), _LEFT : WIDTH - _RIGHT] = _GRID
    x = axes.x(frames) - _LEFT
    for index, channel in enumerate(panel.channels):
        y = axes.y(values[:, clip.pose_space.index(channel.name)]) - panel.top
        line = np.rint(np.stack([x, y], -1) * 16).astype(np.int32)
        # The two sides often move alike: the left one shows on both sides of the right one.
        cv2.polylines(part, [line], False, _ink(index), 5 if channel.side == "left" else 2, cv2.LINE_AA, 4)
        _draw_keys(part, clip, channel, axes, _ink(index), panel.top)


def _draw_keys(
    part: npt.NDArray[np.uint8], clip: Clip, channel: Channel, axes: _Axes, ink: Ink, top: int
) -> None:
    keys = clip.curves[channel.name].columns
    inside = (keys.frame >= clip.start) & (keys.frame <= clip.end)
    if inside.sum() > _MOST_KEYS:
        return
    for x, y in zip(axes.x(keys.frame[inside]) - _LEFT, axes.y(keys.value[inside]) - top, strict=True):
        cv2.circle(part, (round(x * 16), round(y * 16)), 56, ink, -1, cv2.LINE_AA, 4)


def _heading(draw: ImageDraw.ImageDraw, clip: Clip, title: str, moves: bool) -> None:
    heading, size = lettering.fitted(title, 28, WIDTH - 2 * _LEFT)
    lettering.write(draw, (_LEFT, 44), heading, size)
    about = (
        f"{clip.pose_space.name}, {len(clip.curves)} of {len(clip.pose_space)} channels, "
        f"frames {clip.start:g} to {clip.end:g} at {clip.fps:g} fps, {clip.seconds:.2f} s"
    )
    lettering.write(draw, (_LEFT, 70), about if moves else f"{about}: no channel has a curve", 17, GREY)


def _label(draw: ImageDraw.ImageDraw, panel: _Panel, axes: _Axes) -> None:
    lettering.write(draw, (_LEFT, panel.top - 10), panel.group, 19)
    for value in _ticks(axes.low, axes.high, 5):
        lettering.write(draw, (_LEFT - 10, float(axes.y(value))), f"{value:g}", 15, GREY, "rm")
    x, y = WIDTH - _RIGHT + 18, panel.top + 16
    for index, channel in enumerate(panel.channels):
        at = y + index * _LINE
        draw.rectangle((x, at - 6, x + 16, at + 6), _ink(index))
        text, size = lettering.fitted(channel.name, 17, _RIGHT - 18 - 26 - 12)
        lettering.write(draw, (x + 26, at), text, size, DARK, "lm")


def _label_time(draw: ImageDraw.ImageDraw, clip: Clip, axes: _Axes, panels: Sequence[_Panel]) -> None:
    bottom = panels[-1].top + panels[-1].height
    for frame in _ticks(axes.first, axes.last, 12):
        x = float(axes.x(frame))
        lettering.write(draw, (x, bottom + 20), f"{frame:g}", 15, GREY, "ms")
        lettering.write(draw, (x, bottom + 40), f"{(frame - clip.start) / clip.fps:.2f} s", 13, GREY, "ms")
    lettering.write(draw, (_LEFT - 14, bottom + 20), "frame", 15, GREY, "rs")
    for marker in clip.markers:
        if clip.start <= marker.frame <= clip.end:
            x = float(axes.x(marker.frame))
            draw.line((x, panels[0].top, x, bottom), (150, 154, 164), 1)
            text, size = lettering.fitted(marker.name, 14, 160)
            lettering.write(draw, (x + 4, panels[0].top + 14), text, size, GREY)


def _ticks(low: float, high: float, count: int) -> npt.NDArray[np.float64]:
    """At most ``count`` round numbers in the range."""
    span = high - low
    if span <= 0:
        return np.array([low])
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return np.round(np.arange(first, last + 1) * step, 12)
