# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance motions (``.vmd``): 30 frames a second, file frame 0 is frame 0.

Morphs become channels of ``mmd``, or of ``arkit52`` where the file moves more of ARKit's names ("perfect
sync" models) than of MMD's customary ones. The bones of eyes, head, neck and upper body become angles;
``arkit52`` has one head, which gets the neck's and the head's rotation together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable, Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes import rotation
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import bone_curves, vmd_file
from keywarp.keyframes.importers.base import MAX_FRAMES, Array, Format, Imported, listed
from keywarp.keyframes.importers.bone_curves import Track
from keywarp.keyframes.spaces import arkit52, channel_called, mmd

FPS = 30.0
#: Below this a weight is MMD's rounding, not a movement.
_STILL = 1e-6
_ANGLES = ("pitch", "yaw", "roll")


#: Rising frames and weights, (n,) each.
MorphTrack = tuple[Array, Array]
ChannelOf = Callable[[str], Optional[str]]


def _cut_names(names: Mapping[str, str]) -> dict[str, str]:
    """Channel by the name as a file holds it, cut at 15 bytes of Shift-JIS, in lower case."""
    return {
        vmd_file.decoded(name.encode("cp932")[: vmd_file.NAME_BYTES]).lower(): channel
        for name, channel in names.items()
    }


_MMD_NAMES = _cut_names(mmd.ALIASES)
_ARKIT_NAMES = _cut_names({name: name for name in arkit52.SPACE.names if not name.startswith("head_")})


def _mmd_channel(name: str) -> Optional[str]:
    return _MMD_NAMES.get(name.lower()) or (channel_called("mmd", name) if not name.isascii() else None)


def _arkit_channel(name: str) -> Optional[str]:
    return _ARKIT_NAMES.get(name.lower())


def read(data: bytes) -> Imported:
    """The motion of a face; raises ``KeywarpError`` for a camera's, or for a file that is cut or damaged."""
    file = vmd_file.read(data)
    if not len(file.bones) and not len(file.morphs):
        what = "a camera's motion" if file.cameras else "a motion without any bone or morph keys"
        raise KeywarpError(f"this is {what}, not a character's: choose the motion made for the model")
    end = int(max(np.max(file.bones["frame"], initial=0), np.max(file.morphs["frame"], initial=0)))
    if end > MAX_FRAMES:
        raise KeywarpError(f"its last key is on frame {end}, but a motion has at most {MAX_FRAMES} frames")
    morphs, notes = _morphs(file)
    moving = [name for name, (_, weights) in morphs.items() if np.any(np.abs(weights) > _STILL)]
    bones, bone_notes = _bones(file)
    to_arkit = sum(map(bool, map(_arkit_channel, moving))) > sum(map(bool, map(_mmd_channel, moving)))
    space = arkit52.SPACE if to_arkit else mmd.SPACE
    channel_of = _arkit_channel if to_arkit else _mmd_channel
    curves, merged = _morph_curves({name: morphs[name] for name in moving}, channel_of)
    if to_arkit:
        angles, unused = _arkit_head(bones)
        bone_notes += unused
    else:
        angles = _bone_curves(bones)
    curves.update((name, curve) for name, curve in angles.items() if _moves(curve))
    clip = Clip(space.name, curves, FPS, 0.0, float(end), source=f"MMD motion for {file.model}")
    unknown = [name for name in moving if channel_of(name) is None]
    notes += [*merged, *bone_notes]
    if unknown:
        notes.append(f"morphs that {space.name} does not have: {listed(unknown)}")
    if file.cameras:
        notes.append(f"{file.cameras} camera keys are left out")
    return Imported(clip, tuple(notes))


def _names(records: npt.NDArray[np.void]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """The different names of records, and each record's index among them."""
    raw = np.ascontiguousarray(records["name"]).view(f"S{vmd_file.NAME_BYTES}").ravel()
    spelled, which = np.unique(raw, return_inverse=True)
    names = [vmd_file.decoded(bytes(name)) for name in spelled]
    # What follows a name's zero byte is no part of it: several spellings may be one name.
    distinct = list(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(distinct)}
    index = np.array([place[name] for name in names], np.intp)
    return distinct, index[which.ravel()] if len(index) else np.zeros(0, np.intp)


def _finite(values: npt.NDArray[np.float64], name: str, what: str) -> None:
    if not np.all(np.isfinite(values)):
        raise KeywarpError(f"{what} {name} has a key whose value is no finite number")


def _one_a_frame(frames: npt.NDArray[np.int64], size: Array) -> tuple[npt.NDArray[np.intp], int]:
    """Indices that put keys on rising frames, the largest of those on one frame; and how many differed."""
    order = np.lexsort((size, frames))
    last = np.append(np.diff(frames[order]) > 0, True)
    kept = order[last]
    chosen = size[kept][np.searchsorted(frames[kept], frames)]
    return kept, len(np.unique(frames[np.abs(chosen - size) > _STILL]))


def _morphs(file: vmd_file.VmdFile) -> tuple[dict[str, MorphTrack], list[str]]:
    """Tracks by the file's (cut) names, and notes of names that two tracks share."""
    names, which = _names(file.morphs)
    tracks: dict[str, MorphTrack] = {}
    notes: list[str] = []
    for name, rows in _grouped(names, which):
        frames = file.morphs["frame"][rows].astype(np.int64)
        weights = file.morphs["weight"][rows].astype(np.float64)
        _finite(weights, name, "the morph")
        kept, clashes = _one_a_frame(frames, np.abs(weights))
        if clashes:
            notes.append(
                f"two tracks share the name {name} (names are cut at 15 bytes) on {clashes} frames: "
                "the larger weight is taken"
            )
        tracks[name] = frames[kept].astype(np.float64), weights[kept]
    return tracks, notes


def _grouped(names: list[str], which: npt.NDArray[np.intp]) -> list[tuple[str, npt.NDArray[np.intp]]]:
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(1, len(names)))
    return list(zip(names, np.split(order, bounds))) if names else []


def _morph_curves(
    tracks: Mapping[str, MorphTrack], channel_of: ChannelOf
) -> tuple[dict[str, Curve], list[str]]:
    """A linear curve a channel; several morphs of one meaning: the larger weight, and a note."""
    shared: dict[str, list[str]] = {}
    for name in tracks:
        channel = channel_of(name)
        if channel:
            shared.setdefault(channel, []).append(name)
    curves, notes = {}, []
    for channel, names in shared.items():
        frames = np.unique(np.concatenate([tracks[name][0] for name in names]))
        weights = np.max([np.interp(frames, *tracks[name]) for name in names], axis=0)
        curves[channel] = Curve.from_points(frames, weights)
        if len(names) > 1:
            notes.append(f"the morphs {listed(names)} are one channel, {channel}: the larger weight is taken")
    return curves, notes


def _bones(file: vmd_file.VmdFile) -> tuple[dict[str, Track], list[str]]:
    """Tracks by the stem of ``mmd``'s channels, and notes of what else moves."""
    tracks: dict[str, Track] = {}
    notes, others = [], []
    names, which = _names(file.bones)
    for name, rows in _grouped(names, which):
        keys = file.bones[rows]
        stem = mmd.BONES.get(name)
        if stem is None:
            if _bone_moves(keys):
                others.append(name)
            continue
        _finite(keys["rotation"].astype(np.float64), name, "the bone")
        rotations = rotation.normalized(keys["rotation"])
        frames = keys["frame"].astype(np.int64)
        kept, clashes = _one_a_frame(
            frames, np.degrees(2 * np.arccos(np.clip(np.abs(rotations[:, 3]), 0, 1)))
        )
        if clashes:
            notes.append(f"the bone {name} has two keys on {clashes} frames: the larger rotation is taken")
        tracks[stem] = Track(
            frames[kept].astype(np.float64), rotations[kept], _pace(keys["interpolation"][kept])
        )
    if others:
        notes.append(f"movement of other bones is left out: {listed(others)}")
    return tracks, notes


def _bone_moves(keys: npt.NDArray[np.void]) -> bool:
    """Whether a bone has two keys that differ."""
    return any(bool(np.any(keys[field] != keys[field][0])) for field in ("rotation", "position"))


def _pace(interpolation: npt.NDArray[np.uint8]) -> Array:
    """The Bezier curve of the rotation, (n, 4): x1, y1, x2, y2 in 0..1.

    It is the fourth of each group of four bytes in the first row of 16, and the first in the last row, which
    is the one to trust: MMD writes its physics switch over the first row. Some programs leave the last
    row empty.
    """
    first, last = interpolation[:, 0, 3::4], interpolation[:, 3, 0::4]
    pace = np.where(np.any(last, axis=1, keepdims=True), last, first) / 127.0
    empty = ~np.any(pace, axis=1, keepdims=True)
    return np.clip(np.where(empty, bone_curves.LINEAR_PACE, pace), 0.0, 1.0)


def _bone_curves(bones: Mapping[str, Track]) -> dict[str, Curve]:
    curves = {}
    for stem, track in bones.items():
        for angle, curve in zip(_ANGLES, bone_curves.curves(track)):
            if f"{stem}_{angle}" in mmd.SPACE:
                curves[f"{stem}_{angle}"] = curve
    return curves


def _arkit_head(bones: Mapping[str, Track]) -> tuple[dict[str, Curve], list[str]]:
    """The head's angles from neck and head, and a note of the bones that have no place beside them."""
    left_out = [
        stem for stem, track in bones.items() if stem not in ("head", "neck") and len(track.frames) > 1
    ]
    notes = [f"arkit52 has no bones but the head's: left out {listed(left_out)}"] if left_out else []
    if "head" not in bones and "neck" not in bones:
        return {}, notes
    track = bones.get("head") or bones["neck"]
    if "head" in bones and "neck" in bones:
        track = bone_curves.joined(bones["neck"], bones["head"])
    curves = bone_curves.curves(track)
    return {f"head_{angle}": curve for angle, curve in zip(_ANGLES, curves)}, notes


def _moves(curve: Curve) -> bool:
    return bool(np.any(np.abs(curve.columns.value) > 1e-4))


FORMAT = Format(
    "vmd",
    (".vmd",),
    "MikuMikuDance motion",
    lambda head: head.startswith(vmd_file.SIGNATURE),
    read,
)
