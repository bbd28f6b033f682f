# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene settings that change how pictures look, and those that renders with live images need."""

from __future__ import annotations

from typing import Any

import bpy

#: What Blender's factory scene has, under which pictures come out washed out and opaque.
FACTORY_TRANSFORM = "AgX"
STANDARD = "Standard"

#: Names of scenes whose persistent data was turned off for the render that is under way.
_suspended: list[str] = []


def has_factory_look(scene: bpy.types.Scene) -> bool:
    """Whether colour management and film are still as Blender's factory settings have them."""
    view = scene.view_settings
    return (
        view.view_transform == FACTORY_TRANSFORM
        and view.look == "None"
        and view.exposure == 0.0
        and view.gamma == 1.0
        and not view.use_curve_mapping
        and not scene.render.film_transparent
    )


def show_pictures_as_they_are(scene: bpy.types.Scene) -> list[str]:
    """View transform Standard without a look, transparent film, no dither; what was changed, in words."""
    view, render = scene.view_settings, scene.render
    changed = []
    for holder, name, value, words in (
        (view, "view_transform", STANDARD, "view transform Standard"),
        (view, "look", "None", "no look"),
        (view, "exposure", 0.0, "exposure 0"),
        (view, "gamma", 1.0, "gamma 1"),
        (view, "use_curve_mapping", False, "no view curves"),
        (render, "film_transparent", True, "transparent film"),
        (render, "dither_intensity", 0.0, "no dither"),
    ):
        if getattr(holder, name) != value:
            setattr(holder, name, value)
            changed.append(words)
    return changed


def prepare_for_live_images(scene: bpy.types.Scene) -> list[str]:
    """Lock the interface during renders, which write the live image from another thread; what was changed."""
    if scene.render.use_lock_interface:
        return []
    scene.render.use_lock_interface = True
    return ["interface locked while rendering"]


def warning(scene: bpy.types.Scene) -> str:
    """What in the scene's settings changes how characters look in renders, in one sentence; "" where nothing does."""
    view = scene.view_settings
    faults = []
    if view.view_transform not in (STANDARD, "Raw"):
        faults.append(f"the view transform {view.view_transform} changes the picture's colours")
    elif view.look != "None" or view.exposure or view.gamma != 1.0 or view.use_curve_mapping:
        faults.append(
            "the look, exposure, gamma or curves of the colour management change the picture's colours"
        )
    if not scene.render.film_transparent:
        faults.append("the film is not transparent, so that renders have no alpha")
    if not scene.render.use_lock_interface and any(thing.keywarp.is_character for thing in scene.objects):
        faults.append("the interface is not locked while rendering, which can crash Blender")
    sentence = ", and ".join(faults)
    return sentence[:1].upper() + sentence[1:]


def before_render() -> None:
    """Turn persistent data off for this render: Cycles would show a live image's first frame for ever."""
    for scene in bpy.data.scenes:
        if scene.render.use_persistent_data and scene.is_editable:
            scene.render.use_persistent_data = False
            _suspended.append(scene.name)


def after_render() -> None:
    """Turn persistent data on again where ``before_render`` turned it off."""
    while _suspended:
        scene = bpy.data.scenes.get(_suspended.pop())
        if scene is not None:
            scene.render.use_persistent_data = True


class KEYWARP_OT_fix_scene(bpy.types.Operator):
    """Set the view transform Standard, a transparent film and a locked interface, so that renders show the picture's
    own colours, have alpha and are safe"""

    bl_idname = "keywarp.fix_scene"
    bl_label = "Show Pictures As They Are"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        changed = show_pictures_as_they_are(context.scene) + prepare_for_live_images(context.scene)
        if not changed:
            self.report({"INFO"}, "Nothing had to be changed")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Set {', '.join(changed)}")
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(KEYWARP_OT_fix_scene)


def unregister() -> None:
    after_render()
    bpy.utils.unregister_class(KEYWARP_OT_fix_scene)
