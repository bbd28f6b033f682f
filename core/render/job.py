# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering a clip: which frames, in which order, to which sink."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from keywarp.core.bleed import REACH
from keywarp.core.picture import Picture
from keywarp.core.render.provenance import keywarp_version
from keywarp.core.render.stage import Stage
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.runtime.cache import content_hash
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.clip_file import curves_text
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import convert_clip
from keywarp.keyframes.spaces import space

if TYPE_CHECKING:  # an engine writes no files, and starts sooner without what writes them
    from keywarp.core.render.sinks import Sink

SAMPLED_AT_ONCE = 256
"""Frames whose poses are taken from the curves together: one by one would cost more than the curves."""


@dataclass(frozen=True)
class Timeline:
    """Output frames and the clip's frames that they show.

    Output frame n shows the clip at ``start + (n - start) * clip_fps / fps``.
    """

    clip_start: float
    clip_end: float
    clip_fps: float
    fps: Fraction

    @classmethod
    def of(cls, clip: Clip, fps: Fraction | None = None) -> Timeline:
        """The clip at this rate, or at its own."""
        return cls(clip.start, clip.end, clip.fps, fps or Fraction(clip.fps).limit_denominator(100_000))

    @property
    def first(self) -> int:
        return math.ceil(self.clip_start - 1e-9)

    @property
    def last(self) -> int:
        """The last output frame within the clip's range."""
        return math.floor(
            self.clip_start + (self.clip_end - self.clip_start) * float(self.fps) / self.clip_fps + 1e-6
        )

    def clip_frames(self, numbers: range) -> Poses:
        """The clip's frames, (N,), that these output frames show."""
        n = np.arange(numbers.start, numbers.stop, dtype=np.float64)
        return self.clip_start + (n - self.clip_start) * (self.clip_fps / float(self.fps))

    def numbers(self, wanted: tuple[int, int] | None) -> range:
        """The output frames to make: all, or ``wanted`` (inclusive); raises ``KeywarpError`` outside of the clip."""
        if self.last < self.first:
            raise KeywarpError("the clip is shorter than one frame at this rate")
        if wanted is None:
            return range(self.first, self.last + 1)
        if wanted[0] > wanted[1]:
            raise KeywarpError(f"of the frames {wanted[0]}-{wanted[1]} the first comes after the last")
        if wanted[0] < self.first or wanted[1] > self.last:
            raise KeywarpError(
                f"frames {wanted[0]}-{wanted[1]} are not in the clip; at {float(self.fps):g} frames a second it has "
                f"the frames {self.first}-{self.last}"
            )
        return range(wanted[0], wanted[1] + 1)


class PoseTrack:
    """A clip in the model's pose space, with the character's defaults where it animates nothing."""

    def __init__(self, clip: Clip, stage: Stage) -> None:
        self._space = space(stage.model.space)
        self._clip = convert_clip(clip, self._space.name)
        defaults = {self._space.index(name): value for name, value in stage.character.resting.items()}
        animated = {self._space.index(name) for name in self._clip.animated}
        self._defaults = {column: value for column, value in defaults.items() if column not in animated}

    def poses(self, frames: Poses) -> Poses:
        """(N, C): the poses at the clip's frames, (N,), within the space's ranges."""
        poses = self._clip.sample(frames)
        for column, value in self._defaults.items():
            poses[:, column] = value
        return self._space.clamp(poses)


def work_of(stage: Stage, clip: Clip, timeline: Timeline, box: Box, *settings: object) -> str:
    """Equal for renders whose frames of one number are equal: see ``Provenance.work``.

    ``settings``: what else the frames depend on, as plain values.
    """
    character, art, driving = stage.character, stage.artwork, stage.character.driving
    rate = timeline.clip_fps / float(timeline.fps)
    shown = (
        *(clip.space, rate, None if rate == 1 else clip.start, dict(character.resting)),
        driving and (driving.mode, driving.best_frame),
        *(
            keywarp_version(),
            stage.model.content,
            stage.view.canvas_to_frame.tolist(),
            art.framing,
            art.canvas_framing,
            box,
            settings,
        ),
    )
    files = [character.picture, character.hd_picture, character.move_mask, driving.video if driving else None]
    read = [file for file in files if file is not None]
    return content_hash([repr(shown).encode(), curves_text(clip).encode(), *read])[:16]


class FramePool:
    """Frame memory that is used again once nobody holds it: fresh memory costs as much as a warp."""

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width, 4)
        self._frames: list[Picture] = []

    def take(self) -> Picture:
        for i in range(len(self._frames)):
            # Referred to by the list and by the call below, so free.
            if sys.getrefcount(self._frames[i]) <= 2:
                return self._frames[i]
        self._frames.append(np.empty(self._shape, np.float32))
        return self._frames[-1]


def region_box(stage: Stage, region: tuple[int, int, int, int] | None) -> Box:
    """A region (x, y, width, height) of the frame as a box; the whole frame for ``None``."""
    width, height = stage.view.width, stage.view.height
    if region is None:
        return 0, 0, width, height
    x, y, w, h = region
    if w <= 0 or h <= 0 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise KeywarpError(f"the region {x},{y},{w},{h} is not inside the frame of {width}x{height} pixels")
    return x, y, x + w, y + h


def with_margin(stage: Stage, box: Box) -> tuple[Box, tuple[int, int, int, int]]:
    """The box and what straight-alpha files look at around it; and the margin on each side."""
    wide = (
        max(box[0] - REACH, 0),
        max(box[1] - REACH, 0),
        min(box[2] + REACH, stage.view.width),
        min(box[3] + REACH, stage.view.height),
    )
    return wide, (box[0] - wide[0], box[1] - wide[1], wide[2] - box[2], wide[3] - box[3])


def rendered(
    stage: Stage, track: PoseTrack, timeline: Timeline, numbers: range, box: Box, skip: Callable[[int], bool]
) -> Iterator[tuple[int, Picture]]:
    """(number, part of the frame in ``box``) for each number that is not skipped."""
    pool = FramePool(stage.view.height, stage.view.width)
    last_pose: Poses | None = None
    last_frame: Picture | None = None
    for start in range(numbers.start, numbers.stop, SAMPLED_AT_ONCE):
        some = range(start, min(start + SAMPLED_AT_ONCE, numbers.stop))
        for number, pose in zip(some, track.poses(timeline.clip_frames(some)), strict=True):
            if skip(number):
                continue
            if last_pose is None or last_frame is None or not np.array_equal(pose, last_pose):
                last_frame = stage.frame(pose, pool.take(), box)
                last_pose = pose
            yield number, last_frame[box[1] : box[3], box[0] : box[2]]


def render(
    stage: Stage,
    clip: Clip,
    sink: Sink,
    numbers: range,
    timeline: Timeline,
    box: Box,
    *,
    resume: bool = False,
    progress: Callable[[int], None] = lambda number: None,
) -> None:
    """Render ``numbers`` of the clip to the sink; ``progress`` hears of each number when it is handed over or was
    there already."""
    track = PoseTrack(clip, stage)

    def there(number: int) -> bool:
        done = resume and sink.has(number)
        if done:
            progress(number)
        return done

    with sink:
        for number, frame in rendered(stage, track, timeline, numbers, box, there):
            sink.write(number, frame)
            progress(number)
