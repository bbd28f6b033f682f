# SPDX-License-Identifier: GPL-3.0-or-later
"""*Record*: a face tracker, a microphone or the mouse into keys; *Calibrate*; and the settings of both."""

from __future__ import annotations

import time
from typing import Any, Optional

import bpy

from keywarp.core.engine.client import EngineError, Stream
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.settings import LiveSettings
from keywarp.keyframes.spaces.tha45 import SPACE

from .. import session
from ..character.active import EditingOperator, FaceOperator, active_character, scene_fps
from ..character.properties import face_groups
from ..idle.operators import driven_channels
from .take import Take

SOURCES = (
    ("vmc", "VMC", "VSeeFace, Warudo, VNyan, XR Animator and all that send VMC; Address: nothing, or a port"),
    ("openseeface", "OpenSeeFace", "A webcam's tracker; Address: nothing, or a port"),
    ("ifacialmocap", "iFacialMocap", "An iPhone; Address: the phone's, as the app shows it"),
    ("facemotion3d", "Facemotion3d", "An iPhone; Address: the phone's, as the app shows it"),
    ("vtubestudio", "VTube Studio", "A phone; Address: the phone's, as the app shows it"),
    (
        "mic",
        "Microphone",
        "How loud it is and which vowels it hears move the mouth; Address: nothing, or a device",
    ),
    ("mouse", "Mouse", "The character looks at the pointer"),
)
_EVERY = 1.0 / 60.0


class KEYWARP_PG_recording(bpy.types.PropertyGroup):
    """``WindowManager.keywarp_recording``."""

    source: bpy.props.EnumProperty(name="Source", description="What moves the character", items=SOURCES)
    address: bpy.props.StringProperty(
        name="Address",
        description="Where it sends, or who sends: a phone's address, a port, a microphone's name",
    )
    groups: bpy.props.EnumProperty(
        name="Channels",
        description="Groups of channels that are recorded; keys of the others stay",
        items=[(group, group, f"Record the channels of {group}") for group in face_groups()],
        options={"ENUM_FLAG"},
        default=set(face_groups()),
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="How much of a tracker's tremble is taken away",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    mirror: bpy.props.BoolProperty(
        name="Mirror", description="Left and right as you see yourself in a mirror"
    )
    error: bpy.props.FloatProperty(
        name="Error",
        description="How far the curves may be off so that there are fewer keys, as a share of a channel's range",
        default=0.5,
        min=0.0,
        max=10.0,
        precision=2,
        subtype="PERCENTAGE",
    )
    play: bpy.props.BoolProperty(
        name="Play Timeline",
        description="Play the timeline while it is recorded, to the scene's last frame; otherwise the frame stands "
        "and the recording goes on until it is ended",
        default=True,
    )


class _State:
    """The recording that is under way."""

    stream: Optional[Stream] = None
    message = ""
    ending = False
    """Whether *Keep* was pressed: the recording ends at its next step."""


def message() -> str:
    """What there is to say about the recording; "" where there is none."""
    return _State.message if _State.stream is not None else ""


def live_settings(settings: Any) -> dict[str, Any]:
    """What the engine is to follow; raises ``KeywarpError`` for an address that is none."""
    address = settings.address.strip() if settings.source != "mouse" else ""
    words = f"{settings.source}:{address}" if address else settings.source
    given = {"sources": [{"from": words}], "smoothing": settings.smoothing, "mirror": settings.mirror}
    LiveSettings.of(given)
    return given


def open_stream(thing: bpy.types.Object, settings: Any) -> Stream:
    """A stream that follows what the settings say; raises ``KeywarpError``, ``EngineError`` or ``SourceError``."""
    given = live_settings(settings)
    source = session.source_of(thing)
    stream = session.engine().stream(source.character, model=source.model, size=(16, 16))
    stream.follow(given, draw=False)
    return stream


def is_under_way() -> bool:
    """Whether something is recorded, or waited for."""
    return _State.stream is not None


class KEYWARP_OT_record(FaceOperator, EditingOperator, bpy.types.Operator):
    """Record live input into keys, from the current frame on, until Enter or Keep; Escape discards it"""

    bl_idname = "keywarp.record"
    bl_label = "Record"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        if bpy.app.background:
            cls.poll_message_set("Recording needs Blender's window")
            return False
        return super().poll(context)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        if _State.stream is not None:
            self.report({"ERROR"}, "A recording is under way")
            return {"CANCELLED"}
        thing, settings = active_character(context), context.window_manager.keywarp_recording
        driven = driven_channels(thing, recorded_channels(settings))
        if driven:
            self.report({"ERROR"}, f"A driver moves {', '.join(driven)}: remove it, or record other channels")
            return {"CANCELLED"}
        try:
            _State.stream = open_stream(thing, settings)
        except (KeywarpError, EngineError, session.SourceError) as error:
            self.report({"ERROR"}, session.in_words(str(error)))
            return {"CANCELLED"}
        self._thing = thing.name
        self._take = Take(thing, context.scene, settings.groups)
        self._first, self._began = float(context.scene.frame_current), 0.0
        self._playing = False
        self._timer = context.window_manager.event_timer_add(_EVERY, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        thing = bpy.data.objects.get(self._thing)
        if thing is None:
            self._close(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            self._close(context)
            self._take.cancel(thing)
            return {"CANCELLED"}
        if event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            return self._finish(context, thing)
        if event.type == "TIMER" and (_State.ending or self._step(context, thing)):
            return self._finish(context, thing)
        return {"PASS_THROUGH"}  # clicks too: Calibrate is pressed meanwhile

    def _step(self, context: Any, thing: bpy.types.Object) -> bool:
        """Take the newest pose; whether the timeline has come to its end."""
        report = _State.stream.live if _State.stream is not None else None
        _State.message = "The engine is being started" if report is None else report.message
        frame = self._frame(context.scene)
        over = self._playing and (frame < self._latest or frame >= context.scene.frame_end)
        if not over and self._take.add(thing, frame, report) and not self._began:
            self._begin(context)
        self._latest = frame
        words = f"Recording {self._take.seconds:.1f} s" if self._began else "Waiting"
        context.workspace.status_text_set(
            f"{words}: {_State.message}   |   Enter: keep   |   Escape: discard"
        )
        for area in context.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
        return over

    _latest = float("-inf")

    def _begin(self, context: Any) -> None:
        """The first pose is there."""
        self._began = time.monotonic()
        if context.window_manager.keywarp_recording.play and not context.screen.is_animation_playing:
            bpy.ops.screen.animation_play()
            self._playing = True

    def _frame(self, scene: bpy.types.Scene) -> float:
        """The scene's frame of this moment: where the timeline plays its own, otherwise by the clock."""
        if self._playing:
            return float(scene.frame_current_final)
        since = time.monotonic() - self._began if self._began else 0.0
        return self._first + since * scene_fps(scene)

    def _finish(self, context: Any, thing: bpy.types.Object) -> set[str]:
        self._close(context)
        error = context.window_manager.keywarp_recording.error / 100.0
        try:
            count, first, last = self._take.finish(thing, error)
        except KeywarpError as failure:
            self._take.cancel(thing)
            self.report({"WARNING"}, str(failure)[:1].upper() + str(failure)[1:])
            return {"CANCELLED"}
        context.scene.frame_set(context.scene.frame_current)
        self.report({"INFO"}, f"{count} keys on frames {first:g} to {last:g}")
        return {"FINISHED"}

    def _close(self, context: Any) -> None:
        close()
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        if self._playing and context.screen.is_animation_playing:
            bpy.ops.screen.animation_cancel(restore_frame=False)


def recorded_channels(settings: Any) -> tuple[str, ...]:
    """The channels of the groups that are chosen."""
    return tuple(channel.name for channel in SPACE.channels if channel.group in settings.groups)


class KEYWARP_OT_record_keep(bpy.types.Operator):
    """End the recording and keep it"""

    bl_idname = "keywarp.record_keep"
    bl_label = "Keep"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        return is_under_way()

    def execute(self, _context: Any) -> set[str]:
        _State.ending = True
        return {"FINISHED"}


class KEYWARP_OT_calibrate(bpy.types.Operator):
    """Make the face of this moment the neutral one: look straight ahead with a calm face"""

    bl_idname = "keywarp.calibrate"
    bl_label = "Calibrate"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if _State.stream is None:
            cls.poll_message_set("Press Record first: a face has to be seen")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        if _State.stream is not None:
            _State.stream.calibrate()
        return {"FINISHED"}


def close() -> None:
    """Follow nothing any more."""
    stream, _State.stream = _State.stream, None
    _State.message, _State.ending = "", False
    if stream is not None:
        stream.close()


_CLASSES = (KEYWARP_PG_recording, KEYWARP_OT_record, KEYWARP_OT_record_keep, KEYWARP_OT_calibrate)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.WindowManager.keywarp_recording = bpy.props.PointerProperty(
        type=KEYWARP_PG_recording, name="Recording", description="What is recorded, and how"
    )


def unregister() -> None:
    close()
    del bpy.types.WindowManager.keywarp_recording
    _unregister_classes()
