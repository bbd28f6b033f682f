# SPDX-License-Identifier: GPL-3.0-or-later
"""One take: live poses shown on the character while they come, then written as keys over the recorded frames.

Needs no window: what calls it tells the scene's frame of each pose.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

import bpy

from keywarp.core.engine.client import LiveReport
from keywarp.keyframes.recording import Recording
from keywarp.keyframes.spaces.tha45 import SPACE

from .. import compat
from ..character.active import scene_fps
from ..character.properties import channel_path, name_groups, pose_of, set_pose
from ..clips import importing


class Take:
    """Poses for the channels of some groups; the old curves of those are muted until the take ends."""

    def __init__(self, thing: bpy.types.Object, scene: bpy.types.Scene, groups: Collection[str]) -> None:
        self._name, self._fps = thing.name, scene_fps(scene)
        self._groups = frozenset(groups)
        self._recording = Recording()
        self._start: Optional[float] = None
        self._before = pose_of(thing)
        self._muted: set[str] = set()

    @property
    def seconds(self) -> float:
        return self._recording.seconds

    def add(self, thing: bpy.types.Object, frame: float, report: Optional[LiveReport]) -> bool:
        """Show and keep a pose that belongs to this frame of the scene; whether there was one."""
        if report is None or report.phase not in ("live", "lost") or not report.values:
            return False
        pose = {n: report.values[n] for n in report.channels if n in SPACE and SPACE[n].group in self._groups}
        if not pose:
            return False
        if self._start is None:
            self._start = frame
        self._mute(thing, pose)
        self._recording.add(frame / self._fps, pose)
        set_pose(thing, pose)
        return True

    def finish(self, thing: bpy.types.Object, error: float) -> tuple[int, float, float]:
        """Write the keys, within the recorded frames only; how many there are, the first frame and the last.

        ``error``: how far curves may be off, as a share of a channel's range. Raises ``KeywarpError`` where nothing
        has been recorded.
        """
        self._unmute(thing)
        clip = self._recording.clip(self._fps, self._start or 0.0, error)
        name_groups(thing)
        count = importing.write(clip, thing, importing.Wanted(None, replace=False))
        return count, clip.start, clip.end

    def cancel(self, thing: bpy.types.Object) -> None:
        """As though nothing had been recorded."""
        self._unmute(thing)
        set_pose(thing, self._before)

    def _mute(self, thing: bpy.types.Object, names: Collection[str]) -> None:
        """Old keys would be shown in place of what comes."""
        paths = {channel_path(name) for name in names} - self._muted
        if not paths:
            return
        for fcurve in compat.fcurves(thing):
            if fcurve.data_path in paths and not fcurve.mute:
                fcurve.mute = True
                self._muted.add(fcurve.data_path)

    def _unmute(self, thing: bpy.types.Object) -> None:
        for fcurve in compat.fcurves(thing):
            if fcurve.data_path in self._muted:
                fcurve.mute = False
        self._muted.clear()
