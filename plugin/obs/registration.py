# SPDX-License-Identifier: GPL-3.0-or-later
"""The source type in libobs, which outlives the script.

libobs cannot forget a type: it calls its functions until OBS ends, whether the script is loaded, was reloaded, or is
gone. So what libobs has hold of is kept on ``sys``, is never freed, and passes every call on to the handlers of the
script that is loaded now, or does nothing.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional

from . import structs
from .library import Library, LibraryError

TYPE_ID = b"keywarp_character"
TYPE_NAME = b"Keywarp Character"
_KEPT_AS = "keywarp_obs_registration"
FORM = 1
"""Raised where a script could not take over what another version of this module has left on ``sys``."""

Handlers = Mapping[str, Callable[..., Any]]
"""``create``, ``destroy``, ``show``, ``hide``, ``hotkey``: (source); ``update``, ``save``: (source, settings);
``get_defaults``: (settings); ``get_properties``: (source), gives the properties; ``clicked``: (source, button) and
``modified``: (properties, property, settings) give whether the window is to be drawn anew. All of these are
addresses. ``failed``: (handler's name, exception)."""


class Registration:
    """What libobs has hold of, and which sources of the type there are."""

    form = FORM

    def __init__(self) -> None:
        self.handlers: Handlers = {}
        self.sources: set[int] = set()
        """The addresses of the sources that are alive."""
        self.lock = threading.RLock()
        """Held while a source is made or ends."""
        self.name = ctypes.create_string_buffer(TYPE_NAME)
        self.info = self._described()
        self.clicked = structs.Clicked(self._clicked)
        self.modified = structs.Modified(self._modified)
        self.hotkey = structs.Hotkey(self._hotkey)

    def _described(self) -> structs.SourceInfo:
        calls = {
            "get_name": structs.GetName(lambda _type: ctypes.addressof(self.name)),
            "create": structs.Create(self._create),
            "destroy": structs.Plain(self._destroy),
            "get_defaults": structs.Plain(lambda settings: self._pass_on("get_defaults", settings)),
            "get_properties": structs.GetProperties(lambda data: self._pass_on("get_properties", data)),
            "update": structs.Update(lambda data, settings: self._pass_on("update", data, settings)),
            "save": structs.Update(lambda data, settings: self._pass_on("save", data, settings)),
            "show": structs.Plain(lambda data: self._pass_on("show", data)),
            "hide": structs.Plain(lambda data: self._pass_on("hide", data)),
        }
        return structs.SourceInfo(
            TYPE_ID, structs.INPUT, structs.ASYNC_VIDEO, icon_type=structs.ICON_CAMERA, **calls
        )

    def _pass_on(self, name: str, *arguments: Optional[int]) -> Any:
        """Call a handler; nothing of Python may get out of here, for libobs called."""
        handlers = self.handlers
        handler = handlers.get(name)
        if handler is None:
            return None
        try:
            return handler(*arguments)
        except Exception as error:
            handlers["failed"](name, error)
            return None

    def _create(self, _settings: Optional[int], source: int) -> int:
        """The source itself is its data: nothing else has to be found again."""
        with self.lock:
            self.sources.add(source)
            self._pass_on("create", source)
        return source

    def _destroy(self, source: int) -> None:
        with self.lock:
            self.sources.discard(source)
            self._pass_on("destroy", source)

    def _clicked(self, _properties: int, button: int, source: int) -> bool:
        return bool(self._pass_on("clicked", source, button))

    def _modified(self, _private: Optional[int], properties: int, changed: int, settings: int) -> bool:
        return bool(self._pass_on("modified", properties, changed, settings))

    def _hotkey(self, source: int, _number: int, _hotkey: int, pressed: bool) -> None:
        if pressed:
            self._pass_on("hotkey", source)


def register(library: Library) -> Registration:
    """The type, registered with the first script that OBS loads. Raises ``LibraryError`` where another version of
    keywarp has registered it."""
    kept: Optional[Registration] = getattr(sys, _KEPT_AS, None)
    if kept is None:
        kept = Registration()
        setattr(sys, _KEPT_AS, kept)
        library.obs_register_source_s(ctypes.byref(kept.info), ctypes.sizeof(kept.info))
    elif kept.form != FORM:
        raise LibraryError("keywarp was replaced by another version while OBS ran: start OBS again")
    return kept
