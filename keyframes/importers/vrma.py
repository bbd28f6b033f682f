# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM animations (``.vrma``): rotations of humanoid bones, expressions, and the look-at target.

Facts: "VRMC_vrm_animation 1.0" of the VRM Consortium: bones are nodes, whose rotation counts relative to the
rest pose in the axes of the whole; an expression's weight is the x of its node's translation; the look-at
node's rotation turns the eyes. Bones that turn about the shorter way between keys keep the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

from keywarp.keyframes import rotation
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import bone_curves
from keywarp.keyframes.importers.base import MAX_FRAMES, Array, Format, Imported, listed
from keywarp.keyframes.importers.bone_curves import Track
from keywarp.keyframes.importers.glb import MAGIC, Glb, mapping, vector, whole
from keywarp.keyframes.keys import Key, shown
from keywarp.keyframes.spaces import channel_called, vrm

EXTENSION = "VRMC_vrm_animation"
_ANGLES = ("pitch", "yaw", "roll")
_BONES = {name.lower(): stem for name, stem in vrm.BONES.items()}
#: Rates that the keys' times are tried against, the likeliest first.
_RATES = (30.0, 60.0, 24.0, 25.0, 50.0, 120.0)
_WHOLE = 0.02
_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
_MOST_NODES = 100_000
_SAMPLES_A_SPAN = 16


class _Sampler(NamedTuple):
    seconds: Array
    """(n,), rising."""
    values: Array
    """(n, width); with CUBICSPLINE (n, 3, width): tangent in, value, tangent out."""
    interpolation: str

    @property
    def keyed(self) -> Array:
        """The values at the keys, (n, width)."""
        return self.values[:, 1] if self.interpolation == "CUBICSPLINE" else self.values


def read(data: bytes) -> Imported:
    """A clip of ``vrm``; raises ``KeywarpError`` for a file that is cut, damaged, or no VRM animation."""
    file = Glb(data)
    extension = mapping(file.tree.get("extensions", {}), '"extensions"').get(EXTENSION)
    if extension is None:
        raise KeywarpError(f"this glTF file is no VRM animation: it lacks the extension {EXTENSION}")
    described = mapping(extension, EXTENSION)
    animations = file.items("animations")
    if not animations:
        raise KeywarpError("the VRM animation holds no animation")
    samplers = _samplers(file, mapping(animations[0], "the animation"))
    fps = _rate([sampler.seconds for sampler in samplers.values()])
    curves, notes = _expressions(described, samplers, fps)
    turns, unused = _humanoid(file, described, samplers, fps)
    curves.update(turns)
    if len(animations) > 1:
        notes.append(f"of {len(animations)} animations the first is taken")
    if unused:
        notes.append(f"movement of other bones is left out: {listed(unused)}")
    end = max((float(sampler.seconds[-1]) for sampler in samplers.values()), default=0.0) * fps
    moving = {name: curve for name, curve in curves.items() if np.any(np.abs(curve.columns.value) > 1e-4)}
    return Imported(Clip("vrm", moving, fps, 0.0, end, source="VRM animation"), tuple(notes))


def _samplers(file: Glb, animation: Mapping[str, Any]) -> dict[tuple[int, str], _Sampler]:
    """The samplers by node and path."""
    channels, samplers = animation.get("channels"), animation.get("samplers")
    if not isinstance(channels, list) or not isinstance(samplers, list) or len(channels) > _MOST_NODES:
        raise KeywarpError("the animation must have lists of channels and samplers")
    found: dict[tuple[int, str], _Sampler] = {}
    for channel in channels:
        entry = mapping(channel, "an animation's channel")
        target = mapping(entry.get("target"), "a channel's target")
        path = target.get("path")
        if "node" not in target or path not in ("rotation", "translation"):
            continue
        node = whole(target["node"], "a channel's node", len(file.items("nodes")) - 1)
        index = whole(entry.get("sampler"), "a channel's sampler", len(samplers) - 1)
        width = 4 if path == "rotation" else 3
        found[node, path] = _sampler(file, mapping(samplers[index], "a sampler"), width)
    return found


def _sampler(file: Glb, entry: Mapping[str, Any], width: int) -> _Sampler:
    interpolation = entry.get("interpolation", "LINEAR")
    if interpolation not in _INTERPOLATIONS:
        raise KeywarpError(f"a sampler's interpolation is {shown(interpolation)}, which glTF does not have")
    seconds = file.numbers(entry.get("input"))[:, 0]
    values = file.numbers(entry.get("output"))
    rows = len(seconds) * (3 if interpolation == "CUBICSPLINE" else 1)
    if not len(seconds) or values.shape != (rows, width):
        raise KeywarpError(f"a sampler of {len(seconds)} keys has {len(values)} values, where {rows} belong")
    if np.any(np.diff(seconds) <= 0) or seconds[0] < 0 or seconds[-1] * max(_RATES) > MAX_FRAMES:
        raise KeywarpError("a sampler's times must rise from 0 on, to a few hours at most")
    if interpolation == "CUBICSPLINE":
        values = values.reshape(-1, 3, width)
    return _Sampler(seconds, values, interpolation)


def _rate(times: list[Array]) -> float:
    """The first rate at which all keys are on whole frames; keys may lie between frames where none is."""
    every = np.unique(np.concatenate([*times, [0.0]]))
    for rate in _RATES:
        if np.abs(every * rate - np.round(every * rate)).max() <= _WHOLE:
            return rate
    return _RATES[0]


def _frames(seconds: Array, fps: float) -> Array:
    frames = seconds * fps
    rounded = np.round(frames)
    return np.where(np.abs(frames - rounded) <= _WHOLE, rounded, frames)


def _expressions(
    described: Mapping[str, Any], samplers: Mapping[tuple[int, str], _Sampler], fps: float
) -> tuple[dict[str, Curve], list[str]]:
    expressions = mapping(described.get("expressions", {}), "expressions")
    curves, unknown = {}, []
    for kind in ("preset", "custom"):
        for name, entry in mapping(expressions.get(kind, {}), f"{kind} expressions").items():
            node = mapping(entry, f"the expression {shown(name)}").get("node")
            sampler = samplers.get((node, "translation")) if isinstance(node, int) else None
            channel = channel_called("vrm", name)
            if sampler is None:
                continue
            if channel is None or channel not in vrm.SPACE or kind == "custom":
                unknown.append(name)
            else:
                curves[channel] = _weight(sampler, fps)
    return curves, [f"expressions of a model's own are left out: {listed(unknown)}"] if unknown else []


def _weight(sampler: _Sampler, fps: float) -> Curve:
    """The x of a translation; a cubic spline's tangents become the handles that mean the same."""
    frames, values = _frames(sampler.seconds, fps), sampler.keyed[:, 0]
    if sampler.interpolation != "CUBICSPLINE":
        return Curve.from_points(frames, values, "CONSTANT" if sampler.interpolation == "STEP" else "LINEAR")
    thirds = np.diff(frames) / 3
    before, after = np.append(0.0, thirds), np.append(thirds, 0.0)
    slope_in, slope_out = sampler.values[:, 0, 0] / fps, sampler.values[:, 2, 0] / fps
    return Curve(
        [
            Key(
                float(frames[i]),
                float(values[i]),
                handle_left_type="FREE",
                handle_right_type="FREE",
                handle_left=(float(frames[i] - before[i]), float(values[i] - slope_in[i] * before[i])),
                handle_right=(float(frames[i] + after[i]), float(values[i] + slope_out[i] * after[i])),
            )
            for i in range(len(frames))
        ]
    )


def _humanoid(
    file: Glb, described: Mapping[str, Any], samplers: Mapping[tuple[int, str], _Sampler], fps: float
) -> tuple[dict[str, Curve], list[str]]:
    """Curves of the bones' angles, and the names of moving bones that have no channel."""
    humanoid = mapping(described.get("humanoid", {}), "humanoid")
    nodes = mapping(humanoid.get("humanBones", {}), "humanBones")
    look = mapping(described.get("lookAt", {}), "lookAt").get("node")
    parents = _parents(file)
    curves: dict[str, Curve] = {}
    unused = []
    for name, entry in nodes.items():
        node = mapping(entry, f"the bone {shown(name)}").get("node")
        sampler = samplers.get((node, "rotation")) if isinstance(node, int) else None
        if sampler is None or not isinstance(node, int):
            continue
        stem = _BONES.get(name.lower())
        if stem is None:
            unused.append(name)
            continue
        before, rest = _rest(file, parents, node)
        curves.update(_angle_curves(sampler, before, rotation.inverse(rest), stem, fps))
    if isinstance(look, int) and (look, "rotation") in samplers:
        for side in ("left", "right"):
            if f"eye_{side}_yaw" not in curves:
                turned = samplers[look, "rotation"]
                curves.update(_angle_curves(turned, rotation.IDENTITY, rotation.IDENTITY, f"eye_{side}", fps))
    return curves, unused


def _angle_curves(sampler: _Sampler, before: Array, after: Array, stem: str, fps: float) -> dict[str, Curve]:
    """The angles of ``before * rotation * after``, by channel."""
    frames, quaternions = _linear(sampler)
    turned = rotation.product(rotation.product(before, rotation.normalized(quaternions)), after)
    pace = np.tile(bone_curves.LINEAR_PACE, (len(frames), 1))
    track = Track(_frames(frames, fps), rotation.normalized(turned * rotation.MIRROR_Z), pace)
    if sampler.interpolation == "STEP":
        angles = rotation.unwrapped(rotation.angles(track.rotations))
        curves = [Curve.from_points(track.frames, angle, "CONSTANT") for angle in angles.T]
    else:
        curves = list(bone_curves.curves(track))
    named = {f"{stem}_{angle}": curve for angle, curve in zip(_ANGLES, curves)}
    return {name: curve for name, curve in named.items() if name in vrm.SPACE}


def _linear(sampler: _Sampler) -> tuple[Array, Array]:
    """Times and rotations that linear interpolation joins; cubic splines are sampled."""
    if sampler.interpolation != "CUBICSPLINE" or len(sampler.seconds) < 2:
        return sampler.seconds, sampler.keyed
    u = np.arange(_SAMPLES_A_SPAN)[:, None] / _SAMPLES_A_SPAN
    step = np.diff(sampler.seconds)
    first, last = sampler.values[:-1, None, 1], sampler.values[1:, None, 1]
    out, into = sampler.values[:-1, None, 2], sampler.values[1:, None, 0]
    d = step[:, None, None]
    values = (
        (2 * u**3 - 3 * u**2 + 1) * first
        + (u**3 - 2 * u**2 + u) * d * out
        + (3 * u**2 - 2 * u**3) * last
        + (u**3 - u**2) * d * into
    )
    seconds = sampler.seconds[:-1, None] + step[:, None] * u[:, 0]
    return (
        np.append(seconds.ravel(), sampler.seconds[-1]),
        np.concatenate((values.reshape(-1, values.shape[-1]), sampler.keyed[-1:])),
    )


def _parents(file: Glb) -> dict[int, int]:
    nodes = file.items("nodes")
    if len(nodes) > _MOST_NODES:
        raise KeywarpError(f"it has {len(nodes)} nodes, but at most {_MOST_NODES} are read")
    parents: dict[int, int] = {}
    for i, node in enumerate(nodes):
        children = mapping(node, f"nodes[{i}]").get("children", [])
        for child in children if isinstance(children, list) else ():
            parents[whole(child, "a node's child", len(nodes) - 1)] = i
    return parents


def _rest(file: Glb, parents: Mapping[int, int], node: int) -> tuple[Array, Array]:
    """The rest rotation of a node's parent, and of the node itself, in the axes of the whole."""
    own = _local(file, node)
    whole_parent = rotation.IDENTITY
    seen, at = {node}, parents.get(node)
    while at is not None:
        if at in seen:
            raise KeywarpError("a node is its own ancestor")
        seen.add(at)
        whole_parent = rotation.product(_local(file, at), whole_parent)
        at = parents.get(at)
    return whole_parent, rotation.product(whole_parent, own)


def _local(file: Glb, node: int) -> Array:
    given: Optional[object] = file.item("nodes", node).get("rotation")
    return rotation.normalized(vector(given, rotation.IDENTITY, "a node's rotation"))


FORMAT = Format(
    "vrma",
    (".vrma",),
    "VRM animation",
    lambda head: head.startswith(MAGIC),
    read,
)
