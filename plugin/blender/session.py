# SPDX-License-Identifier: GPL-3.0-or-later
"""The one engine of this Blender, its streams, and what there is to say about each character.

Nothing here holds a Blender object: characters are known by their session's number (``session_uid``), which outlives
undo, and everything can be found again after a file has been loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import bpy

from keywarp.core.engine.client import Engine, EngineError, Stream

from .character import trust
from .character.properties import has_face
from .setup import model_pack, preferences

MOST_STREAMS = {"exact": 8, "preview": 32}
"""Streams of a kind that stay open at once; the one that has waited longest is closed for another."""


@dataclass(frozen=True)
class Source:
    """What a character is made from; paths are absolute."""

    character: str
    model: Optional[str]
    video: Optional[str] = None
    """The driving video, where it is not the character's own."""


@dataclass(frozen=True)
class StreamKey:
    """Which stream: previews have one for each object (``uid``), renders share (``uid`` 0)."""

    source: Source
    uid: int
    size: tuple[int, int]
    fit: str = "contain"

    @property
    def kind(self) -> str:
        return "preview" if self.uid else "exact"


class SourceError(Exception):
    """Why a character's files cannot be read, in one sentence."""


class _State:
    engine: Optional[Engine] = None
    command: Optional[Sequence[str]] = None
    environment: Mapping[str, str] = {}
    streams: dict[StreamKey, Stream] = {}
    messages: dict[int, str] = {}
    provenance: dict[Source, dict[str, str]] = {}


def use_engine(command: Optional[Sequence[str]], environment: Optional[Mapping[str, str]] = None) -> None:
    """Start engines with this command, and these variables on top, instead of by the preferences; ``None``: by the
    preferences again."""
    if (command, environment or {}) != (_State.command, _State.environment):
        restart()
        _State.command, _State.environment = command, environment or {}


def engine_command() -> tuple[Sequence[str], Mapping[str, str]]:
    """What starts an engine, empty where none is installed, and the variables that tests add."""
    return _State.command or preferences.engine_settings().command or (), _State.environment


def engine() -> Engine:
    """The engine; nothing is started before it is asked for something."""
    if _State.engine is None:
        settings = preferences.engine_settings()
        _State.engine = Engine(
            _State.command or settings.command,
            address=settings.address,
            log=settings.log,
            device=settings.device,
            environment={**settings.environment, **_State.environment},
        )
    return _State.engine


def has_engine() -> bool:
    """Whether an engine has been asked for since Blender, or the extension, was started."""
    return _State.engine is not None


def can_start() -> bool:
    """Whether there is something to start an engine with, or one that runs already."""
    settings = preferences.engine_settings()
    return bool(_State.command or settings.command or settings.address)


def in_words(error: str) -> str:
    """What the engine's client says, with what to press in Blender where that helps."""
    if error.startswith("no engine is installed"):
        return "the engine is not installed: press Install Engine in Keywarp's preferences"
    video = re.match(r"(.*) takes its motion from a driving video", error)
    if video:
        return f"{video[1]} takes its motion from a driving video: choose one as Video in the panel Character"
    model = re.search(r"there is no model '([^'/\\]+)'", error)
    return model_pack.missing_message(model[1], preferences.version()) if model else error


def restart() -> None:
    """End the engine and all streams; the next question starts one with the settings as they are then."""
    _State.streams.clear()
    _State.provenance.clear()
    running, _State.engine = _State.engine, None
    if running is not None:
        running.close()


def stream(key: StreamKey) -> Stream:
    """The open stream for this, or a new one; rows from the bottom up, float32, premultiplied, linear."""
    found = _State.streams.pop(key, None)
    if found is None:
        source = key.source
        found = engine().stream(
            source.character, model=source.model, size=key.size, fit=key.fit, flip=True, driving=source.video
        )
        same = [other for other in _State.streams if other.kind == key.kind]
        for other in same[: len(same) + 1 - MOST_STREAMS[key.kind]]:
            _State.streams.pop(other).close()
    _State.streams[key] = found
    return found


def preview_stream(source: Source, uid: int, size: tuple[int, int]) -> Stream:
    """The object's own stream for previews, at this size from its next request on."""
    for key in [key for key in _State.streams if key.uid == uid]:
        if key.source != source:
            _State.streams.pop(key).close()
    found = stream(StreamKey(source, uid, (0, 0)))
    if found.size != size:
        found.resize(size)
    return found


def is_open(stream: Stream) -> bool:
    """Whether the stream is still ours to ask."""
    return stream in _State.streams.values()


def close_streams(kind: str = "") -> None:
    """Close every stream, or those of a kind: the memory of their frames is given back."""
    _State.provenance.clear()
    for key in [key for key in _State.streams if kind in ("", key.kind)]:
        _State.streams.pop(key).close()


def provenance(source: Source) -> dict[str, str]:
    """What frames of this say about where they came from, by keyword; nothing where the engine cannot say."""
    if source not in _State.provenance:
        try:
            answer = engine().ask("provenance", 30.0, **question(source))
        except EngineError:
            answer = {"fields": {}}  # an engine of another version, that runs already
        _State.provenance[source] = answer["fields"]
    return _State.provenance[source]


def question(source: Source) -> dict[str, Optional[str]]:
    """How the engine is asked about a source."""
    return {"character": source.character, "model": source.model, "driving": source.video}


def source_of(thing: bpy.types.Object) -> Source:
    """The object's files; raises ``SourceError`` where there are none or its user has not allowed to read them."""
    settings = thing.keywarp
    if not settings.character:
        raise SourceError("no character is chosen")
    character, model, video = _named(thing)
    for path in (character, model, video):
        named = path == model and Path(path).name == path and path != ".."
        if path and not Path(path).is_absolute() and not named:
            raise SourceError(f"{path!r} is no path that can be found from here: choose the file again")
    strange = [path for path in source_paths(thing) if not trust.is_confirmed(path)]
    if strange:
        raise SourceError(
            f"this .blend file wants to read {' and '.join(strange)}: press Allow if you trust it"
        )
    return Source(character, model or None, video or None)


def source_paths(thing: bpy.types.Object) -> list[str]:
    """The absolute paths that the object names."""
    return [path for path in _named(thing) if Path(path).is_absolute()]


def _named(thing: bpy.types.Object) -> list[str]:
    """Character, model and driving video as the object names them, absolute; "" where it names none, or where its
    model follows no video."""
    settings = thing.keywarp
    video = "" if has_face(thing) else settings.video
    return [absolute(thing, name) for name in (settings.character, settings.model, video)]


def absolute(thing: bpy.types.Object, path: str) -> str:
    """A path as the object keeps it, made absolute; the name of an installed model stays as it is."""
    if not path.startswith("//") and not Path(path).is_absolute():
        return path
    library = thing.library or (thing.override_library and thing.override_library.reference.library)
    return os.path.normpath(bpy.path.abspath(path, library=library or None))


def say(uid: int, message: str) -> None:
    """Keep why the object's frame cannot be shown; "" where it can."""
    if message:
        message = in_words(message)
        _State.messages[uid] = message[:1].upper() + message[1:]
    else:
        _State.messages.pop(uid, None)


def message(thing: Any) -> str:
    """What there is to say about the object's frame; "" where all is well."""
    return _State.messages.get(thing.original.session_uid, "")


def forget_messages() -> None:
    _State.messages.clear()


def paths_changed(thing: bpy.types.Object) -> None:
    """The user has chosen another file for this object: that is consent to read it."""
    if not thing.keywarp.is_character:
        return  # it is being made
    from .character import adding
    from .showing import live

    trust.confirm(source_paths(thing))
    say(thing.session_uid, "")
    adding.measure_later(thing)
    live.refresh(thing)


class KEYWARP_OT_allow_paths(bpy.types.Operator):
    """Allow Keywarp to read the files that this character names; remembered for this user, not in the .blend file"""

    bl_idname = "keywarp.allow_paths"
    bl_label = "Allow"
    bl_options = {"REGISTER"}

    every: bpy.props.BoolProperty(
        name="All Characters",
        description="Allow the files of every character of this .blend file, not only of the active one",
        default=False,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=560)

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.label(text="Keywarp will read:", icon="FILE_FOLDER")
        for path in self._paths(context):
            column.label(text=path)
        column.prop(self, "every")

    def execute(self, context: bpy.types.Context) -> set[str]:
        from .showing import live

        trust.confirm(self._paths(context))
        forget_messages()
        live.refresh()
        return {"FINISHED"}

    def _paths(self, context: bpy.types.Context) -> list[str]:
        from .showing import live

        things = live.characters() if self.every else [context.object]
        return [path for thing in things if thing is not None for path in source_paths(thing)]


def register() -> None:
    bpy.utils.register_class(KEYWARP_OT_allow_paths)


def unregister() -> None:
    bpy.utils.unregister_class(KEYWARP_OT_allow_paths)
    restart()
    forget_messages()
    trust.forget()
