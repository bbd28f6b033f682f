# SPDX-License-Identifier: GPL-3.0-or-later
"""*Create Pose Library*: all expressions as pose assets in a library of the user's, with catalogs and pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import bpy

from keywarp.keyframes.expressions import EXPRESSIONS, Expression

from .. import session
from ..character.active import FaceOperator, active_character
from ..character.properties import rest_of
from ..setup import preferences
from . import personal
from .actions import Picture, catalog_id, new_pose_action
from .portraits import Portraits

NAME = "Keywarp Poses"
FILE = "keywarp_poses.blend"
CATALOGS = "blender_assets.cats.txt"
_BEAT = 0.1


def folder() -> Path:
    """Where the library lies."""
    return preferences.user_folder("pose_library")


def write(
    where: Path, chosen: Sequence[Expression], rest: dict[str, float], pictures: Sequence[Optional[Picture]]
) -> Path:
    """Write the library: one .blend file, and beside it its catalogs; raises ``OSError``."""
    where.mkdir(parents=True, exist_ok=True)
    _write_catalogs(where / CATALOGS, chosen)
    path = where / FILE
    part = where / f".{FILE}.{os.getpid()}.part"
    # An action's name is its asset's: those of this file step aside meanwhile.
    aside = {each.title: bpy.data.actions.get(each.title) for each in chosen}
    actions = []
    try:
        for title, action in aside.items():
            if action is not None:
                action.name = f"{title} (aside)"
        for each, picture in zip(chosen, pictures):
            about = f"Keywarp, {each.group}: sets {len(each.covers)} channels"
            action = new_pose_action(each.title, each.pose(rest), about, picture)
            action.asset_data.catalog_id = catalog_id(each.group)
            actions.append(action)
        bpy.data.libraries.write(str(part), set(actions), fake_user=True, compress=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        for action in actions:
            bpy.data.actions.remove(action)
        for title, action in aside.items():
            if action is not None:
                action.name = title
    return path


def _write_catalogs(path: Path, chosen: Sequence[Expression]) -> None:
    groups = dict.fromkeys(each.group for each in chosen)
    lines = ["# Catalogs of Keywarp's poses; written anew with the library.", "", "VERSION 1", ""]
    lines += [f"{catalog_id(group)}:Keywarp/{group}:Keywarp-{group}" for group in groups]
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(path)


def make_known(where: Path) -> None:
    """List the library in the preferences' asset libraries, once."""
    libraries = bpy.context.preferences.filepaths.asset_libraries
    if not any(library.path and Path(library.path) == where for library in libraries):
        libraries.new(name=NAME, directory=str(where))


class KEYWARP_OT_make_pose_library(FaceOperator, bpy.types.Operator):
    """Make pose assets of all expressions, also your own, with pictures of this character, in a library that every
    file can use; they are blended in by dragging from the asset shelf of the 3D viewport"""

    bl_idname = "keywarp.make_pose_library"
    bl_label = "Create Pose Library"
    bl_options = {"REGISTER"}

    pictures: bpy.props.BoolProperty(
        name="Pictures", description="Draw the active character's face for each pose", default=True
    )

    _portraits: Optional[Portraits] = None
    _timer: Any = None

    def invoke(self, context: Any, _event: Any) -> set[str]:
        result = self._begin(context)
        if result is not None:
            return result
        manager = context.window_manager
        self._timer = manager.event_timer_add(_BEAT, window=context.window)
        manager.progress_begin(0, 1000)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC":
            self.cancel(context)
            self.report({"INFO"}, "The pose library was not made")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.progress_update(int(1000 * self._portraits.share))
        context.workspace.status_text_set(f"Pose library: {self._portraits.share:.0%}   Esc: cancel")
        if not self._portraits.finished:
            return {"PASS_THROUGH"}
        self._tidy(context)
        return self._finish()

    def execute(self, context: Any) -> set[str]:
        result = self._begin(context)
        if result is not None:
            return result
        self._portraits.wait()
        return self._finish()

    def cancel(self, context: Any) -> None:
        if self._portraits is not None:
            self._portraits.cancel()
            self._tidy(context)

    def _begin(self, context: Any) -> Optional[set[str]]:
        """Start drawing; a result where there is nothing to draw."""
        thing = active_character(context)
        self._chosen = [*EXPRESSIONS, *personal.listing()]
        self._rest = rest_of(thing)
        if not self.pictures:
            return self._write([None] * len(self._chosen))
        try:
            source = session.source_of(thing)
        except session.SourceError as error:
            self.report({"WARNING"}, f"The poses have no pictures: {error}")
            return self._write([None] * len(self._chosen))
        width, height = thing.keywarp.canvas
        aspect = width / height if width and height else 1.0
        poses = [each.pose(self._rest) for each in self._chosen]
        self._portraits = Portraits(session.engine(), source, aspect, self._rest, poses)
        return None

    def _tidy(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            context.workspace.status_text_set(None)
            self._timer = None

    def _finish(self) -> set[str]:
        pictures: list[Optional[Picture]] = list(self._portraits.pictures)
        if self._portraits.error:
            self.report({"WARNING"}, f"Some poses have no pictures: {self._portraits.error}")
        return self._write(pictures + [None] * (len(self._chosen) - len(pictures)))

    def _write(self, pictures: list[Optional[Picture]]) -> set[str]:
        where = folder()
        try:
            write(where, self._chosen, self._rest, pictures)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, f"{where}: the pose library cannot be written ({error})")
            return {"CANCELLED"}
        make_known(where)
        self.report({"INFO"}, f"{len(self._chosen)} poses are in the asset library {NAME}")
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(KEYWARP_OT_make_pose_library)


def unregister() -> None:
    bpy.utils.unregister_class(KEYWARP_OT_make_pose_library)
