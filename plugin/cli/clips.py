# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands do with clips: read any format, and say what another pose space cannot carry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keywarp.keyframes.clip import Clip


def read_clip(path: Path) -> tuple[Clip, Sequence[str]]:
    """The clip in a file of any format that keywarp reads, and sentences about what was left out of it."""
    from keywarp.keyframes.importers import load

    if _is_clip_file(path):
        return Clip.load(path), ()
    imported = load(path)
    return imported.clip, imported.notes


def _is_clip_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"keywarp_clip"' in file.read(4096)
    except OSError:
        return False


def moving(clip: Clip) -> list[str]:
    """The channels that ever leave their default, in the order of the space."""
    space = clip.pose_space
    return [
        channel.name
        for channel in space.channels
        if channel.name in clip.curves and (clip.curves[channel.name].columns.value != channel.default).any()
    ]


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
