# SPDX-License-Identifier: GPL-3.0-or-later
"""*Import Motion* and *Export Clip*: between a character's keys and the files of keywarp and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import MAX_SMOOTHING
from keywarp.keyframes.importers import FORMATS

from ..character.active import CharacterOperator, EditingOperator, active_character
from ..character.properties import groups, name_groups, space_of
from ..posing.keying import GROUP_ITEMS
from . import exporting, importing

_ENDINGS = tuple(dict.fromkeys(ending.lstrip(".") for form in FORMATS for ending in form.extensions))
_READABLE = ";".join(f"*.{ending}" for ending in _ENDINGS)
_KINDS = "; ".join(form.description for form in FORMATS)


class KEYWARP_OT_import_clip(EditingOperator, bpy.types.Operator, ImportHelper):
    """Bring a motion into the active character's keys"""

    bl_idname = "keywarp.import_clip"
    bl_label = "Import Motion"
    bl_description = f"Bring a motion into the active character's keys. Reads: {_KINDS}"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    filter_glob: StringProperty(default=_READABLE, options={"HIDDEN"})
    begin: EnumProperty(
        name="Begin",
        description="On which frame of the scene the motion begins",
        items=(
            ("CURRENT", "Current Frame", "On the current frame"),
            ("START", "Scene Start", "On the first frame of the scene"),
            ("FRAME", "Frame", "On the frame that is given below"),
            ("FILE", "As in the File", "Where it began in its file, at the scene's frame rate"),
        ),
        default="CURRENT",
    )
    frame: FloatProperty(name="Frame", description="The frame on which the motion begins", default=1.0)
    channels: EnumProperty(
        name="Channels",
        description="Bring in the channels of these groups only",
        items=GROUP_ITEMS,
        options={"ENUM_FLAG"},
        default={each[0] for each in GROUP_ITEMS},
    )
    smoothing: FloatProperty(
        name="Smoothing",
        description="Average jitter of a recording away over about this time; nothing comes late; 0: as recorded",
        default=0.0,
        min=0.0,
        max=MAX_SMOOTHING,
        soft_max=0.5,
        step=1,
        precision=3,
        unit="TIME_ABSOLUTE",
    )
    reduction: EnumProperty(
        name="Keys",
        description="Let few keys take the place of a recording's many",
        items=(
            (
                "BEZIER",
                "Few, Curved",
                "As few Bezier keys as carry the motion within the error; best to edit",
            ),
            ("LINEAR", "Few, Straight", "As few linear keys as carry the motion within the error"),
            ("NONE", "All", "Every key of the file"),
        ),
        default="BEZIER",
    )
    error: FloatProperty(
        name="Error",
        description="How far the curves may be off where keys are left out, as a share of a channel's range",
        default=0.5,
        min=0.0,
        max=20.0,
        soft_max=5.0,
        precision=2,
        subtype="PERCENTAGE",
    )
    existing: EnumProperty(
        name="Old Keys",
        description="What becomes of keys that the character's channels have already",
        items=(
            ("REPLACE", "Replace", "All old keys of the channels that the motion moves are removed"),
            ("INSERT", "Insert", "Only old keys within the motion's frames are removed"),
        ),
        default="REPLACE",
    )

    def draw(self, _context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "begin")
        if self.begin == "FRAME":
            layout.prop(self, "frame")
        layout.prop(self, "existing")
        layout.prop(self, "smoothing")
        layout.prop(self, "reduction")
        if self.reduction != "NONE":
            layout.prop(self, "error")
        layout.column(heading="Channels").prop(self, "channels")

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        wanted = self._wanted(context.scene)
        try:
            motion = importing.read(self.filepath, context.scene, space_of(thing), wanted)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        name = Path(self.filepath).name
        if not motion.clip.curves:
            self.report({"ERROR"}, f"{name}: the motion moves none of the chosen channels")
            return {"CANCELLED"}
        name_groups(thing)
        count = importing.write(motion.clip, thing, wanted)
        scene = context.scene
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        for note in motion.notes:
            self.report({"INFO"}, note)
        clip = motion.clip
        self.report(
            {"INFO"},
            f"{name}: {count} keys on {len(clip.curves)} channels, frames {clip.start:g} to {clip.end:g}",
        )
        return {"FINISHED"}

    def _wanted(self, scene: bpy.types.Scene) -> importing.Wanted:
        starts = {"CURRENT": scene.frame_current_final, "START": scene.frame_start, "FRAME": self.frame}
        return importing.Wanted(
            start=starts.get(self.begin),
            smoothing=self.smoothing,
            reduction=self.reduction,
            error=self.error / 100.0,
            groups=[group for group in groups() if group.upper() in self.channels],
            replace=self.existing == "REPLACE",
        )


class KEYWARP_OT_export_clip(CharacterOperator, bpy.types.Operator, ExportHelper):
    """Write the active character's curves to a clip file, with which keywarp render and OBS show the same frames"""

    bl_idname = "keywarp.export_clip"
    bl_label = "Export Clip"
    bl_options = {"REGISTER", "PRESET"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    span: EnumProperty(
        name="Frames",
        description="Which frames the clip has",
        items=(
            (
                "SCENE",
                "Scene",
                "From the scene's first frame to its last, or its preview range where that is on",
            ),
            ("KEYS", "Keys", "From the character's first key to its last"),
        ),
        default="SCENE",
    )
    samples: IntProperty(
        name="Samples a Frame",
        description="How often channels are sampled that drivers, NLA tracks, other modifiers or idle motion move; "
        "all others keep their curves",
        default=8,
        min=1,
        max=50,
    )
    whole_pose: BoolProperty(
        name="Whole Pose",
        description="Also write the channels that are not animated, as they stand, so that every frame is the same; "
        "without, the clip can be laid over others",
        default=True,
    )
    with_idle: BoolProperty(
        name="Idle Motion", description="Write the character's idle motion into the clip", default=True
    )

    def draw(self, _context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in ("span", "samples", "whole_pose", "with_idle"):
            layout.prop(self, name)

    def execute(self, context: Any) -> set[str]:
        thing = active_character(context)
        try:
            wanted = self._wanted(context.scene, thing)
            exported = exporting.export(thing, context.scene, wanted)
            exported.clip.save(self.filepath)
        except KeywarpError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for note in exported.notes:
            self.report({"INFO"}, note[:1].upper() + note[1:])
        clip = exported.clip
        self.report(
            {"INFO"},
            f"{Path(self.filepath).name}: frames {clip.start:g} to {clip.end:g}, {len(clip.curves)} channels",
        )
        return {"FINISHED"}

    def _wanted(self, scene: bpy.types.Scene, thing: bpy.types.Object) -> exporting.Wanted:
        if self.span == "KEYS":
            start, end = exporting.key_range(thing)
        elif scene.use_preview_range:
            start, end = scene.frame_preview_start, scene.frame_preview_end
        else:
            start, end = scene.frame_start, scene.frame_end
        return exporting.Wanted(start, end, self.samples, self.whole_pose, self.with_idle)


_CLASSES = (KEYWARP_OT_import_clip, KEYWARP_OT_export_clip)


def _import_menu(self: Any, _context: Any) -> None:
    self.layout.operator(KEYWARP_OT_import_clip.bl_idname, text="Keywarp Motion (.vmd, .csv, .vrma ...)")


def _export_menu(self: Any, _context: Any) -> None:
    self.layout.operator(KEYWARP_OT_export_clip.bl_idname, text="Keywarp Clip (.json)")


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.TOPBAR_MT_file_import.append(_import_menu)
    bpy.types.TOPBAR_MT_file_export.append(_export_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_export_menu)
    bpy.types.TOPBAR_MT_file_import.remove(_import_menu)
    _unregister_classes()
