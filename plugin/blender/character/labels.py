# SPDX-License-Identifier: GPL-3.0-or-later
"""What channels are called where people read them."""

from __future__ import annotations

#: What is left out of a channel's name where its group says it already.
_SAID_BY_GROUP = ("eyebrow_", "eye_", "mouth_", "driving_")
#: Names in plain words for those that are a network's axes, and short ones for those that editors would cut off.
_LABELS = {
    "iris_rotation_x": "Look Up",
    "iris_rotation_y": "Look Aside",
    "iris_small_left": "Small Iris Left",
    "iris_small_right": "Small Iris Right",
    "head_x": "Head Up",
    "head_y": "Head Turn",
    "neck_z": "Head Tilt",
    "body_y": "Body Turn",
    "body_z": "Body Lean",
    "eye_raised_lower_eyelid_left": "Lower Lid Left",
    "eye_raised_lower_eyelid_right": "Lower Lid Right",
    "mouth_lowered_corner_left": "Corner Down Left",
    "mouth_lowered_corner_right": "Corner Down Right",
    "mouth_raised_corner_left": "Corner Up Left",
    "mouth_raised_corner_right": "Corner Up Right",
}


def label(name: str) -> str:
    """A channel's name as menus, the Dope Sheet and the Graph Editor show it: ``Wink Left``."""
    if name in _LABELS:
        return _LABELS[name]
    for prefix in _SAID_BY_GROUP:
        name = name.removeprefix(prefix)
    return name.replace("_", " ").title()
