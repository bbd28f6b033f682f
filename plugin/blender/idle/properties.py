# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of idle motion as properties of an object, and the pose with idle motion in it.

``properties`` owns the group: it registers ``KEYWARP_PG_idle`` before it points at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from keywarp.keyframes.idle import CHANNELS, LIMITS, MAX_SEED, SPACE, Idle

from ..options import OVERRIDABLE, tag

_DEFAULT = Idle()


def _number(setting: str, name: str, description: str, subtype: str = "NONE") -> Any:
    low, high = LIMITS[setting]
    default = getattr(_DEFAULT, setting)
    return FloatProperty(
        name=name,
        description=description,
        default=default,
        min=low,
        max=high,
        subtype=subtype,
        update=tag,
        override=OVERRIDABLE,
    )


class KEYWARP_PG_idle(bpy.types.PropertyGroup):
    """What the character does by itself, on top of its keys."""

    enabled: BoolProperty(
        name="Idle Motion",
        description="Let the character blink, breathe and sway by itself, on top of its keys",
        default=False,
        update=tag,
        override=OVERRIDABLE,
    )
    seed: IntProperty(
        name="Seed",
        description="Which idle motion: the same seed gives the same motion on every machine",
        default=0,
        min=0,
        max=MAX_SEED,
        update=tag,
        override=OVERRIDABLE,
    )
    blink: _number("blink", "Blink", "How far the lids close at a blink; 0: no blinks", "FACTOR")
    blinks_per_minute: _number(
        "blinks_per_minute", "Per Minute", "Blinks a minute; people at rest blink 17 times, in talk 26 times"
    )
    breath: _number("breath", "Breath", "How deep the breath goes; 0: no breath", "FACTOR")
    breaths_per_minute: _number(
        "breaths_per_minute", "Per Minute", "Breaths a minute; people at rest take 12 to 20"
    )
    sway: _number("sway", "Sway", "How far head and body sway; 0: not at all")
    sway_speed: _number("sway_speed", "Speed", "How fast head and body sway; 1 is a calm stance")


def idle_of(settings: Any) -> Idle:
    """The idle motion that the settings describe."""
    # Blender keeps float32, which may lie a rounding step beyond a limit.
    held = {name: min(max(getattr(settings, name), LIMITS[name][0]), LIMITS[name][1]) for name in LIMITS}
    return Idle(seed=settings.seed, **held)


def with_idle(pose: Mapping[str, float], settings: Any, seconds: float) -> dict[str, float]:
    """``pose``, by channel, moved by the idle motion of ``settings`` where that is on.

    ``seconds``: of the scene, real-valued: (frame + subframe) over frames a second.
    """
    moved = dict(pose)
    if not settings.enabled:
        return moved
    idle = idle_of(settings)
    rows = idle.over(
        SPACE.pose({name: value for name, value in pose.items() if name in SPACE})[None], [seconds]
    )
    for name in CHANNELS:
        if name in moved:
            moved[name] = float(rows[0, SPACE.index(name)])
    return moved


def scene_seconds(scene: Any, frame: float | None = None) -> float:
    """The scene's time, or that of ``frame``, in seconds; frame 0 is 0."""
    now = scene.frame_current_final if frame is None else frame
    return float(now) * scene.render.fps_base / scene.render.fps
