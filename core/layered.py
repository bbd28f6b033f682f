# SPDX-License-Identifier: GPL-3.0-or-later
"""``Layered``: a still picture as a layered depth image that can be posed, with blend shapes and bones.

A layered depth image (J. Shade et al., *Layered Depth Images*, SIGGRAPH 1998) says of every pixel how deep its
content lies, and what lies behind it. Here each pixel also knows what bones carry it (linear blend skinning) and
how far each shape of the face moves it (blend shapes), as a vertex of a 3D character does.

Convention: the model's square is 2 wide with its origin in the middle, x to the right, y down (see ``Motion``);
depth is in the same unit, away from the camera, 0 at the head's mean depth. The camera is ``DISTANCE`` before that
plane: a point (x, y, z) is seen at ``(x, y) / (1 + z / DISTANCE)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FIELD_DEGREES = 16.0
"""The camera's angle of view: a long lens, as faces are drawn."""
DISTANCE = float(1 / np.tan(np.radians(FIELD_DEGREES / 2)))

PAIRED = (
    "eyebrow_troubled",
    "eyebrow_angry",
    "eyebrow_lowered",
    "eyebrow_raised",
    "eyebrow_happy",
    "eyebrow_serious",
    "eye_wink",
    "eye_happy_wink",
    "eye_surprised",
    "eye_relaxed",
    "eye_unimpressed",
    "eye_raised_lower_eyelid",
    "iris_small",
    "mouth_lowered_corner",
    "mouth_raised_corner",
)
"""Shapes of both sides of the face: tha45's channels without ``_left`` and ``_right``. One field holds both, since
none moves a pixel of the other side."""
SINGLE = (
    "mouth_aaa",
    "mouth_iii",
    "mouth_uuu",
    "mouth_eee",
    "mouth_ooo",
    "mouth_delta",
    "mouth_smirk",
    "gaze_up",
    "gaze_left",
)
"""Shapes of the whole face. ``gaze_up`` and ``gaze_left`` (the picture's left): where a gaze of 1 takes the irises;
one of -1 takes them as far the other way."""
SHAPES = (*PAIRED, *SINGLE)

DEPTH, BODY, HEAD, LEFT = range(4)
"""Fields: depth; how far the pixel follows the turns of the spine, and of neck and head (0: not, 1: wholly, as the
last bone of the chain does); whether it lies on the character's left side of the face (1) or on the other (0)."""
FIRST_SHAPE = 4
FIELDS = FIRST_SHAPE + 2 * len(SHAPES)
"""Then for each of ``SHAPES`` how far 1 of it moves the pixel's content: x, y."""
THROAT = 0.06
"""How far behind the lips the inside of a mouth is taken to lie at least. Shapes move tongues towards the camera,
too, which no field says: they must not come through the chin."""
BONES = ("spine", "chest", "neck", "head")
"""Whose rotations move pixels: two halves of the body's turn, then two halves of the head's."""


@dataclass(frozen=True)
class Layer:
    """What can be seen in one picture's square, or behind it."""

    colour: Floats
    """(m, m, 4): premultiplied, linear light; m need not be the fields' n."""
    seen: Mask
    """(n, n): where there is anything."""
    fields: Floats
    """(n, n, FIELDS)."""
    places: Floats | None = None
    """(n, n, 2): x and y of what each pixel holds, at rest and before the camera; ``None``: it was photographed at
    rest, and is where its pixel is."""


@dataclass(frozen=True)
class Layered:
    """Everything that is known of a picture, nearest layer first."""

    layers: tuple[Layer, ...]
    joints: Floats
    """(4, 3): where each of ``BONES`` turns."""


def shape_fields(name: str) -> slice:
    """The two fields of one of ``SHAPES``."""
    first = FIRST_SHAPE + 2 * SHAPES.index(name)
    return slice(first, first + 2)


def box_of(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns in which there is anything."""
    found = []
    for axis in (1, 0):
        where = np.flatnonzero(mask.any(axis))
        found.append(slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0))
    return found[0], found[1]


def own_places(depth: Floats) -> Floats:
    """(n, n, 2): where pixels of this depth, (n, n), are before the camera, x and y."""
    along = (2 * np.arange(len(depth), dtype=np.float32) + 1) / len(depth) - 1
    return np.asarray(np.stack(np.meshgrid(along, along), -1) * (1 + depth / DISTANCE)[..., None], np.float32)


def mirrored(layered: Layered) -> Layered:
    """What the mirrored picture is."""
    layers = []
    for layer in layered.layers:
        fields = layer.fields[:, ::-1].copy()
        fields[..., LEFT] = 1 - fields[..., LEFT]
        fields[..., FIRST_SHAPE::2] *= -1
        fields[..., shape_fields("gaze_left")] *= -1  # its 1 leads to the picture's left in either picture
        fields *= layer.seen[:, ::-1, None]
        places = None
        if layer.places is not None:
            places = layer.places[:, ::-1] * np.array([-1, 1], np.float32)
        layers.append(
            Layer(
                np.ascontiguousarray(layer.colour[:, ::-1]),
                np.ascontiguousarray(layer.seen[:, ::-1]),
                fields,
                places,
            )
        )
    return Layered(tuple(layers), layered.joints * np.array([-1, 1, 1], np.float32))
