# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands say about clips."""

from __future__ import annotations

from keywarp.keyframes.clip import Clip


def moving(clip: Clip) -> list[str]:
    """The channels that ever leave their default, in the order of the space."""
    return [
        channel.name
        for channel in clip.pose_space.channels
        if channel.name in clip.curves and (clip.curves[channel.name].columns.value != channel.default).any()
    ]


def summary(clip: Clip) -> str:
    """Length, rate, space and number of channels in one line."""
    return (
        f"frames {clip.start:g} to {clip.end:g} at {clip.fps:g} fps ({clip.seconds:.2f} s), pose space "
        f"{clip.space}, {len(moving(clip))} of {len(clip.pose_space)} channels move"
    )


def losses(clip: Clip, target: str) -> list[str]:
    """Sentences about moving channels that the way to the pose space ``target`` does not carry."""
    from keywarp.keyframes.mappings import convert_clip, route

    sentences = []
    for step in route(clip.space, target):
        lost = [name for name in moving(clip) if name in step.cannot_carry]
        if lost:
            sentences.append(f"{step.target.name} cannot show what the clip does with {', '.join(lost)}")
        if step.target.name != target:
            clip = convert_clip(clip, step.target)
    return sentences
