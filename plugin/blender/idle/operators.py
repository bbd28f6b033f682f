# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion as keys: what the character does by itself, baked so that it can be edited."""

from __future__ import annotations

from typing import Any

import bpy

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import fitted_curve
from keywarp.keyframes.spaces.tha45 import SPACE

from .. import compat
from ..character.active import EditingOperator, FaceOperator, active_character
from ..character.properties import channel_path, name_groups
from ..clips import exporting, fcurves
from .properties import idle_of


def driven_channels(thing: bpy.types.Object, names: tuple[str, ...]) -> list[str]:
    """Those of the channels that a driver moves, so that keys would have no effect."""
    animation = thing.animation_data
    paths = {driver.data_path for driver in animation.drivers} if animation is not None else set()
    return [name for name in names if channel_path(name) in paths]


class KEYWARP_OT_bake_idle(FaceOperator, EditingOperator, bpy.types.Operator):
    """Turn idle motion into keys, together with the keys that its channels have already, and switch it off"""

    bl_idname = "keywarp.bake_idle"
    bl_label = "Bake Idle Motion"
    bl_options = {"REGISTER", "UNDO"}

    start: bpy.props.IntProperty(name="Start", description="First frame to bake", default=1)
    end: bpy.props.IntProperty(name="End", description="Last frame to bake", default=250)
    error: bpy.props.FloatProperty(
        name="Error",
        description="How far the curves may be off so that there are fewer keys, as a share of a channel's range; "
        "0: exact on every frame",
        default=0.0,
        min=0.0,
        max=10.0,
        precision=2,
        subtype="PERCENTAGE",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not active_character(context).keywarp.idle.enabled:
            cls.poll_message_set("Switch idle motion on first")
            return False
        return True

    def invoke(self, context: Any, _event: Any) -> set[str]:
        self.start, self.end = context.scene.frame_start, context.scene.frame_end
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: Any) -> set[str]:
        thing, scene = active_character(context), context.scene
        names = idle_of(thing.keywarp.idle).channels
        driven = driven_channels(thing, names)
        if driven:
            self.report({"ERROR"}, f"A driver moves {', '.join(driven)}: remove it, then bake")
            return {"CANCELLED"}
        wanted = exporting.Wanted(float(self.start), float(self.end), samples=1, whole_pose=False)
        try:
            clip = exporting.export(thing, scene, wanted).clip
        except KeywarpError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        name_groups(thing)
        count = 0
        for name in names:
            channel = SPACE[name]
            curve = clip.curves[name]
            if self.error:
                curve = fitted_curve(curve, self.error / 100.0 * (channel.maximum - channel.minimum))
            fcurve = compat.ensure_fcurve(thing, channel_path(name), channel.group)
            if len(fcurve.keyframe_points):
                curve = fcurves.inserted(fcurves.curve_of(fcurve), curve, clip.start, clip.end)
            fcurves.write_curve(fcurve, curve)
            count += len(curve)
        thing.keywarp.idle.enabled = False
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        self.report({"INFO"}, f"{count} keys on {len(names)} channels; idle motion is off now")
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(KEYWARP_OT_bake_idle)


def unregister() -> None:
    bpy.utils.unregister_class(KEYWARP_OT_bake_idle)
