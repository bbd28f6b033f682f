# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose assets on characters: applied by a click, blended in by dragging, made from the present pose.

Blender's own pose library poses bones only. Ours has an asset shelf in the 3D viewport, entries in the
Asset Browser's menu, and the double click there.
"""

from __future__ import annotations

from typing import Any, Optional

import bpy

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces.tha45 import SPACE

from .. import compat
from ..character.active import EditingOperator, FaceOperator, active_character
from ..character.properties import has_face, pose_of, set_pose
from ..posing import keying
from ..posing.operators import mirrored
from .actions import TAG, new_pose_action, values_of_asset
from .choice import CHANNEL_CHOICES, chosen_values

#: Pixels, at the interface's scale, that the pointer goes from nothing of a pose to all of it.
_REACH = 200.0


def blended(start: dict[str, float], goal: dict[str, float], share: float) -> dict[str, float]:
    """The channels of ``goal``, ``share`` of the way from ``start``, held to their ranges."""
    pose = {}
    for name, value in goal.items():
        channel = SPACE[name]
        moved = start[name] + (value - start[name]) * share
        pose[name] = min(max(moved, channel.minimum), channel.maximum)
    return pose


def _goal(context: Any, thing: bpy.types.Object, flipped: bool) -> dict[str, float]:
    """The channels that the active asset poses; raises ``KeywarpError``."""
    values = values_of_asset(getattr(context, "asset", None))
    if not flipped:
        return values
    whole = mirrored({**pose_of(thing), **values})
    return {name: whole[name] for name in (SPACE[name].pair or name for name in values)}


class _AssetOperator(FaceOperator, EditingOperator):
    @classmethod
    def poll(cls, context: Any) -> bool:
        asset = getattr(context, "asset", None)
        if asset is not None and (asset.id_type != "ACTION" or TAG not in asset.metadata.tags):
            return False
        return super().poll(context)


class KEYWARP_OT_apply_pose_asset(_AssetOperator, bpy.types.Operator):
    """Give the active character this pose"""

    bl_idname = "keywarp.apply_pose_asset"
    bl_label = "Apply Pose"
    bl_options = {"REGISTER", "UNDO"}

    factor: bpy.props.FloatProperty(
        name="Blend", description="How far to go to the pose", default=1.0, min=0.0, max=1.0, subtype="FACTOR"
    )
    flipped: bpy.props.BoolProperty(
        name="Flipped", description="With left and right exchanged", default=False
    )

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        try:
            goal = _goal(context, thing, self.flipped)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        set_pose(thing, blended(pose_of(thing), goal, self.factor))
        keying.key_if_recording(thing, goal, context.scene)
        return {"FINISHED"}


class KEYWARP_OT_blend_pose_asset(_AssetOperator, bpy.types.Operator):
    """Blend this pose in by moving the pointer to the right"""

    bl_idname = "keywarp.blend_pose_asset"
    bl_label = "Blend Pose"
    bl_options = {"REGISTER", "UNDO", "BLOCKING", "GRAB_CURSOR"}

    flipped: bpy.props.BoolProperty(
        name="Flipped", description="With left and right exchanged", default=False
    )
    release_confirm: bpy.props.BoolProperty(
        name="Confirm on Release", description="Take the pose when the button is let go", default=True
    )

    _start: dict[str, float]
    _goal: dict[str, float]
    _from: Optional[int] = None
    _share = 0.0

    def invoke(self, context: Any, event: Any) -> set[str]:
        thing = active_character(context)
        try:
            self._goal = _goal(context, thing, self.flipped)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        pose = pose_of(thing)
        self._start = {name: pose[name] for name in self._goal}
        self._from = event.mouse_x
        context.window_manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        thing = active_character(context)
        if thing is None or event.type in {"ESC", "RIGHTMOUSE"}:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            reach = _REACH * context.preferences.system.ui_scale
            self._share = min(max((event.mouse_x - self._from) / reach, 0.0), 1.0)
            self._show(context)
        released = event.type == "LEFTMOUSE" and event.value == (
            "RELEASE" if self.release_confirm else "PRESS"
        )
        if released or (event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS"):
            context.workspace.status_text_set(None)
            keying.key_if_recording(thing, self._goal, context.scene)
            return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        context.workspace.status_text_set(None)
        thing = active_character(context)
        if thing is not None:
            set_pose(thing, self._start)

    def _show(self, context: Any) -> None:
        set_pose(active_character(context), blended(self._start, self._goal, self._share))
        context.workspace.status_text_set(f"Pose: {self._share:.0%}   Esc: cancel")


class KEYWARP_OT_create_pose_asset(FaceOperator, EditingOperator, bpy.types.Operator):
    """Make a pose asset of the active character's pose in this file"""

    bl_idname = "keywarp.create_pose_asset"
    bl_label = "Create Pose Asset"
    bl_options = {"REGISTER", "UNDO"}

    title: bpy.props.StringProperty(name="Name", description="The asset's name", default="Pose")
    channels: bpy.props.EnumProperty(
        name="Channels",
        description="Which channels the asset poses",
        items=CHANNEL_CHOICES,
        default="FACE",
    )

    def invoke(self, context: Any, _event: Any) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: Any) -> set[str]:
        try:
            values = chosen_values(active_character(context), self.channels)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        action = new_pose_action(self.title or "Pose", values, f"Keywarp: sets {len(values)} channels", None)
        self.report({"INFO"}, f"{action.name} is an asset of this file")
        return {"FINISHED"}


class VIEW3D_AST_keywarp_poses(bpy.types.AssetShelf):
    """Keywarp's poses at the bottom of the 3D viewport while a character is active."""

    bl_space_type = "VIEW_3D"
    bl_idname = "VIEW3D_AST_keywarp_poses"
    if compat.SHELF_DRAGS:
        bl_activate_operator = "KEYWARP_OT_apply_pose_asset"
        bl_drag_operator = "KEYWARP_OT_blend_pose_asset"
    else:
        bl_options = {"NO_ASSET_DRAG"}  # the keymap's dragging in its place
    bl_default_preview_size = 64
    filter_action = True

    @classmethod
    def poll(cls, context: Any) -> bool:
        thing = active_character(context)
        return context.mode == "OBJECT" and thing is not None and has_face(thing)

    @classmethod
    def asset_poll(cls, asset: Any) -> bool:
        return asset.id_type == "ACTION" and TAG in asset.metadata.tags

    @classmethod
    def draw_context_menu(cls, _context: Any, _asset: Any, layout: Any) -> None:
        _draw_asset_menu(layout)


def _draw_asset_menu(layout: Any) -> None:
    layout.operator_context = "EXEC_DEFAULT"
    layout.operator(KEYWARP_OT_apply_pose_asset.bl_idname, text="Apply Pose").flipped = False
    layout.operator(KEYWARP_OT_apply_pose_asset.bl_idname, text="Apply Pose Flipped").flipped = True
    layout.operator_context = "INVOKE_DEFAULT"
    blend = layout.operator(KEYWARP_OT_blend_pose_asset.bl_idname, text="Blend Pose")
    blend.flipped, blend.release_confirm = False, False


def _asset_browser_menu(self: Any, context: Any) -> None:
    asset = getattr(context, "asset", None)
    if (
        asset is not None
        and VIEW3D_AST_keywarp_poses.asset_poll(asset)
        and active_character(context) is not None
    ):
        self.layout.separator()
        _draw_asset_menu(self.layout)


_CLASSES = (
    KEYWARP_OT_apply_pose_asset,
    KEYWARP_OT_blend_pose_asset,
    KEYWARP_OT_create_pose_asset,
    VIEW3D_AST_keywarp_poses,
)


class _State:
    keys: list[tuple[Any, Any]] = []


def _add_keys() -> None:
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # without a window
        return
    for name, space, operator, event in compat.POSE_ASSET_KEYS:
        keymap = configuration.keymaps.new(name=name, space_type=space)
        _State.keys.append((keymap, keymap.keymap_items.new(f"keywarp.{operator}", "LEFTMOUSE", event)))


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.ASSETBROWSER_MT_context_menu.append(_asset_browser_menu)
    _add_keys()


def unregister() -> None:
    while _State.keys:
        keymap, item = _State.keys.pop()
        keymap.keymap_items.remove(item)
    bpy.types.ASSETBROWSER_MT_context_menu.remove(_asset_browser_menu)
    _unregister_classes()
