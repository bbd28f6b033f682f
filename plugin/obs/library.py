# SPDX-License-Identifier: GPL-3.0-or-later
"""libobs, found in the running OBS, and its functions with their types.

Nothing is loaded that OBS has not loaded itself. Calls go through ctypes, not through ``obspython``: ctypes lets
other Python threads run meanwhile, so that OBS never waits for a lock whose holder waits for Python.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, Callable, Optional

from . import structs
from .structs import Pointer

NAMES: dict[str, tuple[Optional[str], ...]] = {
    "linux": (None, "libobs.so.30", "libobs.so.0"),
    "darwin": (
        None,
        "libobs.framework/Versions/A/libobs",
        "@executable_path/../Frameworks/libobs.framework/libobs",
    ),
    "win32": ("obs.dll",),
}
"""Where libobs is by ``sys.platform``; ``None``: among what the program itself has loaded."""

_TEXT, _BOOL, _INT, _DOUBLE = ctypes.c_char_p, ctypes.c_bool, ctypes.c_int, ctypes.c_double

FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "obs_get_version": (ctypes.c_uint32, ()),
    "obs_get_version_string": (_TEXT, ()),
    "obs_register_source_s": (None, (Pointer, ctypes.c_size_t)),
    "obs_get_video_frame_time": (ctypes.c_uint64, ()),
    "obs_get_video_info": (_BOOL, (Pointer,)),
    # sources
    "obs_source_output_video": (None, (Pointer, Pointer)),
    "obs_source_set_async_unbuffered": (None, (Pointer, _BOOL)),
    "obs_source_get_settings": (Pointer, (Pointer,)),
    "obs_source_get_name": (_TEXT, (Pointer,)),
    "obs_source_showing": (_BOOL, (Pointer,)),
    "obs_source_update_properties": (None, (Pointer,)),
    "obs_hotkey_register_source": (ctypes.c_size_t, (Pointer, _TEXT, _TEXT, structs.Hotkey, Pointer)),
    # settings
    "obs_data_release": (None, (Pointer,)),
    "obs_data_get_string": (_TEXT, (Pointer, _TEXT)),
    "obs_data_get_int": (ctypes.c_longlong, (Pointer, _TEXT)),
    "obs_data_get_double": (_DOUBLE, (Pointer, _TEXT)),
    "obs_data_get_bool": (_BOOL, (Pointer, _TEXT)),
    "obs_data_set_string": (None, (Pointer, _TEXT, _TEXT)),
    "obs_data_set_default_string": (None, (Pointer, _TEXT, _TEXT)),
    "obs_data_set_default_int": (None, (Pointer, _TEXT, ctypes.c_longlong)),
    "obs_data_set_default_double": (None, (Pointer, _TEXT, _DOUBLE)),
    "obs_data_set_default_bool": (None, (Pointer, _TEXT, _BOOL)),
    # the properties window
    "obs_properties_create": (Pointer, ()),
    "obs_properties_get": (Pointer, (Pointer, _TEXT)),
    "obs_properties_add_bool": (Pointer, (Pointer, _TEXT, _TEXT)),
    "obs_properties_add_int": (Pointer, (Pointer, _TEXT, _TEXT, _INT, _INT, _INT)),
    "obs_properties_add_float_slider": (Pointer, (Pointer, _TEXT, _TEXT, _DOUBLE, _DOUBLE, _DOUBLE)),
    "obs_properties_add_text": (Pointer, (Pointer, _TEXT, _TEXT, _INT)),
    "obs_properties_add_path": (Pointer, (Pointer, _TEXT, _TEXT, _INT, _TEXT, _TEXT)),
    "obs_properties_add_list": (Pointer, (Pointer, _TEXT, _TEXT, _INT, _INT)),
    "obs_properties_add_color": (Pointer, (Pointer, _TEXT, _TEXT)),
    "obs_properties_add_button2": (Pointer, (Pointer, _TEXT, _TEXT, structs.Clicked, Pointer)),
    "obs_properties_add_group": (Pointer, (Pointer, _TEXT, _TEXT, _INT, Pointer)),
    "obs_property_name": (_TEXT, (Pointer,)),
    "obs_property_list_add_string": (ctypes.c_size_t, (Pointer, _TEXT, _TEXT)),
    "obs_property_set_modified_callback2": (None, (Pointer, structs.Modified, Pointer)),
    "obs_property_set_visible": (None, (Pointer, _BOOL)),
    "obs_property_set_long_description": (None, (Pointer, _TEXT)),
    "obs_property_int_set_suffix": (None, (Pointer, _TEXT)),
    "obs_property_text_set_info_type": (None, (Pointer, _INT)),
    "obs_property_text_set_info_word_wrap": (None, (Pointer, _BOOL)),
}
"""What is called, by name: the result's type, and the arguments'."""


class LibraryError(Exception):
    """Why libobs cannot be used, in one sentence."""


def _loaded(name: Optional[str]) -> Any:
    """A library that this program has loaded already, never another one; raises ``OSError``."""
    if sys.platform == "win32":
        system = ctypes.WinDLL("kernel32")
        system.GetModuleHandleW.restype, system.GetModuleHandleW.argtypes = Pointer, [ctypes.c_wchar_p]
        handle = system.GetModuleHandleW(name)
        if not handle:
            raise OSError(f"{name} is not loaded")
        return ctypes.CDLL(name, handle=handle)
    return ctypes.CDLL(name, mode=ctypes.DEFAULT_MODE | (os.RTLD_NOLOAD if name else 0))


class Library:
    """libobs's functions as attributes; text goes in and comes out as bytes (UTF-8)."""

    def __init__(self, platform: str = sys.platform, load: Callable[[Optional[str]], Any] = _loaded) -> None:
        """Raises ``LibraryError`` where this is no OBS, or one whose structures are not known."""
        self._handle = _found(platform, load)
        version = self._typed("obs_get_version")()
        self.major: int = version >> 24
        """OBS's version, the first part of it."""
        if not structs.FIRST_VERSION <= self.major <= structs.LAST_VERSION:
            whole = f"{version >> 24}.{version >> 16 & 0xFF}.{version & 0xFFFF}"
            raise LibraryError(
                f"this is OBS {whole}, and this version of keywarp knows OBS {structs.FIRST_VERSION} to "
                f"{structs.LAST_VERSION}: install a keywarp that knows it"
            )
        for name in FUNCTIONS:
            setattr(self, name, self._typed(name))

    def _typed(self, name: str) -> Any:
        try:
            function = getattr(self._handle, name)
        except AttributeError:
            raise LibraryError(f"this OBS has no {name}, which keywarp's source needs") from None
        function.restype, function.argtypes = FUNCTIONS[name]
        return function

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # for type checkers: the functions are set one by one

    @staticmethod
    def text(value: Optional[bytes]) -> str:
        """A string of libobs's."""
        return (value or b"").decode("utf-8", "replace")

    def video(self) -> tuple[int, int, float]:
        """Width and height of OBS's canvas, and its frames per second; zeros while it has no video."""
        info = structs.VideoInfo()
        if not self.obs_get_video_info(ctypes.byref(info)):
            return 0, 0, 0.0
        return info.base_width, info.base_height, info.fps_num / max(info.fps_den, 1)


def _found(platform: str, load: Callable[[Optional[str]], Any]) -> Any:
    """The loaded library that has libobs's functions."""
    for name in NAMES.get(platform, (None,)):
        try:
            handle = load(name)
        except OSError:
            continue
        if hasattr(handle, "obs_register_source_s"):
            return handle
    raise LibraryError(
        "libobs is not to be found in this program: add this script in OBS under Tools > Scripts"
    )
