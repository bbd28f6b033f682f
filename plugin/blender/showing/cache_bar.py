# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the preview cache, drawn along the foot of the timeline as Blender draws its own caches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Optional

import bpy

from .. import compat
from ..character.shots import Shot

COLOR = (0.35, 0.75, 0.55, 0.8)
HEIGHT = 4
"""Pixels, before the interface's scale."""

#: By a scene's session number and the frame: what was to be seen there, since the last edit.
_marks: dict[int, dict[int, tuple[Shot, ...]]] = {}
_handle: Any = None


def mark(scene: bpy.types.Scene, shots: list[Shot]) -> None:
    """Note what the scene shows at its present frame."""
    if scene.frame_subframe == 0.0:
        _marks.setdefault(scene.session_uid, {})[scene.frame_current] = tuple(shots)


def forget(scene: Optional[bpy.types.Scene] = None) -> None:
    """The frames of a scene, or of all, may show something else now."""
    if scene is None:
        _marks.clear()
    else:
        _marks.pop(scene.session_uid, None)


def cached_frames(scene: bpy.types.Scene) -> list[int]:
    """The frames, in order, that can be shown from the cache."""
    from . import preview

    frames = _marks.get(scene.session_uid, {})
    return [frame for frame in sorted(frames) if all(preview.is_cached(shot) for shot in frames[frame])]


def spans(frames: list[int]) -> list[tuple[int, int]]:
    """First and last of every run of frames without a gap."""
    starts = [frame for before, frame in pairwise([-(1 << 30), *frames]) if frame != before + 1]
    ends = [frame for frame, after in pairwise([*frames, 1 << 30]) if after != frame + 1]
    return list(zip(starts, ends))


def _draw() -> None:
    context = bpy.context
    space, region = context.space_data, context.region
    if getattr(space, "mode", "") != "TIMELINE" or context.scene is None:
        return
    runs = spans(cached_frames(context.scene))
    if not runs:
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    top = HEIGHT * context.preferences.system.ui_scale
    points, triangles = [], []
    for first, last in runs:
        left = region.view2d.view_to_region(first - 0.5, 0, clip=False)[0]
        right = region.view2d.view_to_region(last + 0.5, 0, clip=False)[0]
        corner = len(points)
        points += [(left, 0), (right, 0), (right, top), (left, top)]
        triangles += [(corner, corner + 1, corner + 2), (corner, corner + 2, corner + 3)]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("color", COLOR)
    batch_for_shader(shader, "TRIS", {"pos": points}, indices=triangles).draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = compat.timeline_editor().draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        compat.timeline_editor().draw_handler_remove(_handle, "WINDOW")
        _handle = None
    forget()
