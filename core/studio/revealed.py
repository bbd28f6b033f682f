# SPDX-License-Identifier: GPL-3.0-or-later
"""What poses bring to light of a figure: layers photographed in poses that do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keywarp.core.layered import DEPTH, DISTANCE, PAIRED, SHAPES, Floats, Layer, Mask, shape_fields
from keywarp.core.opencv import cv2
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.rig import BonePose

_CLOSE = 0.01
"""Depth by which what lies at a place may differ from what is seen there at rest and still be that."""
_WELL = 0.6
"""Pixels of the rest picture that show what one pixel of a pose shows, from which on they show it well enough."""
_FAR = 2.0
"""Pixels by which a shape moves what is kept of its photograph though it is seen at rest: on its way it bends."""
_RIM = 3
"""Pixels around what a pose reveals that are kept, too, so that nothing gapes."""
_SHUT = {"eye_wink_left": 1.0, "eye_wink_right": 1.0, "mouth_aaa": 1.0}
_WIDE = {"eye_surprised_left": 1.0, "eye_surprised_right": 1.0, "mouth_iii": 1.0}
REVEALING = (
    Pose(_SHUT),
    Pose(_WIDE, BonePose((15.0, 0.0, 0.0)), gaze=(-1.0, 0.0)),
    Pose({}, BonePose((-15.0, 0.0, 0.0)), gaze=(1.0, 0.0)),
    Pose({}, BonePose((0.0, 15.0, 0.0), (0.0, 10.0, 0.0)), gaze=(0.0, 1.0)),
    Pose({}, BonePose((0.0, -15.0, 0.0), (0.0, -10.0, 0.0)), gaze=(0.0, -1.0)),
)
"""Lids and the insides of mouths; eyes opened wide, what lids hide of them, and all sides of the head, as far as
``tha45`` turns it."""


def revealed(actor: Actor, style: str, fields: Floats, first: Layer, finer: int, pose: Pose) -> Layer:
    """What a pose shows that the rest picture does not, or not well.

    ``fields``: ``vertex_fields`` of the figure at rest; ``first``: the layer that is seen there; ``finer``: pixels
    along a side of the colours.
    """
    side = len(first.seen)
    studio = actor.studio(side, style, pose)
    found = studio.surfaces()
    colour = actor.studio(finer, style, pose).surfaces().colour
    camera = actor.camera
    away = studio.vertices(actor.placed(Pose())) - np.array([camera.x, camera.y, camera.z], np.float32)
    points = away * np.array([1, -1, 1], np.float32) / np.float32(camera.half)
    at_vertices = np.concatenate([fields] * studio.sheets)
    own = np.einsum("rcv,rcvf->rcf", found.shares, at_vertices[found.corners])
    places = np.einsum("rcv,rcvf->rcf", found.shares, points[found.corners])
    own[..., DEPTH] = places[..., 2]
    new = found.seen & (~_known(first, places) | (_moved(own, pose.face) > _FAR * 2 / side))
    # A single pixel is an edge that was met at another place of its width.
    kept = cv2.morphologyEx(new.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    kept = cv2.dilate(kept, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8))
    seen = np.asarray((kept > 0) & found.seen)
    return Layer(colour, seen, own * seen[..., None], places[..., :2] * seen[..., None])


def _known(first: Layer, places: Floats) -> Mask:
    """(n, n): which of these places, (n, n, 3), the first layer shows, and not much more obliquely."""
    side = len(first.seen)
    at = (places[..., :2] / (1 + places[..., 2:] / DISTANCE) + 1) * np.float32(side / 2) - np.float32(0.5)
    depth = np.where(first.seen, first.fields[..., DEPTH], np.inf).astype(np.float32)
    there = cv2.remap(depth, at, None, cv2.INTER_NEAREST, borderValue=float("inf"))
    across, down = np.gradient(at, axis=1), np.gradient(at, axis=0)
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    return np.asarray((np.abs(places[..., 2] - there) < _CLOSE) & (area > _WELL))


def _moved(fields: Floats, face: Mapping[str, float]) -> Floats:
    """(n, n): how far the shapes of a face have moved what pixels show, in square units."""
    total = np.zeros((*fields.shape[:2], 2), np.float32)
    for shape in SHAPES:
        channel = f"{shape}_left" if shape in PAIRED else shape
        total += fields[..., shape_fields(shape)] * np.float32(face.get(channel, 0.0))
    return np.asarray(np.abs(total).max(-1), np.float32)
