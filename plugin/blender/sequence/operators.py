# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering a character's frames straight to files, and baking its live image to such files and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import bpy
from bpy_extras.io_utils import ExportHelper

from keywarp.keyframes.errors import KeywarpError

from .. import session
from ..character.active import CharacterOperator, EditingOperator
from ..character.shots import live_size
from ..clips import exporting
from ..options import FrameSize
from ..rendering.engine import full_size
from ..showing import live
from . import baking
from .files import FORMATS, Order, Rendering, bits_of, default_folder, suffix_of

_ITEMS = tuple((name, label, about) for name, label, about, _, _ in FORMATS)
_TICK = 0.2


class SequenceOperator:
    """Base of operators that render to files: modal with progress and Esc in a window, else until done."""

    _rendering: Optional[Rendering] = None
    _timer: Any = None

    def begin(self, context: Any, thing: bpy.types.Object, order: Order) -> set[str]:
        """Start, and go on as the interface allows."""
        try:
            source = session.source_of(thing)
            wanted = exporting.Wanted(float(order.start), float(order.end), samples=1)
            clip = exporting.export(thing, context.scene, wanted).clip
            self._rendering = Rendering(source, clip, order)
        except (KeywarpError, session.SourceError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background or not self.in_window:
            self._rendering.wait()
            return self._ended(context)
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TICK, window=context.window)
        manager.modal_handler_add(self)
        manager.progress_begin(0, order.end - order.start + 1)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        rendering = self._rendering
        if event.type == "ESC":
            self.cancel(context)
            self.report({"WARNING"}, f"Cancelled after {rendering.finished} of {rendering.total} frames")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        done = rendering.finished
        context.window_manager.progress_update(done)
        context.workspace.status_text_set(f"Keywarp: {done} of {rendering.total} frames   Esc: cancel")
        if not rendering.done:
            return {"PASS_THROUGH"}
        self._tidy(context)
        return self._ended(context)

    def cancel(self, context: Any) -> None:
        if self._rendering is not None:
            self._rendering.cancel()
            self._rendering.close()
            self._tidy(context)

    def _tidy(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            context.workspace.status_text_set(None)
            self._timer = None

    def _ended(self, context: Any) -> set[str]:
        trouble = self._rendering.close()
        if trouble:
            self.report({"ERROR"}, trouble)
            return {"CANCELLED"}
        order = self._rendering.order
        self.report({"INFO"}, f"{order.out}: frames {order.start} to {order.end}")
        return self.finish(context, order)

    def finish(self, context: Any, order: Order) -> set[str]:
        """What there is to do once all files are there."""
        return {"FINISHED"}


class KEYWARP_OT_render_sequence(
    FrameSize, SequenceOperator, CharacterOperator, bpy.types.Operator, ExportHelper
):
    """Render the active character over the scene's frame range straight to image files or a video with alpha,
    without a 3D scene around it"""

    bl_idname = "keywarp.render_sequence"
    bl_label = "Render HD Sequence"
    bl_options = {"REGISTER"}

    filename_ext = ""
    format: bpy.props.EnumProperty(name="Format", description="Kind of file", items=_ITEMS, default="PNG")
    own_size: bpy.props.BoolProperty(
        name="Own Size", description="Another size than the scene's output properties say", default=False
    )
    in_window: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.in_window = True
        if not self.filepath:
            self.filepath = str(default_folder(context.object.name) / context.object.name)
        return ExportHelper.invoke(self, context, event)  # type: ignore[no-any-return]

    def check(self, context: Any) -> bool:
        return False

    def draw(self, context: Any) -> None:
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "format")
        column.prop(self, "own_size")
        sizes = column.column(align=True)
        sizes.active = self.own_size
        sizes.prop(self, "width")
        sizes.prop(self, "height")
        scene = context.scene
        column.label(text=f"Frames {scene.frame_start} to {scene.frame_end}", icon="PREVIEW_RANGE")

    def execute(self, context: Any) -> set[str]:
        scene = context.scene
        size = (self.width, self.height) if self.own_size else full_size(scene)
        out = output_pattern(self.filepath, suffix_of(self.format))
        order = Order(out, size, scene.keywarp.fit, bits_of(self.format), scene.frame_start, scene.frame_end)
        return self.begin(context, context.object, order)


class KEYWARP_OT_bake(SequenceOperator, EditingOperator, bpy.types.Operator):
    """Render the live image over the scene's frame range to files, and show those in its place everywhere: playback
    is then as fast as the disk, and the .blend file renders on machines without Keywarp"""

    bl_idname = "keywarp.bake"
    bl_label = "Bake to Image Sequence"
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(
        name="Folder", description="Where the files go", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    format: bpy.props.EnumProperty(name="Format", description="Kind of file", items=_ITEMS[:3], default="PNG")
    in_window: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.in_window = True
        self.directory = str(default_folder(context.object.name))
        return context.window_manager.invoke_props_dialog(self, width=480)

    def execute(self, context: Any) -> set[str]:
        thing, scene = context.object, context.scene
        if not live.is_live(thing):
            self.report({"ERROR"}, f"{thing.name} has no live image that could be baked")
            return {"CANCELLED"}
        folder = Path(bpy.path.abspath(self.directory)) if self.directory else default_folder(thing.name)
        out = output_pattern(str(folder / thing.name), suffix_of(self.format))
        size = live_size(thing, thing.keywarp.size)
        order = Order(out, size, "contain", bits_of(self.format), scene.frame_start, scene.frame_end)
        self._name = thing.name
        return self.begin(context, thing, order)

    def finish(self, context: Any, order: Order) -> set[str]:
        thing = context.scene.objects.get(self._name)
        if thing is None or not live.is_live(thing):
            self.report({"ERROR"}, f"{self._name} is gone; its frames are in {order.out.parent}")
            return {"CANCELLED"}
        baking.show_files(thing, order)
        return {"FINISHED"}


class KEYWARP_OT_unbake(EditingOperator, bpy.types.Operator):
    """Show the live image again in place of the baked files, which stay on the disk"""

    bl_idname = "keywarp.unbake"
    bl_label = "Back to Live Image"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        thing = context.object
        if not thing.keywarp.baked:
            self.report({"INFO"}, f"{thing.name} is live already")
            return {"CANCELLED"}
        baking.show_live(thing)
        live.refresh(thing)
        return {"FINISHED"}


def output_pattern(path: str, suffix: str) -> Path:
    """Where frames go: a number for images where the path has no ``####``, and the format's suffix."""
    chosen = Path(bpy.path.abspath(path)).absolute()
    known = {each[3] for each in FORMATS}
    stem = chosen.stem if chosen.suffix.lower() in known else chosen.name
    if suffix != ".mov" and "#" not in stem:
        stem = f"{stem}_####"
    return chosen.with_name(f"{stem or 'frame_####'}{suffix}")


_CLASSES = (KEYWARP_OT_render_sequence, KEYWARP_OT_bake, KEYWARP_OT_unbake)


register, unregister = bpy.utils.register_classes_factory(_CLASSES)
