# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as actions that are assets: made from values, and read back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import bpy
import numpy as np
import numpy.typing as npt

from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces.tha45 import SPACE

from .. import compat
from ..character.properties import channel_path
from ..clips import fcurves

#: The tag by which our asset shelf knows poses.
TAG = "Keywarp"
_CATALOGS = uuid.UUID("6f1d0e0c-5f0b-4c67-9d0e-6b6579776172")

Picture = npt.NDArray[np.float32]
"""(h, w, 4): sRGB, straight alpha, rows from the bottom up."""


def catalog_id(group: str) -> str:
    """The catalog of a group of expressions, the same in every library."""
    return str(uuid.uuid5(_CATALOGS, group))


def new_pose_action(
    name: str, values: Mapping[str, float], description: str, picture: Optional[Picture]
) -> Any:
    """An action asset with one key for each channel of ``values``."""
    action, owner = compat.new_action(name, "OBJECT")
    for channel, value in values.items():
        curve = owner.fcurves.new(channel_path(channel))
        group = SPACE[channel].group
        curve.group = owner.groups.get(group) or owner.groups.new(group)
        fcurves.write_curve(curve, Curve([Key(1.0, value)]))
    action.asset_mark()
    action.asset_data.tags.new(TAG, skip_if_exists=True)
    action.asset_data.description = description
    if picture is not None:
        preview = action.preview_ensure()
        preview.image_size = picture.shape[1], picture.shape[0]
        preview.image_pixels_float.foreach_set(np.ascontiguousarray(picture).ravel())
    return action


def values_of(action: Any) -> dict[str, float]:
    """The channels that an action poses, at its first frame."""
    names = {channel_path(name): name for name in SPACE.names}
    first = action.frame_range[0]
    return {
        names[c.data_path]: c.evaluate(first) for c in compat.action_fcurves(action) if c.data_path in names
    }


def values_of_asset(asset: Any) -> dict[str, float]:
    """The channels that a pose asset poses, wherever it lies; raises ``KeywarpError`` where it is none."""
    if asset is None or asset.id_type != "ACTION":
        raise KeywarpError("choose a pose asset first")
    values = (
        values_of(asset.local_id)
        if asset.local_id is not None
        else _values_in(asset.full_library_path, asset.name)
    )
    if not values:
        raise KeywarpError(f"the action {asset.name} poses no channel of a Keywarp character")
    return values


def _values_in(path: str, name: str) -> dict[str, float]:
    known = {library.filepath for library in bpy.data.libraries}
    try:
        with bpy.data.libraries.load(path, link=True) as (there, wanted):
            wanted.actions = [each for each in there.actions if each == name]
    except OSError:
        raise KeywarpError(f"{Path(path).name}: the library of the pose {name} cannot be read") from None
    if not wanted.actions:
        raise KeywarpError(f"{Path(path).name} has no pose named {name}")
    action = wanted.actions[0]
    values = values_of(action)
    library = action.library
    if not action.users:
        bpy.data.actions.remove(action)
    if library is not None and library.filepath not in known:
        bpy.data.libraries.remove(library)
    return values
