# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for channels: all of them, those that have changed, and a keying set for Blender's own I key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

from .. import compat
from ..character.active import EditingOperator, active_character
from ..character.properties import (
    CHANNELS,
    channel_group,
    channel_path,
    groups,
    is_character,
    name_groups,
    pose_of,
    rest_of,
    space_of,
)

#: Values nearer than this are the same: Blender keeps float32.
_SAME = 1e-6

GROUP_ITEMS = tuple((group.upper(), group, f"Channels of {group}") for group in groups())
ALL_OR_GROUP = (("ALL", "All", "Channels of every group"), *GROUP_ITEMS)


def in_group(thing: bpy.types.Object, group: str) -> list[str]:
    """The character's channels of a group as operators name it: ``ALL``, ``BROWS`` ..."""
    return [channel.name for channel in space_of(thing).channels if group in ("ALL", channel.group.upper())]


def key(thing: bpy.types.Object, names: Iterable[str], scene: bpy.types.Scene) -> int:
    """Insert keys at the scene's frame for these channels as they stand; how many were inserted."""
    name_groups(thing)
    kind = scene.tool_settings.keyframe_type
    count = 0
    for name in names:
        group = channel_group(thing, name)
        frame = scene.frame_current_final
        count += group.keyframe_insert(name, frame=frame, group=CHANNELS[name].group, keytype=kind)
    return count


def changed(thing: bpy.types.Object, scene: bpy.types.Scene) -> list[str]:
    """The channels that stand elsewhere than their keys, or without any elsewhere than at rest."""
    curves = {curve.data_path: curve for curve in compat.fcurves(thing)}
    rest, pose = rest_of(thing), pose_of(thing)
    expected = {}
    for channel in space_of(thing).channels:
        curve = curves.get(channel_path(channel.name))
        value = rest[channel.name] if curve is None else curve.evaluate(scene.frame_current_final)
        expected[channel.name] = min(max(value, channel.minimum), channel.maximum)
    return [name for name, value in pose.items() if abs(value - expected[name]) > _SAME]


def key_if_recording(thing: bpy.types.Object, names: Iterable[str], scene: bpy.types.Scene) -> int:
    """Insert keys where Blender's auto keying is on."""
    return key(thing, names, scene) if scene.tool_settings.use_keyframe_insert_auto else 0


class KEYWARP_OT_key_all(EditingOperator, bpy.types.Operator):
    """Insert a keyframe on every channel, or every channel of the group, at the current frame"""

    bl_idname = "keywarp.key_all"
    bl_label = "Key All"
    bl_options = {"REGISTER", "UNDO"}

    group: bpy.props.EnumProperty(
        name="Group", description="Which channels are keyed", items=ALL_OR_GROUP, default="ALL"
    )

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        count = key(thing, in_group(thing, self.group), context.scene)
        self.report({"INFO"}, f"{count} channels keyed")
        return {"FINISHED"}


class KEYWARP_OT_key_changed(EditingOperator, bpy.types.Operator):
    """Insert a keyframe on the channels that were moved since their keys, or that have none and are not at rest"""

    bl_idname = "keywarp.key_changed"
    bl_label = "Key Changed"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        thing, scene = active_character(context), context.scene
        names = changed(thing, scene)
        if not names:
            self.report({"INFO"}, "No channel has changed")
            return {"CANCELLED"}
        count = key(thing, names, scene)
        self.report({"INFO"}, f"{count} channels keyed")
        return {"FINISHED"}


class KEYWARP_KSI_pose(bpy.types.KeyingSetInfo):
    """Every channel of the selected Keywarp characters"""

    bl_idname = "KeywarpPose"
    bl_label = "Keywarp Pose"

    def poll(self, context: Any) -> bool:
        return any(is_character(thing) for thing in _selected(context))

    def iterator(self, context: Any, keying_set: Any) -> None:
        for thing in _selected(context):
            if is_character(thing):
                self.generate(context, keying_set, thing)

    def generate(self, _context: Any, keying_set: Any, thing: bpy.types.Object) -> None:
        for channel in space_of(thing).channels:
            path = channel_path(channel.name)
            keying_set.paths.add(thing, path, group_method="NAMED", group_name=channel.group)


def _selected(context: Any) -> list[bpy.types.Object]:
    selected = list(context.selected_objects)
    return selected if selected or context.object is None else [context.object]


class KEYWARP_OT_use_keying_set(EditingOperator, bpy.types.Operator):
    """Make Keywarp Pose the active keying set: I in the viewport keys every channel of the selected characters"""

    bl_idname = "keywarp.use_keying_set"
    bl_label = "Use Keying Set"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        sets = context.scene.keying_sets_all
        mine = sets.get(KEYWARP_KSI_pose.bl_label)
        if mine is None:
            self.report(
                {"ERROR"}, "Blender does not offer the keying set Keywarp Pose: switch the add-on off and on"
            )
            return {"CANCELLED"}
        sets.active = mine
        name_groups(active_character(context))  # which a keying set may not write
        self.report({"INFO"}, "I in the viewport now keys every channel of the selected characters")
        return {"FINISHED"}


CLASSES = (KEYWARP_OT_key_all, KEYWARP_OT_key_changed, KEYWARP_KSI_pose, KEYWARP_OT_use_keying_set)
