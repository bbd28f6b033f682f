# SPDX-License-Identifier: GPL-3.0-or-later
"""Live images follow the timeline: exactly in renders and in the background, without waiting in the interface.

Blender calls the handlers here at every change of the frame (with the depsgraph that is being rendered, or the
interface's), after edits, and around loading, undo and renders.
"""

from __future__ import annotations

from typing import Any, Optional

import bpy
from bpy.app.handlers import persistent

from keywarp.core.engine.client import EngineError

from .. import compat, session
from ..character import materials
from ..character.shots import Shot, characters, live_size, shot_of
from ..rendering import failing, scenes
from . import cards, notice, pixels, preview, quiet

KEYWARP = "KEYWARP"
"""The render engine that draws characters itself: there live images are seen in the compositor alone."""

__all__ = ["characters", "is_live", "refresh"]


class _State:
    """By an object's session number: what its image shows, if that is known."""

    rendering = False
    shown: dict[int, Shot] = {}


def is_rendering() -> bool:
    """Whether a render is under way, which writes the live images from its own thread."""
    if _State.rendering and not bpy.app.background and not bpy.app.is_job_running("RENDER"):
        _State.rendering = False  # a render that ended without saying so
    return _State.rendering or _is_viewport_render()


def _is_viewport_render() -> bool:
    """Whether *Viewport Render Animation* is under way; Blender renders what the interface's depsgraph has."""
    return any(
        operator.bl_idname == "RENDER_OT_opengl"
        for window in bpy.context.window_manager.windows
        for operator in window.modal_operators
    )


def _is_watched() -> bool:
    """Whether somebody works at the interface, which must not be held up."""
    return not bpy.app.background


def refresh(thing: Optional[bpy.types.Object] = None) -> None:
    """Show a character's frame, or every character's, anew: its settings, its files or the engine have changed."""
    context = bpy.context
    chosen = characters() if thing is None else [thing.original]
    for one in chosen:
        _State.shown.pop(one.session_uid, None)
    if context.scene is not None and context.view_layer is not None:
        # A file that has just been loaded has no depsgraph yet.
        depsgraph = context.view_layer.depsgraph or context.evaluated_depsgraph_get()
        _follow(context.scene, depsgraph, chosen)


def is_live(thing: bpy.types.Object) -> bool:
    """Whether the object is a character whose image follows the timeline, rather than baked or without an image."""
    settings = thing.keywarp
    return settings.is_character and not settings.baked and pixels.is_live(settings.image)


def _follow(scene: bpy.types.Scene, depsgraph: Any, things: list[bpy.types.Object]) -> None:
    """Have the images of these characters show the scene's time."""
    if quiet.unseen():
        return
    things = [thing for thing in things if is_live(thing)]
    full = depsgraph.mode == "RENDER" or _is_viewport_render()
    exact = full or not _is_watched()
    wanted = []
    for thing in things:
        height = thing.keywarp.size if full else preview.height(thing)
        size = live_size(thing, height)
        try:
            shot = shot_of(thing, scene, depsgraph, size=size)
        except session.SourceError as error:
            _cannot(thing, size, str(error), full)
            continue
        if exact:
            _show_exactly(thing, shot, full)
        else:
            wanted.append((thing, shot))
    if wanted:
        preview.show(scene, wanted, _State.shown)


def _show_exactly(thing: bpy.types.Object, shot: Shot, full: bool) -> None:
    image, uid = thing.keywarp.image, thing.session_uid
    if _State.shown.get(uid) == shot and tuple(image.size) == shot.size:
        return
    _State.shown.pop(uid, None)
    try:
        stream = session.stream(session.StreamKey(shot.source, 0, shot.size))
        with stream.exact(shot.channels, space=shot.space) as frame:
            pixels.put(image, shot.size, frame.pixels)
    except EngineError as error:
        _cannot(thing, shot.size, str(error), full)
        return
    _State.shown[uid] = shot
    session.say(uid, "")


def _cannot(thing: bpy.types.Object, size: tuple[int, int], reason: str, full: bool) -> None:
    """A frame cannot be made: in the interface the last good one stays, a render gets the error card."""
    session.say(thing.session_uid, reason)
    if full:
        _State.shown.pop(thing.session_uid, None)
        pixels.put(thing.keywarp.image, size, cards.error_card(size, f"{thing.name}: {reason}"))
        failing.lacking_frame(f"{thing.name}: {reason}")


# Handlers, named as Blender names their lists


@persistent
def frame_change_post(scene: bpy.types.Scene, depsgraph: Any) -> None:
    things = characters()
    if depsgraph.mode == "RENDER" and scene.render.engine == KEYWARP:
        composited = compat.composited_images(scene)
        things = [thing for thing in things if thing.keywarp.image in composited]
    _follow(scene, depsgraph, things)


@persistent
def depsgraph_update_post(scene: bpy.types.Scene, depsgraph: Any) -> None:
    if is_rendering():
        return
    changed = _changed_characters(depsgraph)
    if changed:
        preview.forget_marks(scene)
        _separate_images()
        _follow(scene, depsgraph, changed)


def _changed_characters(depsgraph: Any) -> list[bpy.types.Object]:
    """Characters whose properties, animation or existence may have changed."""
    if not (depsgraph.id_type_updated("OBJECT") or depsgraph.id_type_updated("ACTION")):
        return []
    things = characters()
    by_number = {thing.session_uid: thing for thing in things}
    changed = []
    for update in depsgraph.updates:
        if isinstance(update.id, bpy.types.Object):
            thing = by_number.get(update.id.original.session_uid)
            if thing is not None:
                changed.append(thing)
        elif isinstance(update.id, bpy.types.Action):
            return things
    return changed


def _separate_images() -> None:
    """Duplicates begin with their original's image; each gets its own."""
    owners: dict[int, bpy.types.Object] = {}
    for thing in sorted(characters(), key=lambda thing: thing.session_uid):
        image = thing.keywarp.image
        if image is None or thing.keywarp.baked:
            continue
        if image.session_uid not in owners:
            owners[image.session_uid] = thing
        elif thing.is_editable:
            materials.give_own_image(thing)


@persistent
def load_pre(*_: Any) -> None:
    _forget()
    session.close_streams()


@persistent
def save_pre(*_: Any) -> None:
    """A live image that was packed, as Blender does when it saves modified images, is live again and saved empty."""
    _unpack_images()


def _unpack_images() -> None:
    for thing in characters():
        settings = thing.keywarp
        if settings.image is not None and settings.image.packed_file is not None and not settings.baked:
            pixels.make_live(settings.image)
            _State.shown.pop(thing.session_uid, None)


@persistent
def load_post(*_: Any) -> None:
    """Show the file's characters; where their files are not confirmed, only their messages appear."""
    _forget()
    _unpack_images()
    if characters():
        refresh()
        preview.watch()


@persistent
def undo_post(*_: Any) -> None:
    """Undo and redo replace objects, and may bring back another pose or picture."""
    _State.shown.clear()
    preview.forget_requests()
    if characters():
        refresh()


@persistent
def render_init(*_: Any) -> None:
    _State.rendering = True
    if characters():
        scenes.before_render()


@persistent
def render_end(*_: Any) -> None:
    _State.rendering = False
    scenes.after_render()
    if _is_watched():
        session.close_streams("exact")


def _forget() -> None:
    _State.rendering = False
    _State.shown.clear()
    session.forget_messages()
    preview.forget()


_HANDLERS = (
    ("frame_change_post", frame_change_post),
    ("depsgraph_update_post", depsgraph_update_post),
    ("save_pre", save_pre),
    ("load_pre", load_pre),
    ("load_post", load_post),
    ("undo_post", undo_post),
    ("redo_post", undo_post),
    ("render_init", render_init),
    ("render_complete", render_end),
    ("render_cancel", render_end),
)


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    preview.register()
    notice.register()


def unregister() -> None:
    notice.unregister()
    preview.unregister()
    for name, handler in reversed(_HANDLERS):
        getattr(bpy.app.handlers, name).remove(handler)
    _forget()
