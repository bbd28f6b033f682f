# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on poses: reset, mirror, copy and paste; those that key are in ``keying``."""

from __future__ import annotations

from typing import Any

import bpy

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.pose_text import parse_pose, pose_text
from keywarp.keyframes.spaces.tha45 import SPACE

from ..character.active import CharacterOperator, EditingOperator, active_character
from ..character.properties import CHANNELS, pose_of, rest_of, set_pose, space_of
from . import driving, keying
from .keying import ALL_OR_GROUP, in_group, key_if_recording


def _group_property(what: str) -> Any:
    return bpy.props.EnumProperty(name="Group", description=what, items=ALL_OR_GROUP, default="ALL")


def mirrored(pose: dict[str, float], space: PoseSpace = SPACE) -> dict[str, float]:
    """A whole pose of ``space`` as the mirrored picture shows it."""
    row = space.mirror(space.pose(pose))
    return {name: float(row[space.index(name)]) for name in pose}


def one_sided(pose: dict[str, float], side: str) -> dict[str, float]:
    """A whole pose with the values of one side, ``left`` or ``right``, on both."""
    copied = dict(pose)
    for name, value in pose.items():
        channel = CHANNELS[name]
        if channel.side == side and channel.pair is not None:
            copied[channel.pair] = value
    return copied


def _take_up(context: Any, pose: dict[str, float], names: list[str]) -> None:
    thing = active_character(context)
    set_pose(thing, {name: pose[name] for name in names})
    key_if_recording(thing, names, context.scene)


def read_clipboard(context: Any) -> str:
    return str(context.window_manager.clipboard)


def write_clipboard(context: Any, text: str) -> None:
    context.window_manager.clipboard = text


class KEYWARP_OT_reset_pose(EditingOperator, bpy.types.Operator):
    """Put every channel, or every channel of the group, back to the character's rest pose"""

    bl_idname = "keywarp.reset_pose"
    bl_label = "Reset Pose"
    bl_options = {"REGISTER", "UNDO"}

    group: _group_property("Which channels are reset")

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        _take_up(context, rest_of(thing), in_group(thing, self.group))
        return {"FINISHED"}


class KEYWARP_OT_mirror_pose(EditingOperator, bpy.types.Operator):
    """Exchange the pose's left and right, or copy one side of the face to the other"""

    bl_idname = "keywarp.mirror_pose"
    bl_label = "Mirror Pose"
    bl_options = {"REGISTER", "UNDO"}

    way: bpy.props.EnumProperty(
        name="Way",
        description="What takes the place of what; sides are the character's own",
        items=(
            ("FLIP", "Flip", "Left becomes right and right becomes left, turns and leans too"),
            ("LEFT", "Left to Right", "The right side of the face does what the character's left side does"),
            ("RIGHT", "Right to Left", "The left side of the face does what the character's right side does"),
        ),
        default="FLIP",
    )
    group: _group_property("Which channels are mirrored")

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        pose = pose_of(thing)
        pose = mirrored(pose, space_of(thing)) if self.way == "FLIP" else one_sided(pose, self.way.lower())
        _take_up(context, pose, in_group(thing, self.group))
        return {"FINISHED"}


class KEYWARP_OT_copy_pose(CharacterOperator, bpy.types.Operator):
    """Copy the pose to the clipboard, as text that keywarp pose reads too"""

    bl_idname = "keywarp.copy_pose"
    bl_label = "Copy Pose"
    bl_options = {"REGISTER"}

    group: _group_property("Which channels are copied")

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        pose, names = pose_of(thing), in_group(thing, self.group)
        write_clipboard(context, pose_text({name: pose[name] for name in names}))
        self.report({"INFO"}, f"{len(names)} channels copied")
        return {"FINISHED"}


class KEYWARP_OT_paste_pose(EditingOperator, bpy.types.Operator):
    """Take up the pose that was copied, from this or any other character; channels that it does not name stay"""

    bl_idname = "keywarp.paste_pose"
    bl_label = "Paste Pose"
    bl_options = {"REGISTER", "UNDO"}

    flipped: bpy.props.BoolProperty(
        name="Flipped", description="Paste it with left and right exchanged", default=False
    )

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        try:
            given = parse_pose(read_clipboard(context), space_of(thing))
        except KeywarpError as error:
            self.report({"ERROR"}, f"The clipboard holds no pose: {error}")
            return {"CANCELLED"}
        pose = {**pose_of(thing), **given}
        names = list(given)
        if self.flipped:
            pose = mirrored(pose, space_of(thing))
            names = [CHANNELS[name].pair or name for name in names]
        _take_up(context, pose, names)
        self.report({"INFO"}, f"{len(names)} channels pasted")
        return {"FINISHED"}


_CLASSES = (
    KEYWARP_OT_reset_pose,
    KEYWARP_OT_mirror_pose,
    KEYWARP_OT_copy_pose,
    KEYWARP_OT_paste_pose,
    *keying.CLASSES,
    *driving.CLASSES,
)


register, unregister = bpy.utils.register_classes_factory(_CLASSES)
