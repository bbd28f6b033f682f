# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a ``Layered``: shapes and bones move its vertices, and the moved layers are drawn over each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.core.layered import DEPTH, DISTANCE, PAIRED, SHAPES, SINGLE, Floats, Layer, Layered, Mask
from keywarp.core.models.base import Window
from keywarp.core.models.ldi.composite import Textures, composite
from keywarp.core.models.ldi.mesh import FRAMES, RIM_SHARE, Mesh, View
from keywarp.core.motion import Motion
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map, nearest_known
from keywarp.core.runtime.session import in_parallel
from keywarp.core.studio.actor import Pose, read_pose
from keywarp.core.studio.rig import part_of, rotation
from keywarp.keyframes.channels import Poses

SAMPLES = 2
"""Samples of a pixel in each direction."""
_LIDS_NEARER, _IRISES_NEARER = 0.08, 0.06
"""Nearness that lids, and irises, gain for each unit by which they move: a closing lid passes before the eye, and an
iris before the white, however flat."""
_FLIP = np.diag([1.0, -1.0, 1.0])
"""Rotations are given for y up."""


class Posing:
    """A layered picture, ready to be posed; for one caller at a time."""

    def __init__(self, layered: Layered, space: str) -> None:
        """``space``: the poses' (see ``core.studio.actor.SPACES``). Answers have the size of the first layer's
        fields; colours had better be finer, by which samples keep their sharpness."""
        self._space, self._joints = space, layered.joints.astype(np.float64)
        first, *deeper = layered.layers
        used = [first, *(layer for layer in deeper if layer.seen.any())]
        whole = any(layer.places is not None for layer in used)
        self._layers = [_Moving(layer, number == 0, whole) for number, layer in enumerate(used)]
        self.side = len(first.seen)
        finest = max(len(layer.colour) for layer in used)
        self._textures = Textures(
            np.stack([_enlarged(layer.colour, finest) for layer in used]),
            np.stack([_at_rest(layer) for layer in used]),
        )

    def motion(self, pose: Poses, window: Window | None = None) -> Motion:
        """The answer to a pose, (C,): ``side`` pixels to a side; with a ``window`` only that part is defined."""
        side = self.side
        left, top, right, bottom = window or (0, 0, side, side)
        image = np.zeros((side, side, 4), np.float32)
        flow = np.zeros((side, side, 2), np.float32)
        painted = np.zeros((side, side, 1), np.float32)
        shown = self._drawn(read_pose(self._space, pose), (left, top, right, bottom))
        for whole, part in zip((image, flow, painted), shown, strict=True):
            whole[top:bottom, left:right] = part
        return Motion(image, flow, painted)

    def _drawn(self, pose: Pose, window: Window) -> tuple[Floats, Floats, Floats]:
        left, top, right, bottom = window
        samples = self.side * SAMPLES
        x, y = ((2 * start * SAMPLES + 1) / samples - 1 for start in (left, top))
        view = View(x, y, samples / 2, (right - left) * SAMPLES, (bottom - top) * SAMPLES)
        frames, values = _frames(pose, self._joints), _shape_values(pose)
        near = np.empty((len(self._layers), view.height, view.width), np.float32)
        source = np.empty((*near.shape, 2), np.float32)

        def draw(number: int) -> None:
            self._layers[number].draw(near[number], source[number], view, frames, values)

        in_parallel(draw, range(len(self._layers)))
        first = (left + 0.5 / SAMPLES - 0.5, top + 0.5 / SAMPLES - 0.5)
        colour, own = composite(self._textures, near, source, first, 1 / SAMPLES)
        image = _mean(colour)
        new = _mean(np.maximum(colour[..., 3] - own, 0)) / np.maximum(image[..., 3], 1e-3)
        return image, self._flow(near[0], source[0], left, top), new[..., None].clip(0, 1)

    def _flow(self, near: Floats, source: Floats, left: int, top: int) -> Floats:
        """(h, w, 2): of the first layer; elsewhere of the nearest pixel that shows it."""
        pick = np.s_[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]
        hit = near[pick] > RIM_SHARE**1.5
        height, width = hit.shape
        offset = np.array([left, top], np.float32) * SAMPLES + (SAMPLES // 2 + 0.5)
        own = (identity_map(height, width) * SAMPLES + offset) * np.float32(2 / (self.side * SAMPLES))
        shown = np.asarray(np.where(hit[..., None], source[pick], 0), np.float32)
        flow = (shown + 0.5) * np.float32(2 / self.side) - own
        return _spread(flow, hit)


class _Moving:
    """A layer, and what poses do to its mesh."""

    def __init__(self, layer: Layer, first: bool, whole: bool) -> None:
        self._mesh = Mesh(layer, first, whole)

    def draw(self, near: Floats, source: Floats, view: View, frames: Floats, values: Floats) -> None:
        """See ``Mesh.draw``; ``values``: (S, 2), of each shape on the character's left and right."""
        self._mesh.draw(near, source, view, frames, self._moved(values))

    def _moved(self, values: Floats) -> Floats:
        """(M, 4): see ``Mesh.draw``."""
        moved = np.zeros((len(self._mesh.left), 4), np.float32)
        lids, gaze, mouth, rest = (self._sum(values, group) for group in (_LIDS, _GAZE, _MOUTH, _REST))
        moved[:, :2] = lids + gaze + mouth + rest
        moved[:, 2] = _farthest(lids) * np.float32(_LIDS_NEARER) + _farthest(gaze) * np.float32(
            _IRISES_NEARER
        )
        # Behind what gaze and mouth move there is something else: the white of the eye, the inside of the mouth. Lips
        # open upwards and downwards, irises go anywhere: one number that tells all of it apart.
        moved[:, 3] = (gaze + mouth) @ np.array([2, 1], np.float32)
        return moved

    def _sum(self, values: Floats, group: Mask) -> Floats:
        """(M, 2): what shapes of a group of these values, (S, 2): on the character's left and right, do together."""
        total = np.zeros((len(self._mesh.left), 2), np.float32)
        for shape in np.flatnonzero(values.any(1) & group):
            left, right = values[shape]
            share = right if left == right else (right + self._mesh.left * (left - right))[:, None]
            total += share * self._mesh.shapes[shape]
        return total


def _farthest(offsets: Floats) -> Floats:
    """(M,): the larger of how far each goes across and down."""
    return np.asarray(np.maximum(np.abs(offsets[:, 0]), np.abs(offsets[:, 1])), np.float32)


_LIDS, _GAZE, _MOUTH = (
    np.array([name.startswith(prefix) for name in SHAPES]) for prefix in ("eye_", "gaze_", "mouth_")
)
_REST = ~(_LIDS | _GAZE | _MOUTH)


def _shape_values(pose: Pose) -> Floats:
    """(S, 2): of each of ``SHAPES``, on the character's left and right."""
    face = {**pose.face, "gaze_up": pose.gaze[0], "gaze_left": pose.gaze[1]}
    paired = [[face.get(f"{name}_{side}", 0.0) for side in ("left", "right")] for name in PAIRED]
    return np.array([*paired, *([face.get(name, 0.0)] * 2 for name in SINGLE)], np.float32)


def _at_rest(layer: Layer) -> Floats:
    """(n, n, 2): column and row where each pixel's content is seen at rest."""
    side = len(layer.seen)
    if layer.places is None:
        return identity_map(side, side)
    depth = layer.fields[..., DEPTH, None]
    return np.asarray((layer.places / (1 + depth / DISTANCE) + 1) * (side / 2) - 0.5, np.float32)


def _enlarged(colour: Floats, side: int) -> Floats:
    if len(colour) == side:
        return np.ascontiguousarray(colour, np.float32)
    return np.asarray(cv2.resize(colour, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _frames(pose: Pose, joints: npt.NDArray[np.float64]) -> Floats:
    """(5, 3, 4): where nothing, half the spine, all of it, the neck, and the head carry points."""
    frames = np.zeros((FRAMES, 3, 4))
    frames[0, :, :3] = np.eye(3)
    angles = (pose.bones.body, pose.bones.body, pose.bones.head, pose.bones.head)
    for number, (joint, turn) in enumerate(zip(joints, angles, strict=True)):
        own = _FLIP @ part_of(rotation(*turn), 0.5) @ _FLIP
        above = frames[number]
        frames[number + 1, :, :3] = above[:, :3] @ own
        frames[number + 1, :, 3] = above[:, :3] @ (joint - own @ joint) + above[:, 3]
    return frames.astype(np.float32)


def _mean(samples: Floats) -> Floats:
    height, width = samples.shape[0] // SAMPLES, samples.shape[1] // SAMPLES
    return np.asarray(cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _spread(flow: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """The flow, with that of the nearest known pixel where it is not known."""
    if not known.any():
        return np.zeros_like(flow)
    if known.all():
        return flow
    return np.asarray(flow.reshape(-1, 2)[nearest_known(known)[1]], np.float32)
