# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples whose truth is known, made for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from keywarp.core.color import to_srgb8
from keywarp.core.resample import warp_by_flow
from keywarp.core.training.sample import Sample
from keywarp.keyframes.spaces import space

SPACE = "animeceleb20gaze"


def drawing(side: int, seed: int) -> Any:
    """(side, side, 4) premultiplied, linear: soft colours, opaque in the middle, nothing at the border."""
    axis = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(axis, axis)
    random = np.random.Generator(np.random.PCG64(seed))
    waves = random.uniform(1, 5, (3, 4))
    colour = np.stack([0.5 + 0.4 * np.sin(a * x + b) * np.cos(c * y + d) for a, b, c, d in waves], -1)
    alpha = np.clip((0.75 - np.hypot(x, y)) * 12, 0, 1)[..., None]
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)


def bent(side: int, seed: int) -> Any:
    """(side, side, 2): a smooth backward flow that leaves the border still."""
    axis = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(axis, axis)
    random = np.random.Generator(np.random.PCG64(seed + 1000))
    calm = np.clip(1.1 - np.hypot(x, y), 0, 1)
    a, b, c, d = random.uniform(-2, 2, 4)
    return (0.16 * calm[..., None] * np.stack([np.sin(a * y + b), np.cos(c * x + d)], -1)).astype(np.float32)


def sample(number: int = 0, side: int = 64, **changed: Any) -> Sample:
    """A drawing and the same warped by a known flow."""
    random = np.random.Generator(np.random.PCG64(number))
    rest, flow = drawing(side, number), bent(side, number)
    posed = warp_by_flow(rest, flow)
    parts: dict[str, Any] = {
        "key": f"sample-{number:04d}",
        "identity": f"somebody{number % 3}",
        "posed": to_srgb8(posed),
        "rest": to_srgb8(rest),
        "poses": {SPACE: space(SPACE).clamp(random.uniform(-1, 1, len(space(SPACE))))},
        "flow": flow * (posed[..., 3:] > 0),
        "visible": np.ones((side, side), np.float32),
        "regions": {
            "mouth": (np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]) < 0.3).astype(np.float32)
        },
        "about": {"style": "flat"},
    }
    return Sample(**{**parts, **changed})
