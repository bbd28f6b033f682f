# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual: a page for each panel, opened from the panels and by Blender's own *Online Manual* entry.

The pages come with the extension (``install/manual.py`` makes them from docs/blender.md), so they suit its version
and need no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

FOLDER = Path(__file__).parents[1] / "manual_pages"

PAGES = (
    ("bpy.types.keywarp_pg_pose*", "pose"),
    ("bpy.types.keywarp_pg_idle*", "idle-motion"),
    ("bpy.types.keywarp_pg_scene*", "rendering"),
    ("bpy.types.keywarp_pg_interface*", "expressions"),
    ("bpy.types.keywarppreferences*", "preferences"),
    ("bpy.ops.keywarp.install_*", "preferences"),
    ("bpy.ops.keywarp.remove_engine", "preferences"),
    ("bpy.ops.keywarp.clear_cache", "preferences"),
    ("bpy.ops.keywarp.*idle*", "idle-motion"),
    ("bpy.ops.keywarp.*expression*", "expressions"),
    ("bpy.ops.keywarp.*pose_library*", "expressions"),
    ("bpy.ops.keywarp.*asset*", "expressions"),
    ("bpy.ops.keywarp.*clip*", "clips"),
    ("bpy.ops.keywarp.*render*", "rendering"),
    ("bpy.ops.keywarp.*bake*", "rendering"),
    ("bpy.ops.keywarp.add_to_*", "rendering"),
    ("bpy.ops.keywarp.add_*strip", "rendering"),
    ("bpy.ops.keywarp.*pose*", "pose"),
    ("bpy.ops.keywarp.*key*", "pose"),
    ("bpy.ops.keywarp.play_video", "pose"),
    ("bpy.ops.keywarp*", "character"),
    ("bpy.types.keywarp_pg_character*", "character"),
)
"""Which page stands behind what is right-clicked; the first pattern that fits counts."""


def address(page: str) -> str:
    """A page's address; in a checkout of the sources that of the text which pages are made from."""
    path = FOLDER / f"{page}.html"
    if not path.is_file():
        path = Path(__file__).resolve().parents[3] / "docs" / "blender.md"
    return path.as_uri()


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """What Blender's *Online Manual* looks things up in."""
    return f"{FOLDER.as_uri()}/", tuple((pattern, f"{page}.html") for pattern, page in PAGES)


class KEYWARP_OT_manual(bpy.types.Operator):
    """Open Keywarp's manual at the page for this panel"""

    bl_idname = "keywarp.manual"
    bl_label = "Manual"
    bl_options = {"INTERNAL"}

    page: bpy.props.StringProperty(
        name="Page", description="Name of the page", default="index", options={"SKIP_SAVE"}
    )

    def execute(self, _context: Any) -> set[str]:
        return bpy.ops.wm.url_open(url=address(self.page))


def register() -> None:
    bpy.utils.register_class(KEYWARP_OT_manual)
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    bpy.utils.unregister_manual_map(manual_map)
    bpy.utils.unregister_class(KEYWARP_OT_manual)
