# SPDX-License-Identifier: GPL-3.0-or-later
"""keywarp's own clip files, so that whatever takes an import takes them too."""

from __future__ import annotations

from keywarp.keyframes import clip_file
from keywarp.keyframes.importers.base import Format, Imported, beginning
from keywarp.keyframes.unknown import unknown


def read(data: bytes) -> Imported:
    """The clip, without loss; raises ``KeywarpError`` for a file that is damaged."""
    clip = clip_file.parse(data)
    return Imported(clip, tuple(unknown(clip.extra, clip_file.FIELDS)))


FORMAT = Format(
    "keywarp",
    (".json",),
    "keywarp clip",
    lambda head: beginning(head)[:1] == "{" and '"keywarp_clip"' in beginning(head),
    read,
    clip_file.MAX_BYTES,
)
