# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student's two networks as facts: names and shapes of their tensors, sizes, crops.

papers: Talking Head Anime 4, section 4.1 and figures 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIDE = 512
"""The body rotator draws a square of this many pixels."""
FACE_SIDE = 128
FACE_TOP, FACE_LEFT = 80, 192
"""Where the face morpher's square lies in the body rotator's, in pixels."""
FACE_CHANNELS = 39
"""The face morpher takes the first 39 of the 45 pose channels."""
POSE_CHANNELS = 45
OMEGA = 30.0
"""Every hidden layer is sin(OMEGA * (W x + b)) (SIREN, the paper's reference [79])."""

FACE_WIDTH, FACE_SINES = 128, 8
LEVELS = ((128, 360), (256, 180), (512, 90))
"""(resolution, channels) of the body rotator's three substeps, three layers each."""

TILE_STEP = 4
"""Corners and sides of tiles are multiples of it, so that they begin on a pixel of the coarsest substep."""


@dataclass(frozen=True)
class Variant:
    """An architecture of the body rotator, to compare (table 6)."""

    several_resolutions: bool = True
    """Else all layers work on 512 pixels."""
    warps: bool = True
    """Else the image is drawn directly."""


PUBLISHED = "published"
VARIANTS = {PUBLISHED: Variant(), "single": Variant(False), "vanilla": Variant(False, False)}
"""The table's vanilla SIREN draws directly, on one resolution; its width is not given, here it is the published."""

Shapes = Mapping[str, tuple[int, ...]]


def face_morpher_shapes() -> dict[str, tuple[int, ...]]:
    """The face morpher: nine fully connected layers, 41 inputs (x, y, pose), RGBA out."""
    out: dict[str, tuple[int, ...]] = {}
    for layer in range(FACE_SINES):
        inputs = 2 + FACE_CHANNELS if layer == 0 else FACE_WIDTH
        out[f"siren.sine_layers.{layer}.linear.weight"] = (FACE_WIDTH, inputs, 1, 1)
        out[f"siren.sine_layers.{layer}.linear.bias"] = (FACE_WIDTH,)
    out["siren.last_linear.weight"] = (4, FACE_WIDTH, 1, 1)
    out["siren.last_linear.bias"] = (4,)
    return out


def body_rotator_shapes() -> dict[str, tuple[int, ...]]:
    """The body rotator: ten layers on three resolutions; flow (2), alpha (1) and RGBA (4) out.

    The files call it ``body_morpher``.
    """
    out: dict[str, tuple[int, ...]] = {}
    channels = [width for _, width in LEVELS]
    for level, width in enumerate(channels):
        narrowed = channels[min(level + 1, len(channels) - 1)]
        carried = 0 if level == 0 else width
        for layer, (inputs, outputs) in enumerate(
            ((carried + 2 + POSE_CHANNELS, width), (width, width), (width, narrowed))
        ):
            out[f"siren_layers.{level}.{layer}.linear.weight"] = (outputs, inputs, 1, 1)
            out[f"siren_layers.{level}.{layer}.linear.bias"] = (outputs,)
    out["last_linear.weight"] = (7, channels[-1], 1, 1)
    out["last_linear.bias"] = (7,)
    return out
