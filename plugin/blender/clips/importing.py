# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions of other programs as keys of a character: read, brought to the scene's time, thinned out, written."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

import bpy

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import fitted, smoothed
from keywarp.keyframes.importers import load
from keywarp.keyframes.mappings import convert_clip
from keywarp.keyframes.mappings.losses import losses
from keywarp.keyframes.reduce import reduced
from keywarp.keyframes.retime import retimed

from .. import compat
from ..character.active import scene_fps
from ..character.properties import CHANNELS, channel_path, groups
from . import fcurves


@dataclass(frozen=True)
class Wanted:
    """How to bring a motion in."""

    start: float | None
    """The scene's frame on which it begins; ``None``: where it began in its file."""
    smoothing: float = 0.0
    """Seconds over which jitter is averaged away."""
    reduction: str = "BEZIER"
    """``NONE``, ``LINEAR`` or ``BEZIER``: what few keys take the place of many."""
    error: float = 0.005
    """How far the curves may then be off, as a share of each channel's range."""
    groups: Collection[str] = groups()
    """Only channels of these groups are brought in."""
    replace: bool = True
    """Whether all old keys of the channels go, or only those within the motion's frames."""


@dataclass(frozen=True)
class Read:
    """A motion as it comes into the scene, and what the person who imports it should know."""

    clip: Clip
    notes: tuple[str, ...]


def read(path: str, scene: bpy.types.Scene, space: PoseSpace, wanted: Wanted) -> Read:
    """The motion in a file, in a character's ``space`` and at the scene's rate; raises ``KeywarpError`` that names
    the file."""
    imported = load(path)
    try:
        lost = losses(imported.clip, space.name)
    except KeywarpError:
        raise KeywarpError(
            f"{path} holds motion of the pose space {imported.clip.space}, which cannot be made into motion of "
            f"{space.name}, by which this character is moved"
        ) from None
    clip = retimed(convert_clip(imported.clip, space), scene_fps(scene), wanted.start)
    curves = {name: curve for name, curve in clip.curves.items() if space[name].group in wanted.groups}
    clip = smoothed(dataclasses.replace(clip, curves=curves), wanted.smoothing)
    if wanted.reduction == "LINEAR":
        clip = reduced(clip, wanted.error)
    elif wanted.reduction == "BEZIER":
        clip = fitted(clip, wanted.error)
    return Read(clip, (*imported.notes, *lost))


def write(clip: Clip, thing: bpy.types.Object, wanted: Wanted) -> int:
    """Give ``thing`` the curves of ``clip``, in bulk; the number of keys."""
    for name, curve in clip.curves.items():
        fcurve = compat.ensure_fcurve(thing, channel_path(name), CHANNELS[name].group)
        if not wanted.replace and len(fcurve.keyframe_points):
            curve = fcurves.inserted(fcurves.curve_of(fcurve), curve, clip.start, clip.end)
        fcurves.write_curve(fcurve, curve)
    return sum(map(len, clip.curves.values()))
