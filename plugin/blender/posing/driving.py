# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that follow a driving video: *Play Video*, which keys it as it runs."""

from __future__ import annotations

from typing import Any

import bpy

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.retime import retimed
from keywarp.keyframes.spaces.driving import SPACE

from ..character.active import EditingOperator, active_character, scene_fps
from ..character.properties import has_face, name_groups
from ..clips import importing


def whole_video(frames: int, rate: float) -> Clip:
    """The video as it is, frame by frame and in full strength, at its own rate."""
    last = max(frames - 1, 1)
    curves = {
        "driving_frame": Curve.from_points([0.0, last], [0.0, frames - 1.0], "LINEAR"),
        "driving_strength": Curve.from_points([0.0], [1.0]),
    }
    return Clip(SPACE.name, curves, rate, 0.0, float(last))


class KEYWARP_OT_play_video(EditingOperator, bpy.types.Operator):
    """Key the driving video as it runs, from the current frame on and as fast as it was taken; the two keys of its
    frames are what to drag to play it faster, slower or backwards"""

    bl_idname = "keywarp.play_video"
    bl_label = "Play Video"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if has_face(active_character(context)) or not active_character(context).keywarp.video_frames:
            cls.poll_message_set("The character follows no driving video")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        thing, scene = active_character(context), context.scene
        video = whole_video(thing.keywarp.video_frames, thing.keywarp.video_rate)
        clip = retimed(video, scene_fps(scene), float(scene.frame_current))
        name_groups(thing)
        importing.write(clip, thing, importing.Wanted(None))
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        self.report({"INFO"}, f"The video plays on frames {clip.start:g} to {clip.end:g}")
        return {"FINISHED"}


def draw(layout: Any, thing: bpy.types.Object) -> None:
    """What stands below the two channels."""
    frames, rate = thing.keywarp.video_frames, thing.keywarp.video_rate
    if frames:
        layout.label(text=f"Video of {frames} frames, {rate:.6g} a second", icon="FILE_MOVIE")
    layout.operator(KEYWARP_OT_play_video.bl_idname, icon="PLAY")


CLASSES = (KEYWARP_OT_play_video,)
