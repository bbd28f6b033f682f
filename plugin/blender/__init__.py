# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender extension: a picture's pose as animatable properties, its frames as image and as render.

Importing this package imports nothing of Blender's, so that what is pure in it loads anywhere; ``register``
imports the modules that Blender needs.
"""

from __future__ import annotations

import gc
import importlib
import sys
import typing
from types import ModuleType

MODULES = (
    "setup.preferences",
    "setup.operators",
    "panels.manual",
    "character.properties",
    "session",
    "rendering.scenes",
    "showing.live",
    "rendering.engine",
    "character.adding",
    "rendering.placing",
    "sequence.operators",
    "posing.operators",
    "expressions.operators",
    "idle.operators",
    "clips.operators",
    "recording.operators",
    "panels.sidebar",
)
"""The modules with a ``register`` and an ``unregister``, in the order of registration."""

_IS_EXTENSION = __name__.startswith("bl_ext.")
_registered: list[ModuleType] = []


def register() -> None:
    """Register every module; where one fails, those before it are taken back."""
    try:
        for name in MODULES:
            module = _module(name)
            module.register()
            _registered.append(module)
    except BaseException:
        unregister()
        raise


def unregister() -> None:
    """Take everything back, in reverse."""
    while _registered:
        _registered.pop().unregister()
    if _IS_EXTENSION:
        _forget()


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "keywarp":
            raise
        raise ModuleNotFoundError(
            f"{error.name} is missing: Blender unpacks it when Keywarp is installed from its .zip file with "
            "Install from Disk in the preferences, and copying the folder is not enough",
            name=error.name,
        ) from None


def _forget() -> None:
    """Have the next ``register`` import everything anew.

    Blender replaces our files when it updates the extension while it runs, and those of our wheel, which
    it takes for somebody else's.
    """
    for name in list(sys.modules):
        if name.startswith((f"{__name__}.", "keywarp.")) or name == "keywarp":
            del sys.modules[name]
    # ``Optional[Ours]`` stays in caches of typing's, and our class there with all that its module holds. Modules are
    # full of cycles, and in a heap of Blender's size Python would let many of them come together before it looks.
    for clear in getattr(typing, "_cleanups", ()):
        clear()
    gc.collect()
