# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the mouse pointer is on the screen, asked of the system by ctypes."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Callable, Optional

Place = tuple[float, float]
"""-1 to 1, from the left edge of the screen to the right and from the lower to the upper."""


class Pointer:
    """The pointer; for one thread."""

    def __init__(self) -> None:
        makers: dict[str, Callable[[], Callable[[], Optional[Place]]]] = {"win32": _windows, "darwin": _mac}
        try:
            self._ask: Optional[Callable[[], Optional[Place]]] = makers.get(sys.platform, _x11)()
        except (OSError, AttributeError):
            self._ask = None

    @property
    def is_known(self) -> bool:
        """Whether this system tells; a Wayland desktop without X11 does not."""
        return self._ask is not None

    def place(self) -> Optional[Place]:
        return None if self._ask is None else self._ask()


def _scaled(x: float, y: float, left: float, top: float, width: float, height: float) -> Place:
    """A point of the screen, y down."""
    across = 2.0 * (x - left) / max(width, 1.0) - 1.0
    up = 1.0 - 2.0 * (y - top) / max(height, 1.0)
    return min(max(across, -1.0), 1.0), min(max(up, -1.0), 1.0)


def _windows() -> Callable[[], Optional[Place]]:
    user: Any = ctypes.CDLL("user32")

    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_long), ("y", ctypes.c_long))

    def ask() -> Optional[Place]:
        point = Point()
        if not user.GetCursorPos(ctypes.byref(point)):
            return None
        left, top, width, height = (
            user.GetSystemMetrics(number) for number in (76, 77, 78, 79)
        )  # all screens
        return _scaled(point.x, point.y, left, top, width, height)

    return ask


def _mac() -> Callable[[], Optional[Place]]:
    services: Any = ctypes.CDLL(
        "/System/Library/Frameworks/ApplicationServices.framework/ApplicationServices"
    )
    foundation: Any = ctypes.CDLL("/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation")

    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_double), ("y", ctypes.c_double))

    class Rectangle(ctypes.Structure):
        _fields_ = (("origin", Point), ("size", Point))

    services.CGEventCreate.restype, services.CGEventCreate.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    services.CGEventGetLocation.restype, services.CGEventGetLocation.argtypes = Point, [ctypes.c_void_p]
    services.CGDisplayBounds.restype, services.CGDisplayBounds.argtypes = Rectangle, [ctypes.c_uint32]
    services.CGMainDisplayID.restype = ctypes.c_uint32
    foundation.CFRelease.argtypes = [ctypes.c_void_p]

    def ask() -> Optional[Place]:
        event = services.CGEventCreate(None)
        if not event:
            return None
        point = services.CGEventGetLocation(event)
        foundation.CFRelease(event)
        bounds = services.CGDisplayBounds(services.CGMainDisplayID())
        return _scaled(point.x, point.y, bounds.origin.x, bounds.origin.y, bounds.size.x, bounds.size.y)

    return ask


def _x11() -> Callable[[], Optional[Place]]:
    x: Any = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype, x.XOpenDisplay.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    x.XDefaultRootWindow.restype, x.XDefaultRootWindow.argtypes = ctypes.c_ulong, [ctypes.c_void_p]
    x.XDefaultScreen.argtypes = [ctypes.c_void_p]
    for side in (x.XDisplayWidth, x.XDisplayHeight):
        side.argtypes = [ctypes.c_void_p, ctypes.c_int]
    x.XQueryPointer.argtypes = [ctypes.c_void_p, ctypes.c_ulong, *[ctypes.c_void_p] * 7]
    display = x.XOpenDisplay(None)  # a connection of our own, for our thread alone
    if not display:
        raise OSError("there is no X11 display")
    root, screen = x.XDefaultRootWindow(display), x.XDefaultScreen(display)
    width, height = x.XDisplayWidth(display, screen), x.XDisplayHeight(display, screen)

    def ask() -> Optional[Place]:
        windows, places, mask = (ctypes.c_ulong * 2)(), (ctypes.c_int * 4)(), ctypes.c_uint()
        at = [ctypes.byref(windows, 8 * i) for i in range(2)] + [
            ctypes.byref(places, 4 * i) for i in range(4)
        ]
        if not x.XQueryPointer(display, root, *at, ctypes.byref(mask)):
            return None
        return _scaled(places[0], places[1], 0, 0, width, height)

    return ask
