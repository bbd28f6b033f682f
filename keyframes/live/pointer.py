# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the mouse's pointer is on the screen, as the system says."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from functools import lru_cache
from typing import Any, Callable, Optional

Place = tuple[float, float]
"""-1 to 1 from the screen's left edge to the right and from the lower to the upper."""


def pointer() -> Optional[Place]:
    """The pointer's place on the main screen; ``None`` where the system does not tell (no screen, Wayland)."""
    try:
        found = _asker()()
    except (OSError, AttributeError):
        return None
    if found is None:
        return None
    x, y, width, height = found
    if width <= 1 or height <= 1:
        return None
    return 2.0 * x / (width - 1) - 1.0, 1.0 - 2.0 * y / (height - 1)


@lru_cache(maxsize=1)
def _asker() -> Callable[[], Optional[tuple[float, float, float, float]]]:
    """What asks for the pointer's x and y and for the screen's width and height; raises ``OSError`` or
    ``AttributeError`` where the system's library is missing."""
    if sys.platform == "win32":
        return _windows
    return _macos() if sys.platform == "darwin" else _x11()


def _windows() -> Optional[tuple[float, float, float, float]]:
    """GetCursorPos and GetSystemMetrics (winuser.h)."""
    user: Any = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]
    place = (ctypes.c_long * 2)()
    if not user.GetCursorPos(ctypes.byref(place)):
        return None
    return place[0], place[1], user.GetSystemMetrics(0), user.GetSystemMetrics(1)


class _Pair(ctypes.Structure):
    _fields_ = (("x", ctypes.c_double), ("y", ctypes.c_double))


class _Rectangle(ctypes.Structure):
    _fields_ = (("origin", _Pair), ("size", _Pair))


def _macos() -> Callable[[], Optional[tuple[float, float, float, float]]]:
    """CGEventGetLocation and CGDisplayBounds (CoreGraphics)."""
    library = ctypes.CDLL("/System/Library/Frameworks/ApplicationServices.framework/ApplicationServices")
    library.CGEventCreate.restype = ctypes.c_void_p
    library.CGEventCreate.argtypes = library.CGEventGetLocation.argtypes = [ctypes.c_void_p]
    library.CGEventGetLocation.restype = _Pair
    library.CFRelease.argtypes = [ctypes.c_void_p]
    library.CGDisplayBounds.restype = _Rectangle
    library.CGDisplayBounds.argtypes = [ctypes.c_uint32]

    def ask() -> Optional[tuple[float, float, float, float]]:
        event = library.CGEventCreate(None)
        if not event:
            return None
        place = library.CGEventGetLocation(event)
        library.CFRelease(event)
        screen = library.CGDisplayBounds(library.CGMainDisplayID())
        return place.x - screen.origin.x, place.y - screen.origin.y, screen.size.x, screen.size.y

    return ask


def _x11() -> Callable[[], Optional[tuple[float, float, float, float]]]:
    """XQueryPointer (Xlib)."""
    library = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    library.XOpenDisplay.restype = ctypes.c_void_p
    library.XOpenDisplay.argtypes = [ctypes.c_char_p]
    library.XDefaultRootWindow.restype = ctypes.c_ulong
    library.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
    for name in ("XDisplayWidth", "XDisplayHeight"):
        getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_int]
    windows, numbers = ctypes.POINTER(ctypes.c_ulong), ctypes.POINTER(ctypes.c_int)
    library.XQueryPointer.argtypes = [
        *(ctypes.c_void_p, ctypes.c_ulong, windows, windows),
        *(numbers, numbers, numbers, numbers, ctypes.POINTER(ctypes.c_uint)),
    ]
    display = library.XOpenDisplay(None)
    if not display:
        raise OSError("there is no X display")
    root = library.XDefaultRootWindow(display)

    def ask() -> Optional[tuple[float, float, float, float]]:
        top, child, mask = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        x, y, inner_x, inner_y = (ctypes.c_int() for _ in range(4))
        pairs = (top, child, x, y, inner_x, inner_y, mask)
        if not library.XQueryPointer(display, root, *map(ctypes.byref, pairs)):
            return None
        return x.value, y.value, library.XDisplayWidth(display, 0), library.XDisplayHeight(display, 0)

    return ask
