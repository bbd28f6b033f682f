# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips layered over one another: each with a weight, a range of frames, and some of its channels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.clip import Sampled, checked_range, checked_rate
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import MAX_FRAME, MAX_VALUE, number, one_of, shown
from keywarp.keyframes.spaces import space as space_named

Array = npt.NDArray[np.float64]

#: A frame this near to the end of a range is in it: the range may come from a change of frame rate.
_AT_END = 1e-6

MODES = ("REPLACE", "ADD")


@dataclass(frozen=True)
class Layer:
    """One clip among others. Its frames, but for the clip's own, are those of the whole (``Layered``)."""

    clip: Sampled
    weight: Union[float, Curve] = 1.0
    """1: all of it, 0: nothing; a curve fades it in and out. Other numbers exaggerate."""
    start: Optional[float] = None
    """The layer acts from this frame; ``None``: from the clip's own start."""
    end: Optional[float] = None
    """The layer acts to this frame, inclusive; ``None``: to the clip's own end."""
    mode: str = "REPLACE"
    """``REPLACE`` goes from the layers below towards the clip's pose; ``ADD`` adds what the clip
    differs from the rest pose."""
    channels: Optional[Collection[str]] = None
    """The channels that it acts on; ``None``: those that the clip animates."""
    offset: float = 0.0
    """The frame at which the clip's frame 0 lies."""

    def __post_init__(self) -> None:
        one_of(self.mode, MODES, "mode of a layer")
        if not isinstance(self.weight, Curve):
            number(self.weight, "a layer's weight", MAX_VALUE)
        number(self.offset, "a layer's offset", MAX_FRAME)
        if isinstance(self.channels, str):
            raise KeywarpError(f"a layer's channels must be a list of names, not {shown(self.channels)}")
        for channel in self.channels or ():
            space_named(self.clip.space).index(channel)

    @property
    def columns(self) -> list[int]:
        """The places of its channels in the space."""
        names = self.clip.animated if self.channels is None else self.channels
        space = space_named(self.clip.space)
        return sorted({space.index(name) for name in names})

    def range(self, fps: float) -> tuple[float, float]:
        """Its first and last frame, where the whole runs at ``fps``."""
        rate = fps / self.clip.fps
        start = self.offset + self.clip.start * rate if self.start is None else self.start
        end = self.offset + self.clip.end * rate if self.end is None else self.end
        return start, end

    def over(self, poses: Array, frames: Array, fps: float) -> None:
        """Lay it over ``poses``, (N, C), in place, at ``frames``, (N,), of a whole that runs at ``fps``."""
        start, end = self.range(fps)
        at = np.flatnonzero((frames >= start - _AT_END) & (frames <= end + _AT_END))
        columns = self.columns
        if not len(at) or not columns:
            return
        clip_frames = (frames[at] - self.offset) * (self.clip.fps / fps)
        layer = self.clip.sample(clip_frames)[:, columns]
        weight = self.weight.sample(frames[at])[:, None] if isinstance(self.weight, Curve) else self.weight
        place = np.ix_(at, np.array(columns))
        below = poses[place] if self.mode == "REPLACE" else space_named(self.clip.space).rest()[columns]
        poses[place] += weight * (layer - below)


class Layered:
    """Layers from the lowest to the highest, over the rest pose; sampled like a ``Clip``.

    All clips are of one pose space. ``fps``: by default the first clip's. ``start``, ``end``: by
    default from the first frame of any layer to the last of any.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        fps: Optional[float] = None,
        start: Optional[float] = None,
        end: Optional[float] = None,
    ) -> None:
        self.layers = tuple(layers)
        if not self.layers:
            raise KeywarpError("there must be at least one layer")
        spaces = {layer.clip.space for layer in self.layers}
        if len(spaces) > 1:
            raise KeywarpError(
                f"layers must be of one pose space, not of {' and '.join(sorted(spaces))}: convert some first"
            )
        self.space = self.layers[0].clip.space
        self.fps = checked_rate(self.layers[0].clip.fps if fps is None else fps)
        ranges = [layer.range(self.fps) for layer in self.layers]
        self.start, self.end = checked_range(
            min(first for first, _ in ranges) if start is None else start,
            max(last for _, last in ranges) if end is None else end,
        )

    @property
    def animated(self) -> frozenset[str]:
        names = space_named(self.space).names
        return frozenset(names[column] for layer in self.layers for column in layer.columns)

    def sample(self, frames: npt.ArrayLike) -> Array:
        """The poses at ``frames``, (N,): (N, C) in the order of the space, not held to its ranges."""
        times = np.atleast_1d(np.asarray(frames, np.float64))
        poses: Array = np.repeat(space_named(self.space).rest()[None], len(times), axis=0)
        for layer in self.layers:
            layer.over(poses, times, self.fps)
        return poses
