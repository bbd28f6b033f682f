# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of pose channels: a sub-panel for each group, the two sides of the face beside each other.

Columns stand as the sides are seen in the picture: the character's right on the left.
"""

from __future__ import annotations

from typing import Any

import bpy

from keywarp.keyframes.channels import Channel, PoseSpace
from keywarp.keyframes.spaces.rows import DRIVING

from ..character.active import active_character
from ..character.labels import label
from ..character.properties import channel_group, groups, has_face, is_share, space_of
from ..posing import driving
from .manual import KEYWARP_OT_manual

_NAMES = 0.34
"""The share of a row that the channel's name takes."""
_SIDES = (" Right", " Left")


class SidebarPanel:
    """Base of our panels in the sidebar of the 3D viewport."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Keywarp"


class CharacterPanel(SidebarPanel):
    """One that is there while a character is active; ``page`` is its page of the manual."""

    page = "index"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return active_character(context) is not None

    def draw_header_preset(self, _context: Any) -> None:
        draw_help(self.layout, self.page)


class FacePanel(CharacterPanel):
    """One for characters whose face and body are posed by channels."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return super().poll(context) and has_face(active_character(context))


def draw_help(layout: Any, page: str) -> None:
    layout.operator(KEYWARP_OT_manual.bl_idname, text="", icon="HELP", emboss=False).page = page


def matches(channel: Channel, search: str) -> bool:
    """Whether every word of the search is in what the channel is called or means."""
    text = f"{label(channel.name)} {channel.name} {channel.group} {channel.description}".lower()
    return all(word in text for word in search.lower().split())


def found(space: PoseSpace, group: str, search: str) -> list[Channel]:
    """The channels of a group of a pose space that the search lets through."""
    return [channel for channel in space.channels if channel.group == group and matches(channel, search)]


def rows(channels: list[Channel]) -> list[tuple[Channel, ...]]:
    """The channels as rows: one alone, or the character's right and left side of the same feature."""
    there = {channel.name: channel for channel in channels}
    made = []
    for channel in channels:
        pair = there.get(channel.pair or "")
        if pair is None:
            made.append((channel,))
        elif channel.side == "right":
            made.append((channel, pair))
    return made


def stem(name: str) -> str:
    """A channel's name without its side."""
    text = label(name)
    for side in _SIDES:
        text = text.removesuffix(side)
    return text


class KEYWARP_PT_pose(CharacterPanel, bpy.types.Panel):
    """The pose: what acts on all of it."""

    bl_label = "Pose"
    bl_idname = "KEYWARP_PT_pose"
    page = "pose"

    def draw(self, context: Any) -> None:
        layout = self.layout
        keys = layout.row(align=True)
        keys.operator("keywarp.key_all", icon="KEY_HLT").group = "ALL"
        keys.operator("keywarp.key_changed", icon="KEYFRAME_HLT")
        keys.operator("keywarp.use_keying_set", text="", icon="KEYINGSET")
        tools = layout.row(align=True)
        tools.operator("keywarp.reset_pose", text="Reset", icon="LOOP_BACK").group = "ALL"
        tools.operator_menu_enum("keywarp.mirror_pose", "way", text="Mirror", icon="MOD_MIRROR")
        clipboard = tools.row(align=True)
        clipboard.operator("keywarp.copy_pose", text="", icon="COPYDOWN").group = "ALL"
        clipboard.operator("keywarp.paste_pose", text="", icon="PASTEDOWN").flipped = False
        clipboard.operator("keywarp.paste_pose", text="", icon="PASTEFLIPDOWN").flipped = True
        search = context.window_manager.keywarp.search
        layout.prop(context.window_manager.keywarp, "search", text="", icon="VIEWZOOM")
        channels = space_of(active_character(context)).channels
        if search and not any(matches(channel, search) for channel in channels):
            layout.label(text="No channel has these words", icon="INFO")


def _draw_channels(layout: Any, thing: bpy.types.Object, channels: list[Channel]) -> None:
    column = layout.column(align=True)
    shown = rows(channels)
    if any(len(row) == 2 for row in shown):
        head = column.split(factor=_NAMES)
        head.label(text="")
        sides = head.row()
        sides.label(text="Right")
        sides.label(text="Left")
    for row in shown:
        line = column.split(factor=_NAMES)
        line.label(text=stem(row[0].name) if len(row) == 2 else label(row[0].name))
        cells = line.row()
        for channel in row:
            cell = cells.row(align=True)
            group = channel_group(thing, channel.name)
            cell.prop(group, channel.name, text="", slider=is_share(channel))
            cell.prop_decorator(group, channel.name)


def _group_panel(group: str) -> type:
    def poll(cls: Any, context: Any) -> bool:
        thing = active_character(context)
        search = context.window_manager.keywarp.search
        return thing is not None and bool(found(space_of(thing), group, search))

    def draw_header_preset(self: Any, _context: Any) -> None:
        row = self.layout.row(align=True)
        row.operator("keywarp.reset_pose", text="", icon="LOOP_BACK", emboss=False).group = group.upper()
        row.operator("keywarp.key_all", text="", icon="KEY_HLT", emboss=False).group = group.upper()

    def draw(self: Any, context: Any) -> None:
        thing, search = active_character(context), context.window_manager.keywarp.search
        _draw_channels(self.layout, thing, found(space_of(thing), group, search))
        if group == DRIVING:
            driving.draw(self.layout, thing)

    name = f"KEYWARP_PT_pose_{group.lower()}"
    content = {
        "__doc__": f"The channels of {group}.",
        "__module__": __name__,
        "bl_idname": name,
        "bl_label": group,
        "bl_parent_id": KEYWARP_PT_pose.bl_idname,
        "poll": classmethod(poll),
        "draw_header_preset": draw_header_preset,
        "draw": draw,
    }
    return type(name, (SidebarPanel, bpy.types.Panel), content)


CLASSES = (KEYWARP_PT_pose, *(_group_panel(group) for group in groups()))
