# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels remember while Blender runs: the search, and how expressions are applied."""

from __future__ import annotations

import bpy


class KEYWARP_PG_interface(bpy.types.PropertyGroup):
    """``WindowManager.keywarp``."""

    search: bpy.props.StringProperty(
        name="Search",
        description="Show only channels the name, group or meaning of which has all these words",
        options={"TEXTEDIT_UPDATE", "SKIP_SAVE"},
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far an expression of the menu goes from the present pose; above 1 exaggerates",
        default=1.0,
        min=0.0,
        max=2.0,
        subtype="FACTOR",
    )
    key: bpy.props.BoolProperty(
        name="Key", description="Insert keys when an expression is chosen in the menu", default=False
    )


def register() -> None:
    bpy.utils.register_class(KEYWARP_PG_interface)
    bpy.types.WindowManager.keywarp = bpy.props.PointerProperty(
        type=KEYWARP_PG_interface, name="Keywarp", description="What Keywarp's panels remember"
    )


def unregister() -> None:
    del bpy.types.WindowManager.keywarp
    bpy.utils.unregister_class(KEYWARP_PG_interface)
