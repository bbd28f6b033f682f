# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions: a menu of ready-made ones, one's own, and the pose library that is made of them."""

from __future__ import annotations

from typing import Any

import bpy

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import EXPRESSIONS, GROUPS, Expression, expression
from keywarp.keyframes.pose_text import MAX_TITLE, OWN, identifier

from ..character.active import EditingOperator, FaceOperator, active_character
from ..character.properties import pose_of, rest_of, set_pose
from ..posing import keying
from . import assets, library, personal
from .choice import CHANNEL_CHOICES, chosen_values


def find(name: str, own: bool) -> Expression:
    """A ready-made expression, or one's own; raises ``KeywarpError`` where there is none of that name."""
    return personal.find(name) if own else expression(name)


class KEYWARP_OT_apply_expression(FaceOperator, EditingOperator, bpy.types.Operator):
    """Give the character this expression"""

    bl_idname = "keywarp.apply_expression"
    bl_label = "Apply Expression"
    bl_options = {"REGISTER", "UNDO"}

    expression: bpy.props.StringProperty(name="Expression", description="Its name", options={"HIDDEN"})
    own: bpy.props.BoolProperty(name="Own", description="Whether it is one of your own", options={"HIDDEN"})
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far to go from the present pose to the expression; above 1 exaggerates",
        default=1.0,
        min=0.0,
        max=2.0,
        subtype="FACTOR",
    )
    key: bpy.props.BoolProperty(
        name="Key",
        description="Insert keys for the channels of the expression at the current frame",
        default=False,
    )

    @classmethod
    def description(cls, _context: Any, properties: Any) -> str:
        try:
            found = find(properties.expression, properties.own)
        except KeywarpError:
            return cls.__doc__ or ""
        return f"{found.title}: sets {len(found.covers)} channels, towards the expression by the strength"

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        try:
            found = find(self.expression, self.own)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        pose = found.blended(pose_of(thing), self.strength, rest_of(thing))
        set_pose(thing, pose)
        if self.key:
            keying.key(thing, pose, context.scene)
        else:
            keying.key_if_recording(thing, pose, context.scene)
        return {"FINISHED"}


class KEYWARP_OT_save_expression(FaceOperator, bpy.types.Operator):
    """Keep the character's pose as an expression of your own, for every file and character"""

    bl_idname = "keywarp.save_expression"
    bl_label = "Save Expression"
    bl_options = {"REGISTER"}

    title: bpy.props.StringProperty(
        name="Name", description="What the menu shows", default="My Expression", maxlen=MAX_TITLE
    )
    channels: bpy.props.EnumProperty(
        name="Channels", description="Which channels belong to it", items=CHANNEL_CHOICES, default="FACE"
    )
    replace: bpy.props.BoolProperty(
        name="Replace", description="Replace an expression of your own that has this name", default=True
    )

    def invoke(self, context: Any, _event: Any) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: Any) -> set[str]:
        try:
            taken = {each.name for each in personal.listing()}
            if not self.replace and identifier(self.title) in taken:
                raise KeywarpError(f"there is an expression of your own named {self.title} already")
            saved = personal.save(self.title, chosen_values(active_character(context), self.channels))
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        self.report({"INFO"}, f"{saved.title} is in the menu under {OWN}")
        return {"FINISHED"}


class KEYWARP_OT_delete_expression(bpy.types.Operator):
    """Delete this expression of your own; this cannot be undone"""

    bl_idname = "keywarp.delete_expression"
    bl_label = "Delete Expression"
    bl_options = {"REGISTER"}

    expression: bpy.props.StringProperty(name="Expression", description="Its name", options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Any) -> set[str]:
        try:
            personal.delete(self.expression)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        return {"FINISHED"}


def _draw_choices(layout: Any, context: Any, chosen: list[Expression], own: bool) -> None:
    settings = context.window_manager.keywarp
    for each in chosen:
        properties = layout.operator(KEYWARP_OT_apply_expression.bl_idname, text=each.title, translate=False)
        properties.expression, properties.own = each.name, own
        properties.strength, properties.key = settings.strength, settings.key


def _group_menu(group: str) -> type:
    def draw(self: Any, context: Any) -> None:
        _draw_choices(self.layout, context, [each for each in EXPRESSIONS if each.group == group], False)

    content = {
        "__doc__": f"Ready-made expressions: {group}.",
        "__module__": __name__,
        "bl_idname": f"KEYWARP_MT_expressions_{group.lower()}",
        "bl_label": group,
        "draw": draw,
    }
    return type(f"KEYWARP_MT_expressions_{group.lower()}", (bpy.types.Menu,), content)


_GROUP_MENUS = tuple(_group_menu(group) for group in GROUPS)


class KEYWARP_MT_own_expressions(bpy.types.Menu):
    """Expressions of one's own."""

    bl_idname = "KEYWARP_MT_own_expressions"
    bl_label = OWN

    def draw(self, context: Any) -> None:
        _draw_choices(self.layout, context, list(personal.listing()), True)


class KEYWARP_MT_delete_expressions(bpy.types.Menu):
    """Expressions of one's own, to be deleted."""

    bl_idname = "KEYWARP_MT_delete_expressions"
    bl_label = "Delete"

    def draw(self, _context: Any) -> None:
        self.layout.operator_context = "INVOKE_DEFAULT"
        for each in personal.listing():
            operator = self.layout.operator(
                KEYWARP_OT_delete_expression.bl_idname, text=each.title, icon="TRASH", translate=False
            )
            operator.expression = each.name


class KEYWARP_MT_expressions(bpy.types.Menu):
    """All expressions, by group."""

    bl_idname = "KEYWARP_MT_expressions"
    bl_label = "Expressions"

    def draw(self, _context: Any) -> None:
        layout = self.layout
        for menu in _GROUP_MENUS:
            layout.menu(menu.bl_idname)
        layout.separator()
        if personal.listing():
            layout.menu(KEYWARP_MT_own_expressions.bl_idname)
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator(KEYWARP_OT_save_expression.bl_idname, text="Save Expression...", icon="ADD")
        if personal.listing():
            layout.menu(KEYWARP_MT_delete_expressions.bl_idname, icon="TRASH")


_CLASSES = (
    KEYWARP_OT_apply_expression,
    KEYWARP_OT_save_expression,
    KEYWARP_OT_delete_expression,
    *_GROUP_MENUS,
    KEYWARP_MT_own_expressions,
    KEYWARP_MT_delete_expressions,
    KEYWARP_MT_expressions,
)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    library.register()
    assets.register()


def unregister() -> None:
    assets.unregister()
    library.unregister()
    _unregister_classes()
