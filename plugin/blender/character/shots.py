# SPDX-License-Identifier: GPL-3.0-or-later
"""Which characters there are, and what of each is to be seen: its files, its size, its pose at the scene's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .. import compat, session
from ..idle.properties import scene_seconds, with_idle
from .properties import pose_of, space_of

PREVIEW_HEIGHT = 540
"""Where a preview follows the zoom and nothing is known of that yet."""


@dataclass(frozen=True)
class Shot:
    """One frame of one character; equal shots show the same."""

    source: session.Source
    size: tuple[int, int]
    pose: tuple[tuple[str, float], ...]
    space: str

    @property
    def channels(self) -> dict[str, float]:
        return dict(self.pose)


def characters() -> list[bpy.types.Object]:
    """All characters of the file that something uses, linked ones too."""
    return [thing for thing in bpy.data.objects if thing.keywarp.is_character and thing.users]


def posed(thing: bpy.types.Object, scene: bpy.types.Scene, depsgraph: Any = None) -> dict[str, float]:
    """The pose that the character shows at the scene's time: curves, drivers, NLA, and the idle layer on top.

    An object that the depsgraph does not hold, hidden as it may be while its image is used elsewhere, has its own
    F-curves evaluated, without drivers and NLA.
    """
    holder = thing if depsgraph is None else thing.evaluated_get(depsgraph)
    pose = pose_of(holder)
    if depsgraph is not None and not is_followed(thing, depsgraph):
        for curve in compat.fcurves(thing):
            name = curve.data_path.rpartition(".")[2]
            if name in pose and not curve.mute and curve.driver is None:
                pose[name] = curve.evaluate(scene.frame_current_final)
    return with_idle(pose, holder.keywarp.idle, scene_seconds(scene))


def is_followed(thing: bpy.types.Object, depsgraph: Any) -> bool:
    """Whether the depsgraph animates the object: what is hidden may be in it, but stands still there."""
    if depsgraph.mode == "RENDER":
        return any(each.original == thing.original for each in depsgraph.objects)
    return bool(thing.visible_get(view_layer=depsgraph.view_layer))


def shot_of(
    thing: bpy.types.Object,
    scene: bpy.types.Scene,
    depsgraph: Any = None,
    *,
    size: tuple[int, int],
) -> Shot:
    """What is to be seen of a character; raises ``SourceError`` where its files may not be read."""
    pose = tuple(posed(thing, scene, depsgraph).items())
    return Shot(session.source_of(thing), size, pose, space_of(thing).name)


def live_size(thing: bpy.types.Object, height: int) -> tuple[int, int]:
    """Width and height of its live image at this height, with the picture's aspect."""
    width, tall = thing.keywarp.canvas
    return (max(round(height * width / tall), 1), height) if width and tall else (height, height)
