# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a ``Layered``: shapes and bones move its vertices, and the moved layers are drawn over each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from keywarp.core.layered import (
    BODY,
    DEPTH,
    DISTANCE,
    HEAD,
    LEFT,
    PAIRED,
    SINGLE,
    Floats,
    Layer,
    Layered,
    shape_fields,
)
from keywarp.core.models.base import Window
from keywarp.core.models.ldi.mesh import Drawn, Mesh
from keywarp.core.motion import Motion
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map
from keywarp.core.studio.actor import Pose, read_pose
from keywarp.core.studio.rig import part_of, rotation
from keywarp.keyframes.channels import Poses

SAMPLES = 2
"""Samples of a pixel in each direction."""
_SAME = 0.003
"""Nearness by which a layer may lie behind another and still be drawn over it: it was peeled off before."""
_LIDS = 0.08
"""Nearness that lids gain for each unit by which they move: a closing lid passes before the eye, however flat."""
_FLIP = np.diag([1.0, -1.0, 1.0])
"""Rotations are given for y up."""

Frames = npt.NDArray[np.float64]


class Posing:
    """A layered picture, ready to be posed; for one caller at a time."""

    def __init__(self, layered: Layered, space: str) -> None:
        """``space``: the poses' (see ``core.studio.actor.SPACES``)."""
        self._space, self._joints = space, layered.joints.astype(np.float64)
        self._layers = [
            _Moving(layer, bridged=number == 0)
            for number, layer in enumerate(layered.layers)
            if layer.seen.any() or number == 0
        ]
        self.side = len(layered.layers[0].colour)

    def motion(self, pose: Poses, window: Window | None = None) -> Motion:
        """The answer to a pose, (C,): ``side`` pixels to a side; with a ``window`` only that part is defined."""
        side = self.side
        left, top, right, bottom = window or (0, 0, side, side)
        shown = self._drawn(read_pose(self._space, pose), (left, top, right, bottom))
        image = np.zeros((side, side, 4), np.float32)
        flow = np.zeros((side, side, 2), np.float32)
        painted = np.zeros((side, side, 1), np.float32)
        image[top:bottom, left:right], flow[top:bottom, left:right], painted[top:bottom, left:right] = shown
        return Motion(image, flow, painted)

    def _drawn(self, pose: Pose, window: Window) -> tuple[Floats, Floats, Floats]:
        left, top, right, bottom = window
        width, height = (right - left) * SAMPLES, (bottom - top) * SAMPLES
        scale = self.side * SAMPLES / 2
        samples = self.side * SAMPLES
        origin = (2 * left * SAMPLES + 1) / samples - 1, (2 * top * SAMPLES + 1) / samples - 1
        frames = _frames(pose, self._joints)
        found = [layer.drawn(pose, frames, width, height, origin, scale) for layer in self._layers]
        colour = np.zeros((height, width, 4), np.float32)
        own = np.zeros((height, width), np.float32)  # how much of a sample is the first layer's
        depth = np.zeros((height, width), np.float32)
        for number in reversed(range(len(found))):
            here, _ = found[number]
            part = self._layers[number].sampled(here)
            before = here.near >= depth - _SAME
            over = np.where(before, 1 - part[..., 3], 1)[..., None]
            under = np.where(before, 1, 1 - colour[..., 3])[..., None]
            colour = part * under + colour * over
            own = own * over[..., 0] + (part[..., 3] * under[..., 0] if number == 0 else 0)
            depth = np.where(part[..., 3] > 0.5, np.maximum(depth, here.near), depth)
        if found and found[0][1].hit.any():
            bridge = self._layers[0].sampled(found[0][1])
            colour = colour + bridge * (1 - colour[..., 3:])
        flow = self._flow(found[0][0] if found else None, window)
        image = _mean(colour)
        new = _mean(np.maximum(colour[..., 3] - own, 0)) / np.maximum(image[..., 3], 1e-3)
        return image, flow, new[..., None].clip(0, 1)

    def _flow(self, first: Drawn | None, window: Window) -> Floats:
        """(h, w, 2): of the first layer; elsewhere of the nearest pixel that shows it."""
        left, top, right, bottom = window
        if first is None or not first.hit.any():
            return np.zeros((bottom - top, right - left, 2), np.float32)
        pick = np.s_[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]
        hit, source = first.hit[pick], first.source[pick]
        offset = np.array([left, top], np.float32) * SAMPLES + SAMPLES // 2
        own = (identity_map(bottom - top, right - left) * SAMPLES + offset + 0.5) * (
            2 / (self.side * SAMPLES)
        )
        flow = (source + 0.5) * np.float32(2 / self._layers[0].mesh.side) - own
        return _spread(flow.astype(np.float32), hit)


class _Moving:
    """A layer with its mesh."""

    def __init__(self, layer: Layer, bridged: bool) -> None:
        self.mesh, self._colour = Mesh(layer, bridged), np.ascontiguousarray(layer.colour, np.float32)
        fields = self.mesh.fields
        depth = fields[..., DEPTH]
        self._points = np.concatenate(
            (self.mesh.rest * (1 + depth / DISTANCE)[..., None], depth[..., None]), -1
        )
        self._left = fields[..., LEFT, None]
        self._shapes = {
            name: np.ascontiguousarray(fields[..., shape_fields(name)]) for name in (*PAIRED, *SINGLE)
        }
        self._follows = _shares(fields[..., BODY] + fields[..., HEAD])

    def drawn(
        self, pose: Pose, frames: Frames, width: int, height: int, origin: tuple[float, float], scale: float
    ) -> tuple[Drawn, Drawn]:
        points = self._points.copy()
        before = np.zeros(points.shape[:2], np.float32)
        opening: Floats | None = None
        for name, own, other in _shape_values(pose):
            offset = self._shapes[name] * (
                np.float32(own) if own == other else np.float32(other) + np.float32(own - other) * self._left
            )
            points[..., :2] += offset
            if name.startswith("eye_"):
                before += np.abs(offset).max(-1) * np.float32(_LIDS)
            if name.startswith("mouth_"):
                opening = offset if opening is None else opening + offset
        moved = np.zeros_like(points)
        for share, frame in zip(self._follows, frames, strict=True):
            if share is not None:
                turned = points @ frame[:, :3].T.astype(np.float32) + frame[:, 3].astype(np.float32)
                moved += share[..., None] * turned
        near = 1 / np.maximum(1 + moved[..., 2] / np.float32(DISTANCE), 0.05)
        moved[..., :2] *= near[..., None]
        moved[..., 2] = near + before
        return self.mesh.draw(moved, opening, width, height, origin, scale)

    def sampled(self, drawn: Drawn) -> Floats:
        """(h, w, 4): the layer's colours where it is drawn, else nothing."""
        grown = len(self._colour) / self.mesh.side
        where = ((drawn.source + 0.5) * grown - 0.5).astype(np.float32)
        seen = cv2.remap(self._colour, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen * drawn.hit[..., None], np.float32)


def _shape_values(pose: Pose) -> list[tuple[str, float, float]]:
    """Shapes that do anything: name, value on the character's left, value on the right."""
    found = [
        (name, float(pose.face.get(f"{name}_left", 0.0)), float(pose.face.get(f"{name}_right", 0.0)))
        for name in PAIRED
    ]
    whole: Mapping[str, float] = {**pose.face, "gaze_up": pose.gaze[0], "gaze_left": pose.gaze[1]}
    found += [(name, float(whole.get(name, 0.0)), float(whole.get(name, 0.0))) for name in SINGLE]
    return [each for each in found if each[1] or each[2]]


def _shares(chain: Floats) -> list[Floats | None]:
    """How much of each of five frames a vertex takes, from how far it follows the whole chain, 0..2."""
    shares: list[Floats | None] = []
    for knot in range(5):
        share = np.clip(1 - np.abs(chain.clip(0, 2) * 2 - knot), 0, 1).astype(np.float32)
        shares.append(share if share.any() else None)
    return shares


def _frames(pose: Pose, joints: npt.NDArray[np.float64]) -> Frames:
    """(5, 3, 4): where nothing, half the spine, all of it, the neck, and the head carry points."""
    frames = np.zeros((5, 3, 4))
    frames[0, :, :3] = np.eye(3)
    angles = (pose.bones.body, pose.bones.body, pose.bones.head, pose.bones.head)
    for number, (joint, turn) in enumerate(zip(joints, angles, strict=True)):
        own = _FLIP @ part_of(rotation(*turn), 0.5) @ _FLIP
        above = frames[number]
        frames[number + 1, :, :3] = above[:, :3] @ own
        frames[number + 1, :, 3] = above[:, :3] @ (joint - own @ joint) + above[:, 3]
    return frames


def _mean(samples: Floats) -> Floats:
    height, width = samples.shape[0] // SAMPLES, samples.shape[1] // SAMPLES
    return np.asarray(cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _spread(flow: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """The flow, with that of the nearest known pixel where it is not known."""
    if known.all() or not known.any():
        return flow
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of = np.empty(int(labels.max()) + 1, np.int64)
    of[labels[known]] = np.flatnonzero(known)
    return np.asarray(flow.reshape(-1, 2)[of[labels]], np.float32)
