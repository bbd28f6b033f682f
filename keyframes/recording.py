# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as they come, at any moments, as a clip that a person can edit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keywarp.keyframes.clip import Clip, checked_rate
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.fit import fitted_curve
from keywarp.keyframes.importers.base import MAX_FRAMES
from keywarp.keyframes.spaces import tha45

SPACE = tha45.SPACE

#: How far a recorded curve may be off what was seen, as a share of the channel's range.
ERROR = 0.005


class Recording:
    """Poses of tha45 by their times in seconds; channels that a pose leaves out stay as they were."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._poses: list[Mapping[str, float]] = []

    def __len__(self) -> int:
        return len(self._times)

    @property
    def seconds(self) -> float:
        """From the first pose to the last."""
        return self._times[-1] - self._times[0] if self._times else 0.0

    def has_room(self, time: float, fps: float) -> bool:
        """Whether a pose of this time may come, and all of them still be a clip of ``fps``."""
        began = self._times[0] if self._times else time
        return len(self._times) < MAX_FRAMES and (time - began) * fps < MAX_FRAMES - 1

    def add(self, time: float, values: Mapping[str, float]) -> None:
        """A pose; one that is not later than the one before is passed over. Raises ``KeywarpError`` where there are
        too many, or a channel is none of tha45's."""
        if self._times and time <= self._times[-1]:
            return
        if len(self._times) >= MAX_FRAMES:
            raise KeywarpError(f"a recording has at most {MAX_FRAMES} poses")
        for name in values:
            SPACE.index(name)
        self._times.append(time)
        self._poses.append(dict(values))

    def clip(self, fps: float, start: float = 0.0, error: float = ERROR) -> Clip:
        """The clip from frame ``start`` on, with few Bezier keys for each channel that has come, never off by more
        than ``error``, a share of the channel's range. Raises ``KeywarpError`` where nothing has been recorded."""
        if not self._times:
            raise KeywarpError("nothing has been recorded")
        times = np.array(self._times) - self._times[0]
        count = int(np.floor(times[-1] * checked_rate(fps) + 1e-6)) + 1
        if count > MAX_FRAMES:
            raise KeywarpError(f"a recording has at most {MAX_FRAMES} frames")
        frames = np.arange(count, dtype=np.float64)
        curves = {}
        for name in SPACE.names:
            seen = [(at, pose[name]) for at, pose in zip(times, self._poses) if name in pose]
            if seen:
                values = np.interp(frames / fps, *np.array(seen).T)
                curve = Curve.from_points(start + frames, values)
                curves[name] = fitted_curve(curve, error * (SPACE[name].maximum - SPACE[name].minimum))
        return Clip(SPACE.name, curves, fps, start, start + count - 1, source="a live recording")
