# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of pose assets, which the engine makes of the character."""

from __future__ import annotations

import bpy
import numpy as np
from blender_side import CHARACTER
from figures import library_actions

from keywarp.plugin.blender.expressions import portraits


def check_pose_assets_show_the_characters_face():
    assert bpy.ops.keywarp.add_character(filepath=str(CHARACTER / "character_model.yaml")) == {"FINISHED"}
    assert bpy.ops.keywarp.make_pose_library() == {"FINISHED"}
    actions = library_actions()
    pictures = {}
    for name, action in actions.items():
        assert tuple(action.preview.image_size) == (portraits.SIDE, portraits.SIDE), name
        pixels = np.empty(portraits.SIDE**2 * 4, np.float32)
        action.preview.image_pixels_float.foreach_get(pixels)
        pictures[name] = pixels
    assert pictures["Anger"].std() > 0.01
    assert np.abs(pictures["Anger"] - pictures["Joy"]).max() > 0.02
