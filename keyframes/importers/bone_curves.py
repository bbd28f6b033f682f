# SPDX-License-Identifier: GPL-3.0-or-later
"""MMD's rotation tracks as curves of pitch, yaw and roll.

Between two keys MMD turns the bone the shorter way, at a pace set by a Bezier curve from (0, 0) to (1, 1)
that belongs to the later key. Where all three angles follow that curve (a bone that turns about one axis,
or little), the span keeps its two keys, with handles that say the same; elsewhere it gets linear keys on the
frames between, as many as are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes import rotation
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.keys import Key, Point
from keywarp.keyframes.reduce import kept, reduced_curve

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: The pace of a steady turn, as MMD writes it.
LINEAR_PACE: Array = np.array([20, 20, 107, 107]) / 127

#: How far a curve may be from the track, in degrees.
TOLERANCE = 0.01
#: Where a span is looked at, as shares of its way: its ends and five places between.
_LOOKED_AT: Array = np.linspace(0.0, 1.0, 7)
_SPANS_AT_ONCE = 8192
_LEAST_SAMPLES, _MOST_SAMPLES = 64, 1024
#: Fast turns need keys between whole frames: a clip may be rendered at another rate than its own.
_SAMPLES_A_FRAME = 4
_FINER = 512.0
#: Keys nearer than this, in frames, would be merged into one.
_APART = 0.02


@dataclass(frozen=True)
class Track:
    """A bone's n keys on rising frames."""

    frames: Array
    """(n,)"""
    rotations: Array
    """(n, 4): quaternions of length 1."""
    pace: Array
    """(n, 4): the inner points x1, y1, x2, y2 of the Bezier curve of the span that ends here, in 0..1."""

    @cached_property
    def progress(self) -> Curve:
        """The number of the key that is reached over time, in ``1 / _FINER`` frames; fractions between keys.

        Handles reach at least a thousandth of a frame, which would soften sudden turns at whole frames.
        """
        count = len(self.frames)
        finer = replace(self, frames=self.frames * _FINER)
        return _keyed_curve(finer, np.arange(count, dtype=np.float64), np.ones(count, bool))

    def sample(self, frames: npt.ArrayLike) -> Array:
        """The rotations at ``frames``, (N,): (N, 4)."""
        reached = self.progress.sample(np.asarray(frames, np.float64) * _FINER)
        before = np.minimum(reached.astype(np.intp), len(self.frames) - 1)
        after = np.minimum(before + 1, len(self.frames) - 1)
        return rotation.slerp(self.rotations[before], self.rotations[after], reached - before)


def joined(parent: Track, child: Track) -> Track:
    """The rotation of ``child`` together with its parent's, as one track."""
    if len(child.frames) == 1:
        return replace(parent, rotations=rotation.product(parent.rotations, child.rotations))
    if len(parent.frames) == 1:
        return replace(child, rotations=rotation.product(parent.rotations, child.rotations))
    keys = np.union1d(parent.frames, child.frames)
    steps = np.minimum(np.diff(keys), _MOST_SAMPLES).astype(np.intp)
    frames = np.interp(np.arange(steps.sum() + 1), np.concatenate(([0], np.cumsum(steps))), keys)
    rotations = rotation.product(parent.sample(frames), child.sample(frames))
    return Track(frames, rotations, np.tile(LINEAR_PACE, (len(frames), 1)))


def curves(track: Track) -> tuple[Curve, Curve, Curve]:
    """Pitch, yaw and roll in degrees."""
    angles, faithful = _keyed(track)
    pitch, yaw, roll = (_angle_curve(track, angles, faithful, axis) for axis in range(3))
    return pitch, yaw, roll


def _keyed(track: Track) -> tuple[Array, Flags]:
    """The angles at the keys, (n, 3), and which spans, (n - 1,), follow their Bezier curve in each."""
    angles = rotation.angles(track.rotations[:1])
    rows, flags = [angles], [np.zeros(0, bool)]
    for first in range(0, len(track.frames) - 1, _SPANS_AT_ONCE):
        ends = track.rotations[first : first + _SPANS_AT_ONCE + 1]
        way = rotation.angles(rotation.slerp(ends[:-1, None], ends[1:, None], _LOOKED_AT))
        whole = rotation.unwrapped(np.concatenate((rows[-1][-1:], way.reshape(-1, 3))))[1:]
        way = whole.reshape(way.shape)
        rows.append(way[:, -1])
        straight = way[:, :1] + (way[:, -1:] - way[:, :1]) * _LOOKED_AT[:, None]
        flags.append(np.abs(way - straight).max(axis=(1, 2)) <= TOLERANCE)
    return np.concatenate(rows), np.concatenate(flags)


def _angle_curve(track: Track, angles: Array, faithful: Flags, axis: int) -> Curve:
    values = angles[:, axis]
    curve = _keyed_curve(track, values, np.append(faithful, True))
    unfaithful = np.flatnonzero(~faithful)
    if len(unfaithful):
        between = [key for i in unfaithful for key in _between(track, angles, int(i), axis)]
        curve = Curve([*curve.keys, *between])
    return reduced_curve(curve, TOLERANCE / 2)


def _keyed_curve(track: Track, values: Array, faithful: Flags) -> Curve:
    """``values`` at the track's keys, (n,), paced as the track is where ``faithful``, (n,), else linear."""
    linear = (track.pace[:, 0] == track.pace[:, 1]) & (track.pace[:, 2] == track.pace[:, 3])
    # By span: the one that begins at the key; the last key begins none.
    bezier = np.append(~linear[1:] & faithful[:-1] & (np.diff(values) != 0), False)
    if not np.any(bezier):
        return Curve.from_points(track.frames, values)
    return Curve([_key(track, values, bezier, i) for i in range(len(values))])


def _key(track: Track, values: Array, bezier: Flags, i: int) -> Key:
    """Key ``i``, with the handles that Bezier spans beside it use; those of other spans mean nothing."""
    frame, value = float(track.frames[i]), float(values[i])
    left: Optional[Point] = None
    right: Optional[Point] = None
    if i > 0 and bezier[i - 1]:
        x2, y2 = track.pace[i, 2:]
        left = (
            float(frame - (1 - x2) * (frame - track.frames[i - 1])),
            float(value - (1 - y2) * (value - values[i - 1])),
        )
    if bezier[i]:
        x1, y1 = track.pace[i + 1, :2]
        right = (
            float(frame + x1 * (track.frames[i + 1] - frame)),
            float(value + y1 * (values[i + 1] - value)),
        )
    return Key(
        frame,
        value,
        "BEZIER" if bezier[i] else "LINEAR",
        handle_left_type="FREE" if left else "AUTO_CLAMPED",
        handle_right_type="FREE" if right else "AUTO_CLAMPED",
        handle_left=left,
        handle_right=right,
    )


def _between(track: Track, angles: Array, i: int, axis: int) -> list[Key]:
    """Linear keys inside the span from key ``i`` to the next."""
    frames = _sampled_frames(track, i)
    turned = rotation.angles(track.sample(frames))
    values = rotation.unwrapped(np.concatenate((angles[i : i + 1], turned)))[1:, axis]
    return [
        Key(float(frames[j]), float(values[j]), "LINEAR")
        for j in kept(frames, values, TOLERANCE / 4)
        if 0 < j < len(frames) - 1
    ]


def _sampled_frames(track: Track, i: int) -> Array:
    """Where the span from key ``i`` is looked at: evenly, and as often where its pace is fast."""
    first, last = track.frames[i], track.frames[i + 1]
    steps = int(np.clip((last - first) * _SAMPLES_A_FRAME, _LEAST_SAMPLES, _MOST_SAMPLES))
    t = np.arange(steps + 1) / steps
    x1, x2 = track.pace[i + 1, [0, 2]]
    along_curve = 3 * (1 - t) ** 2 * t * x1 + 3 * (1 - t) * t**2 * x2 + t**3
    frames = np.unique(first + (last - first) * np.concatenate((t, along_curve)))
    inner = frames[(frames >= first + _APART) & (frames <= last - _APART)]
    cells = np.floor(inner / _APART)
    inner = inner[np.append(True, np.diff(cells) > 0)] if len(inner) else inner
    inner = inner[np.append(True, np.diff(inner) > _APART / 2 + 1e-9)] if len(inner) else inner
    return np.concatenate(([first], inner, [last]))
