# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: the engine and where it comes from, its device, the cache, models."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import bpy

from . import environment, model_pack

EXTENSION = Path(__file__).parents[1]
ADDON = __package__.rpartition(".")[0]
"""Under which name Blender knows the extension."""
_WIDTH = 0.9
"""The share of the preferences' width that texts may take."""
_SIZE_IS_OLD = 10.0
"""Seconds after which the cache's size is measured again."""


@dataclass(frozen=True)
class EngineSettings:
    """With what the engine is started, or found."""

    command: Optional[list[str]]
    """None where no engine is installed."""
    address: Optional[str]
    """One that already runs; then it is neither started nor ended by us."""
    device: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Added to the engine's own."""


def _changed(_preferences: Any, _context: Any) -> None:
    """An engine with the old settings is of no use any more."""
    from .. import session

    session.restart()


def _memory_changed(preferences: Any, _context: Any) -> None:
    from ..showing import preview

    preview.set_cache_limit(preferences.preview_memory)


class KeywarpPreferences(bpy.types.AddonPreferences):
    """What the user chooses once for all files."""

    bl_idname = ADDON

    device: bpy.props.EnumProperty(
        name="Device",
        description="What computes the frames",
        items=(
            ("auto", "Automatic", "The NVIDIA GPU where there is one, else the processor"),
            ("cpu", "CPU", "The processor, also where there is a GPU"),
            ("cuda", "NVIDIA GPU", "An NVIDIA GPU; Install Engine then fetches the libraries for it"),
        ),
        update=_changed,
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="The Python (3.11 to 3.14) that Install Engine builds on; empty: the one inside Blender",
        subtype="FILE_PATH",
    )
    wheels_folder: bpy.props.StringProperty(
        name="Folder of Wheels",
        description="Install the engine from the .whl files in this folder, without any network; empty: "
        "download them",
        subtype="DIR_PATH",
    )
    address: bpy.props.StringProperty(
        name="Running Engine",
        description="The address file of an engine that already runs, as `keywarp engine` prints it; empty: Blender "
        "starts its own",
        subtype="FILE_PATH",
        update=_changed,
    )
    cache_folder: bpy.props.StringProperty(
        name="Cache",
        description="Where the engine keeps what it need not compute twice; empty: in Blender's user folder",
        subtype="DIR_PATH",
        update=_changed,
    )

    preview_memory: bpy.props.IntProperty(
        name="Preview Memory",
        description="Megabytes that frames may take in memory, so that a second playback is smooth",
        default=512,
        min=16,
        max=65536,
        update=_memory_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        _draw_engine(layout, self, context)
        _draw_cache(layout, self)
        _draw_models(layout, context.region.width * _WIDTH)


def get() -> Any:
    """The preferences; None where the extension runs without them, from the sources."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def user_folder(name: str) -> Path:
    """A folder of ours in Blender's user folder; it need not exist yet."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path=name))
    except ValueError:  # from the sources
        return Path(bpy.utils.user_resource("DATAFILES")) / "keywarp" / name


def engine_root() -> Path:
    """Where the engine's environment and the logs are."""
    return user_folder("engine")


def models_folder() -> Path:
    """Where models that ship are unpacked."""
    return user_folder("models")


def cache_folder() -> Path:
    """A folder of our own in the one that was chosen; else ``$KEYWARP_CACHE``, or one in Blender's user folder.

    Nothing else is in it, so *Clear* may delete it.
    """
    chosen = get()
    if chosen is not None and chosen.cache_folder:
        return Path(bpy.path.abspath(chosen.cache_folder)) / "keywarp-cache"
    return Path(os.environ.get("KEYWARP_CACHE") or user_folder("cache"))


def version() -> str:
    """keywarp's version; "" in a checkout of the sources."""
    wheel = environment.bundled_wheel(EXTENSION)
    return environment.version_of(wheel) if wheel else ""


def engine_settings() -> EngineSettings:
    """What the preferences say about the engine; ``$KEYWARP_ENGINE`` names one where they name none."""
    chosen, root = get(), engine_root()
    folders = [str(models_folder()), *filter(None, [os.environ.get("KEYWARP_MODELS")])]
    return EngineSettings(
        environment.engine_command(root),
        (chosen.address.strip() if chosen else "") or os.environ.get("KEYWARP_ENGINE") or None,
        chosen.device if chosen else "auto",
        root / "engine.log",
        {"KEYWARP_CACHE": str(cache_folder()), "KEYWARP_MODELS": os.pathsep.join(folders)},
    )


def draw_text(layout: bpy.types.UILayout, text: str, width: float, icon: str = "NONE") -> None:
    """A sentence over as many lines as it needs; ``width``: what there is for it and its icon, in pixels."""
    import blf  # Blender as a Python package has it only once bpy is imported

    system = bpy.context.preferences.system
    scale = system.ui_scale or 1.0  # 0 where there is no window
    blf.size(0, bpy.context.preferences.ui_styles[0].widget.points * scale)
    room = width - (20.0 if icon == "NONE" else 52.0) * scale
    column = layout.column(align=True)
    for number, line in enumerate(wrapped(text, lambda part: blf.dimensions(0, part)[0] <= room)):
        first = number == 0
        column.label(text=line, icon=icon if first else ("NONE" if icon == "NONE" else "BLANK1"))


def wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Text in lines that fit, broken between words, and within a word only where it has no room alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
            continue
        while not fits(word) and len(word) > 1:
            cut = next((n for n in range(len(word) - 1, 1, -1) if fits(word[:n])), 1)
            lines.append(word[:cut])
            word = word[cut:]
        lines.append(word)
    return lines


def _draw_engine(layout: bpy.types.UILayout, chosen: KeywarpPreferences, context: bpy.types.Context) -> None:
    from . import operators

    box = layout.box()
    operators.draw(box, context.region.width * _WIDTH)
    column = box.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(chosen, "device")
    column.prop(chosen, "python", placeholder="Blender's own")
    column.prop(chosen, "wheels_folder", placeholder="none: download them")
    column.prop(chosen, "address", placeholder="none: Blender starts one")


class _Size:
    """The cache's size, measured now and then rather than at every redraw."""

    measured = -_SIZE_IS_OLD
    folder: Optional[Path] = None
    size = 0

    @classmethod
    def now(cls, folder: Path) -> int:
        if cls.folder != folder or time.monotonic() - cls.measured > _SIZE_IS_OLD:
            cls.size = folder_size(folder)
            cls.folder, cls.measured = folder, time.monotonic()
        return cls.size

    @classmethod
    def forget(cls) -> None:
        cls.folder = None


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder, leaving out what disappears meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  (once per file)
            except OSError:
                continue
    return total


def forget_cache_size() -> None:
    """Measure the cache again at the next redraw."""
    _Size.forget()


def _draw_cache(layout: bpy.types.UILayout, chosen: KeywarpPreferences) -> None:
    box = layout.box()
    row = box.row()
    row.label(text=f"Cache: {_Size.now(cache_folder()) / 1e6:,.0f} MB", icon="FILE_CACHE")
    row.operator("keywarp.clear_cache", icon="TRASH")
    column = box.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(chosen, "cache_folder", text="Folder", placeholder="in Blender's user folder")
    column.prop(chosen, "preview_memory")


def _draw_models(layout: bpy.types.UILayout, width: float) -> None:
    box = layout.box()
    row = box.row()
    names = model_pack.installed_models(models_folder())
    row.label(
        text=f"Models: {', '.join(names) if names else 'none installed'}", icon="OUTLINER_DATA_ARMATURE"
    )
    row.operator("keywarp.install_models", icon="IMPORT")
    if not names:
        pack = model_pack.file_name(version())
        words = f"{pack} moves any picture, and has a demo character. A character's own folder of weights needs none."
        draw_text(box, words, width, "BLANK1")


def register() -> None:
    bpy.utils.register_class(KeywarpPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(KeywarpPreferences)
