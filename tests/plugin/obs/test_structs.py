# SPDX-License-Identifier: GPL-3.0-or-later
"""libobs's structures: where a C compiler puts the fields of OBS's own headers."""

from __future__ import annotations

import ctypes

import pytest

from keywarp.plugin.obs import structs


@pytest.mark.parametrize(
    ("structure", "name", "offset"),
    [
        (structs.SourceInfo, "get_name", 16),
        (structs.SourceInfo, "get_properties", 64),
        (structs.SourceInfo, "show", 96),
        (structs.SourceInfo, "save", 152),
        (structs.SourceInfo, "icon_type", 288),
        (structs.SourceFrame, "linesize", 64),
        (structs.SourceFrame, "timestamp", 104),
        (structs.SourceFrame, "format", 112),
        (structs.SourceFrame, "full_range", 180),
        (structs.SourceFrame, "max_luminance", 182),
        (structs.SourceFrame, "color_range_min", 184),
        (structs.SourceFrame, "flip", 208),
        (structs.SourceFrame, "flags", 209),
        (structs.VideoInfo, "fps_num", 8),
        (structs.VideoInfo, "base_width", 16),
    ],
)
def test_fields_are_where_libobs_has_them(structure: type[ctypes.Structure], name: str, offset: int) -> None:
    assert getattr(structure, name).offset == offset


def test_a_frame_is_as_large_as_libobs_reads() -> None:
    # 4 bytes less where a C long has 4 bytes, on Windows: the last fields are libobs's own.
    assert ctypes.sizeof(structs.SourceFrame) in (224, 232)
