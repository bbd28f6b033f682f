# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of one pose space as clips of another.

A channel that is one channel of the source, scaled, keeps its keys, with their interpolation and handles.
Every other one is sampled on each frame and at each key, and gets linear keys.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Dictionary
from typing import Optional, Union

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import INTERPOLATIONS, Key, Point
from keywarp.keyframes.mappings.base import Scaled
from keywarp.keyframes.mappings.registry import convert, route
from keywarp.keyframes.reduce import reduced_curve

#: More than nine hours at 30 frames a second; a bound on memory, some 800 bytes a frame.
MAX_FRAMES = 1_000_000
#: A step is kept as a line as long as this, in frames; keys nearer than 0.01 would be merged into one.
_STEP = 0.02
_CONSTANT = INTERPOLATIONS.index("CONSTANT")


def convert_clip(clip: Clip, target: Union[PoseSpace, str], tolerance: float = 1e-6) -> Clip:
    """``clip`` in the pose space ``target``, over the clip's own range.

    Sampled channels lose the keys that a straight line carries to within ``tolerance``, a share of the
    channel's range; a channel that stays at its default gets no curve. Raises ``KeywarpError`` where
    there is no way between the spaces, where the clip is longer than a million frames, or where one of
    its values is not finite.
    """
    steps = route(clip.space, target)
    if not steps:
        return clip
    space = steps[-1].target
    frames = _sampled_frames(clip)
    source = clip.sample(frames)
    poses = convert(source, clip.space, space)
    scaled = _composed([step.scaled_channels() for step in steps])
    curves: dict[str, Curve] = {}
    for i, channel in enumerate(space.channels):
        kept = _kept_curve(clip, source, poses[:, i], scaled.get(channel.name))
        if kept is not None:
            curves[channel.name] = kept
        elif np.any(poses[:, i] != channel.default):
            curve = Curve.from_points(frames, poses[:, i], "LINEAR")
            curves[channel.name] = reduced_curve(curve, tolerance * (channel.maximum - channel.minimum))
    return dataclasses.replace(clip, space=space.name, curves=curves)


def _sampled_frames(clip: Clip) -> npt.NDArray[np.float64]:
    keys = [curve.columns.frame for curve in clip.curves.values()]
    steps = [
        curve.columns.frame[1:][curve.columns.interpolation[:-1] == _CONSTANT] - _STEP
        for curve in clip.curves.values()
    ]
    extra = np.concatenate([*keys, *steps, [clip.start, clip.end]])
    extra = np.unique(extra[(extra >= clip.start) & (extra <= clip.end)])
    if clip.end - clip.start + len(extra) > MAX_FRAMES:
        raise KeywarpError(
            f"the clip from frame {clip.start:g} to {clip.end:g} is too long to be converted to another pose "
            f"space: that takes at most {MAX_FRAMES} frames and keys"
        )
    return np.union1d(clip.frames(), extra)


def _composed(links: list[Dictionary[str, Scaled]]) -> dict[str, Scaled]:
    """By channel of the last space: the one channel of the first space that it is a scaled copy of."""
    composed = dict(links[0])
    for link in links[1:]:
        composed = {
            name: Scaled(composed[via.source].source, *_chain(composed[via.source], via))
            for name, via in link.items()
            if via.source in composed
        }
    return composed


def _chain(inner: Scaled, outer: Scaled) -> tuple[float, float]:
    return inner.scale * outer.scale, inner.offset * outer.scale + outer.offset


def _kept_curve(clip: Clip, source: Poses, values: Poses, scaled: Optional[Scaled]) -> Optional[Curve]:
    """The source's curve itself, scaled, where that is the same wherever the clip was sampled.

    It is not where the mapping held a value to a range, or a neighbour had a say.
    """
    if scaled is None or scaled.source not in clip.curves:
        return None
    expected = source[:, clip.pose_space.index(scaled.source)] * scaled.scale + scaled.offset
    if not np.allclose(values, expected, rtol=0.0, atol=1e-9):
        return None
    curve = clip.curves[scaled.source]
    keys = [_scaled_key(key, scaled) for key in curve.keys]
    return Curve(keys, curve.extrapolation, curve.auto_smoothing, curve.cycles, curve.extra)


def _scaled_key(key: Key, by: Scaled) -> Key:
    return dataclasses.replace(
        key,
        value=key.value * by.scale + by.offset,
        handle_left=_scaled_point(key.handle_left, by),
        handle_right=_scaled_point(key.handle_right, by),
        amplitude=key.amplitude * abs(by.scale),
    )


def _scaled_point(point: Optional[Point], by: Scaled) -> Optional[Point]:
    return None if point is None else (point[0], point[1] * by.scale + by.offset)
