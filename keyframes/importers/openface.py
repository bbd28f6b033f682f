# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of OpenFace (``FeatureExtraction``): action units, head pose and gaze, a row a frame and face.

Column names are padded with spaces. ``pose_Rx``, ``pose_Ry``, ``pose_Rz`` are radians about the camera's axes
(x to the picture's right, y down, z away), ``R = Rx Ry Rz``; ``gaze_angle_x`` and ``_y`` are where both eyes
look in the same frame, so that the gaze within the head is what the head's turn leaves of it.
Facts: OpenFace's wiki, "Output Format".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from keywarp.keyframes import rotation
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import table
from keywarp.keyframes.importers.base import Array, Format, Imported, listed, sampled_clip
from keywarp.keyframes.spaces import au17, au17head

_UNITS = {f"{channel.name}_r": channel.name for channel in au17.CHANNELS}
_POSE = ("pose_Rx", "pose_Ry", "pose_Rz")
_GAZE = ("gaze_angle_x", "gaze_angle_y")
_ROW = ("frame", "face_id", "timestamp", "success")
#: Of a sequence of pictures, for which OpenFace writes no times.
_FPS = 30.0
#: From the camera's frame, whose y points down, to that of ``rotation``.
_MIRROR_Y: Array = np.array([-1.0, 1.0, -1.0, 1.0])
_LONGEST = 1 << 20


def _recognises(head: bytes) -> bool:
    names = table.header(head)
    # The units stand at the end of a header that may be longer than what is looked at.
    return "frame" in names[:2] and "timestamp" in names and "success" in names


def read(data: bytes) -> Imported:
    """A clip of ``au17head``, a key a row of one face; raises ``KeywarpError`` for a damaged table."""
    names = table.header(data[:_LONGEST])
    wanted = [name for name in (*_ROW, *_UNITS, *_POSE, *_GAZE) if name in names]
    if not any(name in wanted for name in (*_UNITS, *_POSE)):
        raise KeywarpError("the table has neither action units nor a head pose (AU01_r ..., pose_Rx ...)")
    rows = table.read(data, [names.index(name) for name in wanted])
    columns = dict(zip(wanted, rows.numbers.T))
    notes: list[str] = [*table.left_out(rows.incomplete, "they are not complete")]
    frames, fps = _frames(columns, notes)
    start, end = float(frames.min()), float(frames.max())
    seen = _one_face(columns, notes)
    if not len(seen):
        raise KeywarpError("OpenFace found no face in any frame of it")
    seen = seen[table.rising(frames[seen])]
    columns = {name: column[seen] for name, column in columns.items()}
    values = [(channel, columns[name]) for name, channel in _UNITS.items() if name in columns]
    values += _angles(columns).items()
    missing = [name for name in (*_UNITS, *_POSE, *_GAZE) if name not in columns]
    if missing:
        notes.append(f"the table lacks {listed(missing)}")
    clip = sampled_clip(au17head.SPACE, frames[seen], values, fps, "OpenFace")
    return Imported(dataclasses.replace(clip, start=start, end=end), tuple(notes))


def _frames(columns: Mapping[str, Array], notes: list[str]) -> tuple[Array, float]:
    times = columns["timestamp"]
    if np.ptp(times) > 0:
        return table.frames_of_seconds(times)
    notes.append(f"the table has no times: {_FPS:g} frames a second are taken")
    return table.whole(columns["frame"] - columns["frame"].min()), _FPS


def _one_face(columns: Mapping[str, Array], notes: list[str]) -> table.Indices:
    """The rows of the face that is seen most often."""
    success = columns["success"] > 0
    faces = columns.get("face_id", np.zeros(len(success)))
    numbers, counts = np.unique(faces[success], return_counts=True)
    if not len(numbers):
        return np.zeros(0, np.intp)
    chosen = numbers[int(counts.argmax())]
    if len(numbers) > 1:
        notes.append(
            f"of {len(numbers)} faces the one with the most frames is taken, number {chosen:g} ({counts.max()})"
        )
    notes += table.left_out(int(np.sum((faces == chosen) & ~success)), "the face was not found in them")
    return np.flatnonzero(success & (faces == chosen))


def _angles(columns: Mapping[str, Array]) -> dict[str, Array]:
    """The channels of head and gaze in degrees."""
    angles: dict[str, Array] = {}
    head = np.zeros((len(columns["success"]), 3))
    if all(name in columns for name in _POSE):
        turns = [_about(axis, columns[name]) for axis, name in enumerate(_POSE)]
        whole = rotation.product(rotation.product(turns[0], turns[1]), turns[2])
        head = rotation.unwrapped(rotation.angles(whole * _MIRROR_Y))
        angles.update(zip(("head_pitch", "head_yaw", "head_roll"), head.T))
    if all(name in columns for name in _GAZE):
        angles["gaze_pitch"] = -np.degrees(columns["gaze_angle_y"]) - head[:, 0]
        angles["gaze_yaw"] = -np.degrees(columns["gaze_angle_x"]) - head[:, 1]
    return angles


def _about(axis: int, radians: Array) -> Array:
    quaternions = np.zeros((len(radians), 4))
    quaternions[:, axis], quaternions[:, 3] = np.sin(radians / 2), np.cos(radians / 2)
    return quaternions


FORMAT = Format(
    "openface",
    (".csv",),
    "OpenFace table (CSV)",
    _recognises,
    read,
    table.MAX_BYTES,
)
