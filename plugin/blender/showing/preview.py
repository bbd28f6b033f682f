# SPDX-License-Identifier: GPL-3.0-or-later
"""Live images while somebody works: shown from the cache or asked for, never waited for longer than a moment.

A change asks the engine for the newest pose and waits ``PATIENCE`` at most; what comes later is shown by a timer, and
what a newer pose has overtaken is dropped by the engine.
"""

from __future__ import annotations

import time
from typing import Any, Optional

import bpy

from keywarp.core.engine.client import EngineError, Frame, Stream

from .. import session
from ..character.shots import PREVIEW_HEIGHT, Shot
from ..setup import preferences
from . import cache_bar, pixels, zoom
from .frame_cache import FrameCache

PATIENCE = 0.015
"""Seconds that all characters together may take before the interface goes on."""
BEAT = 1 / 60
"""Seconds between two looks for frames that are on their way."""
MEGABYTE = 1 << 20
_REDRAWN = {"VIEW_3D", "IMAGE_EDITOR", "NODE_EDITOR", "SEQUENCE_EDITOR", "DOPESHEET_EDITOR", "PROPERTIES"}


class _Asked:
    """What one object's preview stream has been asked for and has not given."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.shots: dict[int, Shot] = {}
        newest = stream.newest()
        self.shown = -1 if newest is None else newest.number
        """The number of the newest frame that was shown, or passed over."""


class _State:
    cache = FrameCache(512 * MEGABYTE)
    asked: dict[int, _Asked] = {}
    shown: dict[int, Shot] = {}


def height(thing: bpy.types.Object) -> int:
    """Rows of the object's preview."""
    settings = thing.keywarp
    if settings.preview_mode == "FIXED":
        return int(min(settings.preview_size, settings.size))
    return int(min(zoom.height(thing.session_uid, PREVIEW_HEIGHT), settings.size))


def show(scene: bpy.types.Scene, wanted: list[tuple[bpy.types.Object, Shot]], shown: dict[int, Shot]) -> None:
    """Show these from the cache, or ask for them; ``shown`` keeps what each image shows."""
    _State.shown = shown
    cache_bar.mark(scene, [shot for _, shot in wanted])
    waiting = [thing for thing, shot in wanted if not _from_cache(thing, shot) and _ask(thing, shot)]
    until = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < until:
        waiting = [thing for thing in waiting if not _collect(thing)]
        if waiting:
            time.sleep(0.001)
    if waiting and not bpy.app.timers.is_registered(_pump):
        bpy.app.timers.register(_pump, first_interval=BEAT, persistent=True)
    watch()


def _from_cache(thing: bpy.types.Object, shot: Shot) -> bool:
    """Show the shot if it is there already; then nothing older may come after it."""
    uid = thing.session_uid
    image = thing.keywarp.image
    if _State.shown.get(uid) != shot or tuple(image.size) != shot.size:
        values = _State.cache.get(shot)
        if values is None:
            return False
        pixels.put(image, shot.size, values)
        _State.shown[uid] = shot
    _State.asked.pop(uid, None)
    session.say(uid, "")
    return True


def _ask(thing: bpy.types.Object, shot: Shot) -> bool:
    uid = thing.session_uid
    try:
        stream = session.preview_stream(shot.source, uid, shot.size)
        asked = _State.asked.get(uid)
        if asked is None or asked.stream is not stream:
            asked = _State.asked[uid] = _Asked(stream)
        asked.shots[stream.latest(shot.channels, space=shot.space)] = shot
    except EngineError as error:
        session.say(uid, str(error))
        return False
    return True


def _collect(thing: bpy.types.Object) -> bool:
    """Show what has arrived for the object; whether nothing more is awaited."""
    uid = thing.session_uid
    asked = _State.asked.get(uid)
    if asked is None or not asked.shots or not session.is_open(asked.stream):
        _State.asked.pop(uid, None)
        return True
    frame = asked.stream.newest(asked.shown)
    if frame is not None:
        _show_frame(thing, asked, frame)
    elif asked.stream.error:
        session.say(uid, asked.stream.error)
        asked.shots.clear()
    return not asked.shots


def _show_frame(thing: bpy.types.Object, asked: _Asked, frame: Frame) -> None:
    asked.shown = frame.number
    shot = asked.shots.get(frame.number)
    for number in [number for number in asked.shots if number <= frame.number]:
        del asked.shots[number]
    if shot is None or (frame.width, frame.height) != shot.size:
        return
    pixels.put(thing.keywarp.image, shot.size, frame.pixels)
    _State.shown[thing.session_uid] = shot
    session.say(thing.session_uid, "")
    _State.cache.keep(shot, frame)


def _pump() -> Optional[float]:
    """The timer: show what has arrived since, and stop when nothing is awaited."""
    from . import live

    if live.is_rendering():
        return 0.2
    by_number = {thing.session_uid: thing for thing in live.characters()}
    for uid in list(_State.asked):
        thing = by_number.get(uid)
        if thing is None or not live.is_live(thing):
            del _State.asked[uid]
            continue
        before = _State.shown.get(uid)
        if _collect(thing):
            _State.asked.pop(uid, None)
        if _State.shown.get(uid) != before:
            thing.keywarp.image.update_tag()
        redraw()
    return BEAT if _State.asked else None


def redraw() -> None:
    """Have every editor that may show a live image, its messages or the cache's state draw itself."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _REDRAWN:
                area.tag_redraw()


def is_cached(shot: Shot) -> bool:
    return shot in _State.cache


def is_waiting() -> bool:
    """Whether a frame is on its way."""
    return any(asked.shots for asked in _State.asked.values())


def preparation(thing: bpy.types.Object) -> Optional[tuple[str, float]]:
    """What is done before the character's next frame can be drawn, and which share of it; ``None`` where that frame
    is only being drawn, or none is awaited."""
    uid = thing.session_uid
    asked = _State.asked.get(uid)
    if asked is None or not asked.shots:
        return None
    if session.engine().state.phase == "starting":
        return "starting the engine", 0.0
    if asked.stream.progress is not None:
        return asked.stream.progress
    return ("drawing the first frame", 0.0) if uid not in _State.shown else None


def set_cache_limit(megabytes: int) -> None:
    """How much memory the frames of previews may take."""
    _State.cache.set_limit(megabytes * MEGABYTE)


def clear_cache() -> None:
    _State.cache.clear()


def forget_marks(scene: bpy.types.Scene) -> None:
    """The scene's frames may show something else from now on."""
    cache_bar.forget(scene)


def forget_requests() -> None:
    """What is on its way was asked for another state of the file."""
    _State.asked.clear()


def forget() -> None:
    forget_requests()
    cache_bar.forget()
    zoom.forget()


def watch() -> None:
    """Follow the zoom of the viewports, where there are any."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_watch_zoom):
        bpy.app.timers.register(_watch_zoom, first_interval=zoom.BEAT, persistent=True)


def _watch_zoom() -> Optional[float]:
    from . import live

    things: list[Any] = [] if live.is_rendering() else live.characters()
    playing = any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)
    for thing in things:
        if not playing and zoom.look(thing) and thing.keywarp.preview_mode == "ZOOM":
            live.refresh(thing)
    return zoom.BEAT


def register() -> None:
    chosen = preferences.get()
    if chosen is not None:
        set_cache_limit(chosen.preview_memory)
    cache_bar.register()


def unregister() -> None:
    for timer in (_pump, _watch_zoom):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    cache_bar.unregister()
    forget()
    _State.shown = {}
    _State.cache.close()
