# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a clip is lost on the way to another pose space, in words."""

from __future__ import annotations

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.mappings.clips import convert_clip
from keywarp.keyframes.mappings.registry import route
from keywarp.keyframes.spaces.rows import BODY, GAZE, HEAD

_TURNING = (HEAD, BODY, GAZE)
_AT_LEAST = 3
"""Frames: a peak that touches the end is none."""


def moving(clip: Clip) -> list[str]:
    """The channels that ever leave their default, in the order of the space."""
    return [
        channel.name
        for channel in clip.pose_space.channels
        if channel.name in clip.curves and (clip.curves[channel.name].columns.value != channel.default).any()
    ]


def losses(clip: Clip, target: str) -> list[str]:
    """Sentences about what of a clip's motion the way to the pose space ``target`` does not carry."""
    sentences = []
    whole = clip
    for step in route(clip.space, target):
        lost = [name for name in moving(clip) if name in step.cannot_carry]
        if lost:
            sentences.append(f"{step.target.name} cannot show what the clip does with {', '.join(lost)}")
        if step.target.name != target:
            clip = convert_clip(clip, step.target)
    return [*sentences, *_held(whole, target)]


def _held(clip: Clip, target: str) -> list[str]:
    """A sentence where the clip turns farther than ``target`` shows: channels that stay at the end of their range."""
    if clip.space == target:
        return []
    made = convert_clip(clip, target)
    values = made.sample(made.frames())
    found = []
    for channel, column in zip(made.pose_space.channels, values.T):
        # A lid stays shut as it should; what turns does not stay where its range ends.
        if channel.group in _TURNING and channel.name in made.curves:
            count = int(((column <= channel.minimum) | (column >= channel.maximum)).sum())
            if count >= _AT_LEAST and channel.minimum < channel.default < channel.maximum:
                found.append(f"{channel.name} in {count}")
    if not found:
        return []
    return [
        f"the clip turns farther than {target} shows, and is held there: {', '.join(found)} of {len(values)} frames"
    ]
