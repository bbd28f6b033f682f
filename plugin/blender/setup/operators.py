# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Engine, Repair, Remove, the logs, Clear Cache, Install Models: what the preferences' buttons do."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any, Optional

import bpy

from keywarp.core.engine.client import EngineState

from . import environment, model_pack, preferences
from .environment import Order
from .installation import Installation
from .model_pack import PackError

_TICK = 0.2
"""Seconds between two looks at a running installation."""

DEVICES = {"cpu": "the CPU", "cuda": "the NVIDIA GPU"}

_current: Optional[Installation] = None
"""The installation that runs, or the last one since Blender's start."""


def order(online: bool) -> Order:
    """What the preferences ask to be installed; raises ``InstallError`` in a checkout of the sources."""
    chosen = preferences.get()
    wheel = environment.bundled_wheel(preferences.EXTENSION)
    if wheel is None:
        raise environment.InstallError(
            "this copy of Keywarp carries no engine: install the extension from its .zip file"
        )
    folder = bpy.path.abspath(chosen.wheels_folder) if chosen and chosen.wheels_folder else ""
    python = bpy.path.abspath(chosen.python) if chosen and chosen.python else sys.executable
    return Order(
        preferences.engine_root(),
        Path(python),
        wheel,
        chosen.device if chosen else "auto",
        Path(folder) if folder else None,
        online,
    )


def running() -> bool:
    """Whether an installation is at work."""
    return _current is not None and _current.running


class KEYWARP_OT_install_engine(bpy.types.Operator):
    """Make the engine's own environment in Blender's user folder: about 1 GB, some minutes"""

    bl_idname = "keywarp.install_engine"
    bl_label = "Install Engine"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        return not running()

    def invoke(self, _context: Any, _event: Any) -> set[str]:
        """Start it and give the window back; the preferences show how far it is."""
        global _current
        try:
            _current = Installation(order(bpy.app.online_access))
        except environment.InstallError as error:
            self.report({"ERROR"}, _sentence(str(error)))
            return {"CANCELLED"}
        _current.start()
        if not bpy.app.timers.is_registered(_look):
            bpy.app.timers.register(_look, first_interval=_TICK, persistent=True)
        return {"FINISHED"}

    def execute(self, context: Any) -> set[str]:
        """The same from a script: to its end, saying each step."""
        if self.invoke(context, None) == {"CANCELLED"} or _current is None:
            return {"CANCELLED"}
        said = ""
        while _current.running:
            if said != _current.step:
                said = _current.step
                print(f"Keywarp: {said}", flush=True)  # noqa: T201  (Blender's console)
            _current.wait(_TICK)
        _look()
        if _current.error:
            self.report({"ERROR"}, _sentence(_current.error))
            return {"CANCELLED"}
        self.report({"INFO"}, "The engine is installed")
        return {"FINISHED"}


class KEYWARP_OT_cancel_install(bpy.types.Operator):
    """Stop the installation; what was there before stays as it was"""

    bl_idname = "keywarp.cancel_install"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        return running()

    def execute(self, _context: Any) -> set[str]:
        assert _current is not None
        _current.cancel()
        return {"FINISHED"}


class KEYWARP_OT_remove_engine(bpy.types.Operator):
    """Delete the engine's environment; your files, the models and the cache stay"""

    bl_idname = "keywarp.remove_engine"
    bl_label = "Remove"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        return not running() and environment.installed(preferences.engine_root()) is not None

    def invoke(self, context: Any, event: Any) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Any) -> set[str]:
        _restart_engine()
        environment.remove(preferences.engine_root())
        self.report({"INFO"}, "The engine was removed")
        return {"FINISHED"}


class KEYWARP_OT_show_log(bpy.types.Operator):
    """Open the log in the program that your system uses for text"""

    bl_idname = "keywarp.show_log"
    bl_label = "Show Log"
    bl_options = {"INTERNAL"}

    which: bpy.props.EnumProperty(
        items=(
            ("install", "Installation", "What Install Engine did"),
            ("engine", "Engine", "What the engine said while it ran"),
        ),
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def description(cls, _context: Any, properties: Any) -> str:
        what = (
            "what Install Engine did"
            if properties.which == "install"
            else "what the engine said while it ran"
        )
        return f"Open the log of {what}, in the program that your system uses for text"

    def execute(self, _context: Any) -> set[str]:
        path = log_file(self.which)
        if not path.is_file():
            self.report({"INFO"}, "There is no log yet")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(path))


class KEYWARP_OT_clear_cache(bpy.types.Operator):
    """Delete everything in the cache; it is made again when it is needed"""

    bl_idname = "keywarp.clear_cache"
    bl_label = "Clear"
    bl_options = {"INTERNAL"}

    def execute(self, _context: Any) -> set[str]:
        _restart_engine()
        folder = preferences.cache_folder()
        before = preferences.folder_size(folder)
        shutil.rmtree(folder, ignore_errors=True)
        preferences.forget_cache_size()
        freed = before - preferences.folder_size(folder)
        self.report({"INFO"}, f"{freed / 1e6:,.0f} MB freed")
        return {"FINISHED"}


class KEYWARP_OT_install_models(bpy.types.Operator):
    """Unpack keywarp-models-VERSION.zip, the models that come with Keywarp"""

    bl_idname = "keywarp.install_models"
    bl_label = "Install Models"
    bl_options = {"INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.zip", options={"HIDDEN"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        beside = model_pack.beside(preferences.EXTENSION, preferences.version())
        if beside is not None:
            self.filepath = str(beside)
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: Any) -> set[str]:
        try:
            names = model_pack.install(Path(bpy.path.abspath(self.filepath)), preferences.models_folder())
        except PackError as error:
            self.report({"ERROR"}, _sentence(str(error)))
            return {"CANCELLED"}
        _take_into_use()
        self.report({"INFO"}, f"Installed: {', '.join(names)}")
        return {"FINISHED"}


def log_file(which: str) -> Path:
    """The log of the installation, or of the engine."""
    return preferences.engine_root() / (environment.LOG if which == "install" else "engine.log")


def draw(layout: bpy.types.UILayout, width: float) -> None:
    """The state of the engine, and the buttons that change it."""
    found = environment.installed(preferences.engine_root())
    if running():
        assert _current is not None
        row = layout.split(factor=0.75)
        row.progress(factor=_current.progress, text=_current.step)
        row.operator("keywarp.cancel_install", icon="X")
        return
    icon, text = _status(found)
    preferences.draw_text(layout, text, width, icon)
    if _current is not None and _current.error and not _current.cancelled:
        preferences.draw_text(layout.column(), f"Install Engine: {_current.error}.", width, "ERROR")
    row = layout.row(align=True)
    row.scale_y = 1.0 if found else 1.4
    row.operator("keywarp.install_engine", text="Repair" if found else "Install Engine", icon="IMPORT")
    if found:
        row.operator("keywarp.remove_engine", icon="TRASH")
    row = layout.row(align=True)
    row.operator("keywarp.show_log", text="Installation Log", icon="TEXT").which = "install"
    row.operator("keywarp.show_log", text="Engine Log", icon="TEXT").which = "engine"
    row.operator("keywarp.manual", icon="HELP").page = "preferences"


def _status(found: Optional[environment.Installed]) -> tuple[str, str]:
    """The engine's state: (icon, sentence)."""
    from .. import session

    address = preferences.engine_settings().address
    if found is None and address is None:
        return "INFO", "The engine is not installed yet. It computes the frames, in a program of its own."
    if found is not None and address is None and preferences.version() not in ("", found.version):
        return (
            "ERROR",
            f"The engine is of version {found.version}, Keywarp of {preferences.version()}: press Repair",
        )
    state = session.engine().state if session.has_engine() else EngineState("off")
    where = f"at {address}" if address else f"{found.version}, Python {found.python}" if found else ""
    if state.phase == "failed":
        return "ERROR", f"Engine {where}: {state.message}"
    if state.phase == "ready":
        return "CHECKMARK", f"Engine {where}: running on {DEVICES.get(state.device, 'this machine')}"
    if state.phase == "starting":
        return "SORTTIME", f"Engine {where}: starting"
    return "CHECKMARK", f"Engine {where}: starts when it is needed"


def _look() -> Optional[float]:
    """Redraw the preferences while an installation runs, and take the new engine into use at its end."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    if running():
        return _TICK
    if _current is not None and _current.result is not None:
        _take_into_use()
    return None


def _restart_engine() -> None:
    from .. import session

    session.restart()


def _take_into_use() -> None:
    """Have what was installed show the characters that have waited for it."""
    from ..showing import live

    _restart_engine()
    live.refresh()


def _sentence(text: str) -> str:
    """A message as Blender's reports begin and end: with a capital, without a full stop."""
    return text[:1].upper() + text[1:].rstrip(".")


CLASSES = (
    KEYWARP_OT_install_engine,
    KEYWARP_OT_cancel_install,
    KEYWARP_OT_remove_engine,
    KEYWARP_OT_show_log,
    KEYWARP_OT_clear_cache,
    KEYWARP_OT_install_models,
)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()


def unregister() -> None:
    if _current is not None and _current.running:
        _current.cancel()
        _current.wait(5.0)
    if bpy.app.timers.is_registered(_look):
        with contextlib.suppress(ValueError):
            bpy.app.timers.unregister(_look)
    _unregister_classes()
