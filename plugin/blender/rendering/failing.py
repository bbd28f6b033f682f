# SPDX-License-Identifier: GPL-3.0-or-later
"""A render in the background that lacked a frame ends with a status that says so.

Blender gives handlers no way to stop a render, and ends ``blender -b file.blend -a`` with status 0 whatever they say.
"""

from __future__ import annotations

import atexit
import os
import sys

import bpy

STATUS = 3


def lacking_frame(reason: str) -> None:
    """Say on the error stream why a rendered frame could not be made; in the background this process then ends
    with ``STATUS``, once it ends."""
    sys.stderr.write(f"keywarp: {reason}\n")
    sys.stderr.flush()
    if bpy.app.background:
        atexit.unregister(_end)
        atexit.register(_end)


def _end() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(STATUS)
