# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters for checks that need no frames: objects with the channels, and what they show."""

from __future__ import annotations

import bpy

from keywarp.plugin.blender.character.properties import name_groups, pose_of
from keywarp.plugin.blender.expressions import library as pose_library


def figure(name="Figure"):
    """A new character, active and selected, that names no files."""
    thing = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(thing)
    thing.keywarp.is_character = True
    name_groups(thing)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    return thing


def values_at(thing, frame):
    """Every channel at a frame or subframe, as Blender evaluates it."""
    whole = int(frame // 1)
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    return pose_of(thing, bpy.context.evaluated_depsgraph_get())


def failed(operator, *where, **settings):
    """What an operator that must fail reports."""
    try:
        result = operator(*where, **settings)
    except RuntimeError as error:
        text = str(error)
        assert text.startswith("Error: ") and len(text.splitlines()) == 1, text
        return text
    raise AssertionError(f"it ended with {result}")


def refused(operator, **settings):
    """Why an operator that must not be offered is not."""
    try:
        result = operator(**settings)
    except RuntimeError as error:
        assert "poll" in str(error), error
        return str(error)
    raise AssertionError(f"it ended with {result}")


def library_actions():
    """The pose assets of the library that *Create Pose Library* has written, appended to this file."""
    path = pose_library.folder() / pose_library.FILE
    with bpy.data.libraries.load(str(path), assets_only=True) as (there, wanted):
        wanted.actions = there.actions
    return {action.name: action for action in wanted.actions}
