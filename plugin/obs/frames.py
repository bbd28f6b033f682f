# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames from the engine's memory to libobs, without a copy in Python."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import structs
from .data import read, write_neutral

if TYPE_CHECKING:
    from keywarp.core.engine.client import Frame

    from .library import Library
    from .settings import Settings

PIXELS = "bgra8_srgb"
"""What frames have to be: 8 bit, sRGB, straight alpha."""


class Output:
    """Where one source's frames go, until it ends; for any thread."""

    def __init__(self, library: Library, source: int) -> None:
        self._library, self._source = library, source
        self._lock = threading.Lock()
        self._open, self._name = True, ""
        library.obs_source_set_async_unbuffered(source, True)  # the newest frame at once

    def show(self, frame: Frame) -> bool:
        """Hand the frame over; libobs copies it. ``False`` where the engine wrote over it meanwhile."""
        pixels = (ctypes.c_ubyte * len(frame.pixels)).from_buffer(frame.pixels)
        shown = structs.SourceFrame(
            width=frame.width,
            height=frame.height,
            format=structs.FORMAT_BGRA,
            full_range=True,
            flags=structs.LINEAR_ALPHA,
        )
        shown.data[0] = ctypes.addressof(pixels)
        shown.linesize[0] = frame.stride
        with self._lock:
            if self._open:
                shown.timestamp = self._library.obs_get_video_frame_time()
                self._library.obs_source_output_video(self._source, ctypes.byref(shown))
        del pixels  # which keeps the frame's memory from being released
        return frame.intact

    @property
    def name(self) -> str:
        """The source's name in OBS."""
        with self._lock:
            if self._open:
                self._name = self._library.text(self._library.obs_source_get_name(self._source))
        return self._name

    def canvas(self) -> tuple[int, int, float]:
        """See ``Library.video``."""
        return self._library.video()

    def settings(self) -> Settings:
        """The source's settings as they are."""
        data = self._library.obs_source_get_settings(self._source)
        try:
            return read(self._library, data)
        finally:
            self._library.obs_data_release(data)

    def keep_neutral(self, faces: Mapping[str, Any]) -> None:
        """Write calibrated faces into the source's settings."""
        if faces:
            data = self._library.obs_source_get_settings(self._source)
            write_neutral(self._library, data, faces)
            self._library.obs_data_release(data)

    def news(self) -> None:
        """Have the source's properties window, if it is open, drawn anew."""
        with self._lock:
            if self._open:
                self._library.obs_source_update_properties(self._source)

    def clear(self) -> None:
        """Show nothing."""
        with self._lock:
            if self._open:
                self._library.obs_source_output_video(self._source, None)

    def close(self) -> None:
        """Nothing is handed over after this has returned; libobs may free the source."""
        with self._lock:
            self._open = False
