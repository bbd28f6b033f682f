# SPDX-License-Identifier: GPL-3.0-or-later
"""libobs's structures and numbers, as far as an asynchronous video source needs them.

They are those of libobs/obs-source.h, obs.h, obs-properties.h and media-io/video-io.h. From OBS 28 to 32 they have
one layout: later versions only appended to ``obs_source_info``, of which ``obs_register_source_s`` reads as many
bytes as it is told, and filled a gap in ``obs_source_frame`` that was padding.
"""

from __future__ import annotations

import ctypes
from typing import Any

FIRST_VERSION, LAST_VERSION = 28, 32
"""The OBS versions whose structures these are."""

INPUT = 0
"""``enum obs_source_type``: what stands in the Add Source menu."""
ASYNC_VIDEO = 1 << 0 | 1 << 2
"""``obs_source_info.output_flags``: frames are handed over from any thread."""
ICON_CAMERA = 9
FORMAT_BGRA = 7
LINEAR_ALPHA = 1 << 0
"""``obs_source_frame.flags``: alpha is coverage, to be blended in linear light. Without it OBS imitates blending of
encoded values, which darkens or lightens outlines."""

PATH_FILE, PATH_DIRECTORY = 0, 2
TEXT_DEFAULT, TEXT_INFO = 0, 3
INFO_NORMAL, INFO_WARNING, INFO_ERROR = 0, 1, 2
COMBO_EDITABLE, COMBO_LIST = 1, 2
FORMAT_STRING = 3
GROUP_NORMAL, GROUP_CHECKABLE = 1, 2

Pointer = ctypes.c_void_p

GetName = ctypes.CFUNCTYPE(Pointer, Pointer)
Create = ctypes.CFUNCTYPE(Pointer, Pointer, Pointer)
Plain = ctypes.CFUNCTYPE(None, Pointer)
"""(source), or (settings) of ``get_defaults``."""
GetProperties = ctypes.CFUNCTYPE(Pointer, Pointer)
Update = ctypes.CFUNCTYPE(None, Pointer, Pointer)
"""(source, settings)."""
Clicked = ctypes.CFUNCTYPE(ctypes.c_bool, Pointer, Pointer, Pointer)
"""(properties, property, data): whether the window is to be drawn anew."""
Modified = ctypes.CFUNCTYPE(ctypes.c_bool, Pointer, Pointer, Pointer, Pointer)
"""(private, properties, property, settings): the same."""
Hotkey = ctypes.CFUNCTYPE(None, Pointer, ctypes.c_size_t, Pointer, ctypes.c_bool)
"""(data, number, hotkey, pressed)."""

_TYPES: dict[str, Any] = {
    "id": ctypes.c_char_p,
    "type": ctypes.c_int,
    "output_flags": ctypes.c_uint32,
    "get_name": GetName,
    "create": Create,
    "destroy": Plain,
    "get_defaults": Plain,
    "get_properties": GetProperties,
    "update": Update,
    "show": Plain,
    "hide": Plain,
    "save": Update,
    "icon_type": ctypes.c_int,
}
"""Of the fields that are used; the others are addresses of functions."""
_FIELDS = """
    id type output_flags get_name create destroy get_width get_height get_defaults get_properties update
    activate deactivate show hide video_tick video_render filter_video filter_audio enum_active_sources save load
    mouse_click mouse_move mouse_wheel focus key_click filter_remove type_data free_type_data audio_render
    enum_all_sources transition_start transition_stop get_defaults2 get_properties2 audio_mix icon_type
"""


class SourceInfo(ctypes.Structure):
    """``obs_source_info`` up to the icon; what stays empty is not called."""

    _fields_ = tuple((name, _TYPES.get(name, Pointer)) for name in _FIELDS.split())


class SourceFrame(ctypes.Structure):
    """``obs_source_frame``: libobs copies what it points to before ``obs_source_output_video`` returns."""

    _fields_ = (
        ("data", Pointer * 8),
        ("linesize", ctypes.c_uint32 * 8),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint64),
        ("format", ctypes.c_int),
        ("color_matrix", ctypes.c_float * 16),
        ("full_range", ctypes.c_bool),
        ("max_luminance", ctypes.c_uint16),
        ("color_range_min", ctypes.c_float * 3),
        ("color_range_max", ctypes.c_float * 3),
        ("flip", ctypes.c_bool),
        ("flags", ctypes.c_uint8),
        ("trc", ctypes.c_uint8),
        ("refs", ctypes.c_long),
        ("prev_frame", ctypes.c_bool),
    )


class VideoInfo(ctypes.Structure):
    """The beginning of ``obs_video_info``, and room for its rest."""

    _fields_ = (
        ("graphics_module", ctypes.c_char_p),
        ("fps_num", ctypes.c_uint32),
        ("fps_den", ctypes.c_uint32),
        ("base_width", ctypes.c_uint32),
        ("base_height", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 256),
    )
