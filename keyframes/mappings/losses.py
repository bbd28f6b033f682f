# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a clip is lost on the way to another pose space, in words."""

from __future__ import annotations

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.mappings.clips import convert_clip
from keywarp.keyframes.mappings.registry import route


def moving(clip: Clip) -> list[str]:
    """The channels that ever leave their default, in the order of the space."""
    return [
        channel.name
        for channel in clip.pose_space.channels
        if channel.name in clip.curves and (clip.curves[channel.name].columns.value != channel.default).any()
    ]


def losses(clip: Clip, target: str) -> list[str]:
    """Sentences about moving channels that the way to the pose space ``target`` does not carry."""
    sentences = []
    for step in route(clip.space, target):
        lost = [name for name in moving(clip) if name in step.cannot_carry]
        if lost:
            sentences.append(f"{step.target.name} cannot show what the clip does with {', '.join(lost)}")
        if step.target.name != target:
            clip = convert_clip(clip, step.target)
    return sentences
