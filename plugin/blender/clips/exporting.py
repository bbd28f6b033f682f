# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's animation as a ``Clip``: curves as they are where that is exact, otherwise samples.

A curve goes over with its keys where nothing but the keys, the extrapolation and a plain Cycles modifier
makes its values. What drivers, NLA tracks, other modifiers, a stretched time and idle motion make is
sampled through Blender itself, and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from keywarp.keyframes.channels import Poses, PoseSpace
from keywarp.keyframes.clip import Clip, Marker
from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import CHANNELS
from keywarp.keyframes.reduce import reduced_curve

from .. import compat
from ..character.active import scene_fps
from ..character.properties import channel_path, has_face, pose_of, space_of
from ..character.shots import posed
from ..idle.properties import idle_of
from ..showing.quiet import frames_unseen
from . import fcurves

#: Of a channel's range: keys of samples that lie on a line to within this are left out.
_ON_A_LINE = 1e-6
MAX_SAMPLES = 2_000_000


@dataclass(frozen=True)
class Wanted:
    """What to export."""

    start: float
    end: float
    samples: int = 8
    """A frame, where a channel has to be sampled."""
    whole_pose: bool = True
    """Also the channels that nothing animates, as they stand."""
    with_idle: bool = True


@dataclass(frozen=True)
class Exported:
    """A clip, and what the person who exports it should know."""

    clip: Clip
    notes: tuple[str, ...]


def export(thing: bpy.types.Object, scene: bpy.types.Scene, wanted: Wanted) -> Exported:
    """The animation of ``thing`` over the wanted frames of ``scene``, at the scene's rate.

    Raises ``KeywarpError`` where nothing could be written: an empty range, or too many samples.
    """
    if wanted.end < wanted.start:
        raise KeywarpError(f"frame {wanted.end:g} comes before frame {wanted.start:g}: no frames to export")
    space = space_of(thing)
    paths = {channel_path(name): name for name in space.names}
    acting = {paths[f.data_path]: f for f in compat.fcurves(thing) if f.data_path in paths}
    reasons = _sampling_reasons(thing, scene, acting, paths)
    exact = {
        name: fcurves.curve_of(fcurve)
        for name, fcurve in acting.items()
        if name not in reasons and not _muted(fcurve)
    }
    still = pose_of(thing)
    with_idle = wanted.with_idle and has_face(thing)
    idle = idle_of(thing.keywarp.idle) if with_idle and thing.keywarp.idle.enabled else None
    if with_idle and _idle_is_animated(thing):
        reasons.update(dict.fromkeys(CHANNELS, "animated settings of idle motion"))
        idle = None
    idled = set(idle.channels) if idle is not None else set()
    frames = _sample_frames(wanted) if reasons or idled else np.empty(0)
    sampled = _sampled(scene, thing, frames, set(reasons), idle is None and with_idle) if reasons else {}
    if idle is not None:
        poses = _poses(space, frames, still, exact, sampled)
        poses = idle.over(poses, frames / scene_fps(scene))
        sampled.update({name: poses[:, space.index(name)] for name in idled})
    curves = _curves(space, wanted, still, exact, frames, sampled)
    clip = Clip(
        space.name,
        curves,
        scene_fps(scene),
        wanted.start,
        wanted.end,
        _markers(scene, wanted),
        title=thing.name,
    )
    return Exported(clip, tuple(_notes(space, reasons, idled, wanted.samples)))


def key_range(thing: bpy.types.Object) -> tuple[float, float]:
    """The frames of the character's first and last key; raises ``KeywarpError`` where it has none."""
    paths = {channel_path(name) for name in space_of(thing).names}
    ranges = [f.range() for f in compat.fcurves(thing) if f.data_path in paths and len(f.keyframe_points)]
    if not ranges:
        raise KeywarpError(f"{thing.name} has no keys to export")
    return float(min(first for first, _ in ranges)), float(max(last for _, last in ranges))


# What has to be sampled


def _sampling_reasons(
    thing: bpy.types.Object, scene: bpy.types.Scene, acting: Mapping[str, Any], paths: Mapping[str, str]
) -> dict[str, str]:
    """By channel, why its values come from more than a curve."""
    reasons = {}
    for name, fcurve in acting.items():
        reason = None if _muted(fcurve) else fcurves.cannot_be_carried(fcurve)
        if reason is not None:
            reasons[name] = reason
    animation = thing.animation_data
    if animation is not None and _nla_acts(animation):
        stripped = {paths[path] for path in _nla_paths(animation) if path in paths}
        reasons.update(dict.fromkeys([*acting, *stripped], "NLA tracks"))
    if scene.render.frame_map_old != scene.render.frame_map_new:
        reasons.update(dict.fromkeys([*acting, *reasons], "time stretching"))
    for driver in animation.drivers if animation is not None else ():
        if driver.data_path in paths and not driver.mute:
            reasons[paths[driver.data_path]] = "a driver"
    return reasons


def _muted(fcurve: Any) -> bool:
    return bool(fcurve.mute or (fcurve.group is not None and getattr(fcurve.group, "mute", False)))


def _nla_acts(animation: Any) -> bool:
    if not animation.use_nla or not len(animation.nla_tracks):
        return False
    plain = (
        animation.action_influence == 1.0
        and animation.action_blend_type == "REPLACE"
        and animation.action_extrapolation == "HOLD"
        and not animation.use_tweak_mode
    )
    return not plain or any(not track.mute and len(track.strips) for track in animation.nla_tracks)


def _nla_paths(animation: Any) -> set[str]:
    strips = [strip for track in animation.nla_tracks for strip in track.strips]
    paths = set()
    while strips:
        strip = strips.pop()
        strips += list(strip.strips)  # of a meta strip
        paths |= {fcurve.data_path for fcurve in compat.action_fcurves(strip.action)}
    return paths


def _sample_frames(wanted: Wanted) -> np.ndarray:
    count = int(np.ceil((wanted.end - wanted.start) * wanted.samples)) + 1
    if count > MAX_SAMPLES:
        raise KeywarpError(f"{count:,} samples are too many: at most {MAX_SAMPLES:,}, so take fewer a frame")
    return np.minimum(wanted.start + np.arange(count) / wanted.samples, wanted.end)


def _idle_is_animated(thing: bpy.types.Object) -> bool:
    animation = thing.animation_data
    moving = [*compat.fcurves(thing), *(animation.drivers if animation is not None else ())]
    return any(curve.data_path.startswith("keywarp.idle.") for curve in moving)


def _sampled(
    scene: bpy.types.Scene, thing: bpy.types.Object, frames: np.ndarray, names: set[str], with_idle: bool
) -> dict[str, np.ndarray]:
    """The named channels at ``frames`` as Blender evaluates them; the scene ends on the frame it was on."""
    look = posed if with_idle else _evaluated
    columns = {name: np.empty(len(frames)) for name in names}
    now, part = scene.frame_current, scene.frame_subframe
    try:
        with frames_unseen():
            for i, frame in enumerate(frames):
                whole = int(np.floor(frame))
                scene.frame_set(whole, subframe=float(frame - whole))
                pose = look(thing, scene, bpy.context.evaluated_depsgraph_get())
                for name, column in columns.items():
                    column[i] = pose[name]
    finally:
        scene.frame_set(now, subframe=part)
    return columns


def _evaluated(thing: bpy.types.Object, _scene: bpy.types.Scene, depsgraph: Any) -> dict[str, float]:
    return pose_of(thing, depsgraph)


# Putting it together


def _poses(
    space: PoseSpace,
    frames: np.ndarray,
    still: Mapping[str, float],
    exact: Mapping[str, Curve],
    sampled: Mapping[str, np.ndarray],
) -> Poses:
    """Whole poses at ``frames``, (N, C), held to their ranges as properties are."""
    poses = np.repeat(space.pose(still)[None], len(frames), axis=0)
    for name, curve in exact.items():
        poses[:, space.index(name)] = curve.sample(frames)
    for name, values in sampled.items():
        poses[:, space.index(name)] = values
    return space.clamp(poses)


def _curves(
    space: PoseSpace,
    wanted: Wanted,
    still: Mapping[str, float],
    exact: Mapping[str, Curve],
    frames: np.ndarray,
    sampled: Mapping[str, np.ndarray],
) -> dict[str, Curve]:
    curves = {}
    for channel in space.channels:
        name = channel.name
        if name in sampled:
            tolerance = _ON_A_LINE * (channel.maximum - channel.minimum)
            curves[name] = reduced_curve(Curve.from_points(frames, sampled[name]), tolerance)
        elif name in exact:
            curves[name] = exact[name]
        elif wanted.whole_pose:
            curves[name] = Curve([Key(wanted.start, still[name])])
    return curves


def _markers(scene: bpy.types.Scene, wanted: Wanted) -> tuple[Marker, ...]:
    inside = (marker for marker in scene.timeline_markers if wanted.start <= marker.frame <= wanted.end)
    return tuple(Marker(marker.frame, marker.name) for marker in sorted(inside, key=lambda each: each.frame))


def _notes(space: PoseSpace, reasons: Mapping[str, str], idled: set[str], samples: int) -> list[str]:
    notes = []
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name in space.names if reasons.get(name) == reason)
        notes.append(f"sampled {samples} times a frame, because of {reason}: {names}")
    if idled:
        names = ", ".join(name for name in space.names if name in idled)
        notes.append(f"sampled {samples} times a frame, because idle motion moves them: {names}")
    return notes
