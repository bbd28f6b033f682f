# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's tab *Keywarp*: the character and its state, its pose, expressions, idle motion, clips, rendering."""

from __future__ import annotations

from typing import Any

import bpy

from .. import session
from ..character import adding, trust
from ..character.active import active_character
from ..character.properties import has_face
from ..expressions import personal
from ..expressions.operators import KEYWARP_MT_expressions
from ..recording import operators as recording
from ..setup import model_pack, preferences
from ..showing import notice, preview
from . import interface, pose
from .pose import CharacterPanel, FacePanel, SidebarPanel, draw_help

_PHASES = {
    "off": ("Engine: sleeps until it is needed", "SORTTIME"),
    "starting": ("Engine: starting ...", "TIME"),
    "ready": ("Engine: ready", "CHECKMARK"),
    "failed": ("Engine: cannot start", "ERROR"),
}
_MARGIN = 40
"""Pixels that a panel's frame takes from the sidebar's width."""


def engine_line() -> tuple[str, str, str]:
    """How the engine is: words, an icon, and why where it failed."""
    if not session.has_engine():
        words, icon = _PHASES["off"]
        return words, icon, ""
    state = session.engine().state
    words, icon = _PHASES[state.phase]
    device = {"cuda": "NVIDIA GPU", "cpu": "CPU"}.get(state.device, state.device)
    return f"{words} on {device}" if state.phase == "ready" and device else words, icon, state.message


def draw_text(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """Text in as many lines as it needs."""
    preferences.draw_text(layout, text, context.region.width - _MARGIN, icon)


class KEYWARP_PT_character(SidebarPanel, bpy.types.Panel):
    """The active character: its files, its state, and what to do where something is wrong."""

    bl_label = "Character"
    bl_idname = "KEYWARP_PT_character"

    def draw_header_preset(self, _context: Any) -> None:
        draw_help(self.layout, "character")

    def draw(self, context: Any) -> None:
        layout = self.layout
        thing = active_character(context)
        if thing is None:
            layout.label(text="No Keywarp character is selected", icon="INFO")
            layout.operator("keywarp.add_character", text="Add Character...", icon="ADD")
            if not adding.draw_demo(layout, "Add Demo Character"):
                _draw_models(layout, context)
            _draw_engine(layout, context)
            return
        settings = thing.keywarp
        column = layout.column()
        column.prop(thing, "name", text="", icon="OUTLINER_OB_IMAGE")
        _draw_engine(column, context)
        _draw_message(column, context, thing)
        preparation = preview.preparation(thing)
        if preparation is not None:
            column.progress(factor=preparation[1], text=notice.text_of(*preparation, short=True))
        files = layout.column()
        files.use_property_split, files.use_property_decorate = True, False
        files.prop(settings, "character")
        files.prop(settings, "model", placeholder="The character's own")
        if not has_face(thing):
            files.prop(settings, "video", placeholder="The character's own")
        if settings.baked:
            box = layout.box()
            draw_text(box, context, "Shows baked files in place of the live image", "FILE_IMAGE")
            box.operator("keywarp.unbake")
        else:
            sizes = layout.column()
            sizes.use_property_split, sizes.use_property_decorate = True, False
            sizes.prop(settings, "preview_mode", text="Preview")
            if settings.preview_mode == "FIXED":
                sizes.prop(settings, "preview_size", text="Preview Height")
            sizes.prop(settings, "size", text="Render Height")
        if context.scene.keywarp.warning:
            box = layout.box()
            draw_text(box, context, context.scene.keywarp.warning, "ERROR")
            box.operator("keywarp.fix_scene")


def _draw_engine(layout: Any, context: Any) -> None:
    words, icon, reason = engine_line()
    missing = not session.can_start()
    if missing:
        words, icon, reason = "Engine: not installed", "ERROR", ""
    layout.label(text=words, icon=icon)
    if not missing and not reason:
        return
    box = layout.box()
    if reason:
        draw_text(box, context, reason)
    row = box.row(align=True)
    text = "Install Engine..." if missing else "Preferences..."
    row.operator("preferences.addon_show", text=text, icon="PREFERENCES").module = preferences.ADDON
    if reason:
        row.operator("keywarp.show_log", text="", icon="TEXT")


def _draw_models(layout: Any, context: Any) -> None:
    """What is missing while the models that ship are not there."""
    box = layout.box()
    pack = model_pack.file_name(preferences.version())
    draw_text(
        box, context, f"{pack} is not installed: it moves any picture, and has a demo character", "INFO"
    )
    box.operator("keywarp.install_models", icon="IMPORT")


def _draw_message(layout: Any, context: Any, thing: bpy.types.Object) -> None:
    message = thing.keywarp.message
    strange = [path for path in session.source_paths(thing) if not trust.is_confirmed(path)]
    if not message and not strange:
        return
    box = layout.box()
    box.alert = True
    draw_text(
        box, context, message or "This file names pictures or models that you have not allowed", "ERROR"
    )
    if strange:
        box.operator("keywarp.allow_paths", icon="CHECKMARK")
    elif model_pack.BUTTON in message:
        box.operator("keywarp.install_models", icon="IMPORT")


class KEYWARP_PT_expressions(FacePanel, bpy.types.Panel):
    """Ready-made expressions, one's own, and the pose library."""

    bl_label = "Expressions"
    bl_idname = "KEYWARP_PT_expressions"
    page = "expressions"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.window_manager.keywarp
        layout.menu(KEYWARP_MT_expressions.bl_idname, text="Choose Expression", icon="MONKEY")
        row = layout.row(align=True)
        row.prop(settings, "strength", slider=True)
        row.prop(settings, "key", text="", icon="KEY_HLT")
        layout.operator_context = "INVOKE_DEFAULT"
        row = layout.row(align=True)
        row.operator("keywarp.save_expression", icon="ADD")
        if personal.listing():
            row.menu("KEYWARP_MT_delete_expressions", text="", icon="TRASH")
        column = layout.column(align=True)
        column.operator("keywarp.make_pose_library", icon="ASSET_MANAGER")
        column.operator("keywarp.create_pose_asset")


class KEYWARP_PT_idle(FacePanel, bpy.types.Panel):
    """What the character does by itself."""

    bl_label = "Idle Motion"
    bl_idname = "KEYWARP_PT_idle"
    bl_options = {"DEFAULT_CLOSED"}
    page = "idle-motion"

    def draw_header(self, context: Any) -> None:
        self.layout.prop(active_character(context).keywarp.idle, "enabled", text="")

    def draw(self, context: Any) -> None:
        idle = active_character(context).keywarp.idle
        layout = self.layout
        layout.use_property_split = True
        column = layout.column()
        column.active = idle.enabled
        for amount, rate in (
            ("blink", "blinks_per_minute"),
            ("breath", "breaths_per_minute"),
            ("sway", "sway_speed"),
        ):
            pair = column.column(align=True)
            pair.prop(idle, amount)
            pair.prop(idle, rate)
        column.prop(idle, "seed")
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("keywarp.bake_idle", icon="KEYFRAME_HLT")


class KEYWARP_PT_clips(CharacterPanel, bpy.types.Panel):
    """Motions in, clips out."""

    bl_label = "Clips"
    bl_idname = "KEYWARP_PT_clips"
    bl_options = {"DEFAULT_CLOSED"}
    page = "clips"

    def draw(self, _context: Any) -> None:
        column = self.layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("keywarp.import_clip", text="Import Motion...", icon="IMPORT")
        column.operator("keywarp.export_clip", text="Export Clip...", icon="EXPORT")


class KEYWARP_PT_recording(FacePanel, bpy.types.Panel):
    """Live input into keys."""

    bl_label = "Recording"
    bl_idname = "KEYWARP_PT_recording"
    bl_options = {"DEFAULT_CLOSED"}
    page = "recording"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.window_manager.keywarp_recording
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "source")
        if settings.source != "mouse":
            column.prop(settings, "address")
        column.prop(settings, "smoothing")
        column.prop(settings, "mirror")
        column.prop(settings, "error")
        column.prop(settings, "play")
        layout.label(text="Channels")
        flow = layout.column(align=True)
        flow.prop(settings, "groups")
        row = layout.row(align=True)
        row.operator_context = "INVOKE_DEFAULT"
        if recording.is_under_way():
            row.operator("keywarp.record_keep", icon="CHECKMARK")
        else:
            row.operator("keywarp.record", icon="REC")
        row.operator("keywarp.calibrate", icon="PIVOT_CURSOR")
        message = recording.message()
        if message:
            draw_text(layout.box(), context, message, "INFO")


class KEYWARP_PT_rendering(CharacterPanel, bpy.types.Panel):
    """Where the character's frames go."""

    bl_label = "Rendering"
    bl_idname = "KEYWARP_PT_rendering"
    bl_options = {"DEFAULT_CLOSED"}
    page = "rendering"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        if context.scene.render.engine == "KEYWARP":
            layout.label(text="The scene renders with Keywarp", icon="CHECKMARK")
        else:
            layout.operator("keywarp.use_render_engine", icon="RENDER_STILL")
        files = layout.column(align=True)
        files.operator("keywarp.render_sequence", text="Render HD Sequence...", icon="RENDER_ANIMATION")
        files.operator("keywarp.bake", text="Bake to Image Sequence...", icon="FILE_IMAGE")
        layout.label(text="Use the Live Image")
        places = layout.column(align=True)
        places.operator("keywarp.add_to_compositor", icon="NODE_COMPOSITING")
        places.operator("keywarp.add_to_camera", icon="CAMERA_DATA")
        places.operator("keywarp.add_scene_strip", icon="SEQUENCE")
        places.operator("keywarp.add_baked_strip", icon="FILE_MOVIE")


_CLASSES = (
    KEYWARP_PT_character,
    *pose.CLASSES,
    KEYWARP_PT_expressions,
    KEYWARP_PT_idle,
    KEYWARP_PT_clips,
    KEYWARP_PT_recording,
    KEYWARP_PT_rendering,
)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    interface.register()
    _register_classes()


def unregister() -> None:
    _unregister_classes()
    interface.unregister()
