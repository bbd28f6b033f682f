# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of every kind on a character's channels."""

from __future__ import annotations

import random

from keywarp.keyframes.cycles import CYCLE_MODES
from keywarp.keyframes.easing import EASINGS
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS
from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import channel_group, channel_path


def key(thing, name, frame, value, **settings):
    group = channel_group(thing, name)
    setattr(group, name, value)
    group.keyframe_insert(name, frame=frame, group=SPACE[name].group)
    fcurve = curve_named(thing, name)
    point = next(point for point in fcurve.keyframe_points if abs(point.co.x - frame) < 0.01)
    for setting, worth in settings.items():
        setattr(point, setting, worth)
    fcurve.update()
    return point


def curve_named(thing, name):
    return next(f for f in compat.fcurves(thing) if f.data_path == channel_path(name))


def key_everything(thing, seed=1, frames=(4, 19, 33, 34.5, 61, 90), reach=4.0):
    """On every channel another interpolation, handle type, easing, extrapolation and cycles."""
    rng = random.Random(seed)
    for i, channel in enumerate(SPACE.channels):
        low, high = channel.minimum, channel.maximum
        for frame in frames:
            handle = HANDLE_TYPES[i % len(HANDLE_TYPES)]
            point = key(
                thing,
                channel.name,
                frame,
                rng.uniform(low, high),
                interpolation=INTERPOLATIONS[i % len(INTERPOLATIONS)],
                easing=EASINGS[i // 4 % len(EASINGS)],
                handle_left_type=handle,
                handle_right_type=handle,
                back=rng.uniform(0, 3),
                amplitude=rng.uniform(0, 0.5),
                period=rng.uniform(1, 9),
            )
            if handle in ("FREE", "ALIGNED"):
                rise = rng.uniform(-0.3, 0.3)
                point.handle_left = (frame - reach, point.co.y - rise)
                point.handle_right = (frame + reach * 1.25, point.co.y + rise * 1.25)
        fcurve = curve_named(thing, channel.name)
        fcurve.extrapolation = ("CONSTANT", "LINEAR")[i % 2]
        fcurve.auto_smoothing = ("NONE", "CONT_ACCEL")[i // 2 % 2]
        if i % 3 == 0:
            modifier = fcurve.modifiers.new("CYCLES")
            modifier.mode_before = CYCLE_MODES[i // 3 % 4]
            modifier.mode_after = CYCLE_MODES[(i // 3 + 1) % 4]
            modifier.cycles_after = i % 2
        fcurve.update()
