# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings out of libobs's ``obs_data``, and their defaults into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .settings import DEFAULTS, Settings, Value

if TYPE_CHECKING:
    from .library import Library


def read(library: Library, data: int) -> Settings:
    """The settings that an ``obs_data`` holds."""

    def value(name: str, default: Value) -> Value:
        key = name.encode()
        if isinstance(default, bool):
            return bool(library.obs_data_get_bool(data, key))
        if isinstance(default, int):
            return int(library.obs_data_get_int(data, key))
        if isinstance(default, float):
            return float(library.obs_data_get_double(data, key))
        return library.text(library.obs_data_get_string(data, key))

    return Settings.read(value)


def write_neutral(library: Library, data: int, faces: Mapping[str, Any]) -> None:
    """Keep calibrated faces, by the words of their trackers."""
    library.obs_data_set_string(data, b"neutral", json.dumps(faces).encode())


def set_defaults(library: Library, data: int) -> None:
    """What each setting is until a person changes it."""
    for name, default in DEFAULTS.items():
        key = name.encode()
        if isinstance(default, bool):
            library.obs_data_set_default_bool(data, key, default)
        elif isinstance(default, int):
            library.obs_data_set_default_int(data, key, default)
        elif isinstance(default, float):
            library.obs_data_set_default_double(data, key, default)
        else:
            library.obs_data_set_default_string(data, key, default.encode())
