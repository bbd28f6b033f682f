# SPDX-License-Identifier: GPL-3.0-or-later
"""Layered pictures made of random numbers, for tests of what keeps or turns them."""

from __future__ import annotations

from typing import Any

import numpy as np

from keywarp.core.color import from_srgb8
from keywarp.core.layered import BODY, BONES, FIELDS, FIRST_SHAPE, HEAD, LEFT, Layer, Layered

Box = tuple[int, int, int, int]
"""Top, bottom, left, right."""


def layer(n: int, m: int, face: Box, random: np.random.Generator, seen: Any = None) -> Layer:
    """``n`` pixels wide, its colours ``m``; shapes move what lies in the box."""
    top, bottom, left, right = face
    mask = random.random((n, n)) < 0.8 if seen is None else seen
    fields = random.normal(0, 0.2, (n, n, FIELDS)).astype(np.float32)
    fields[..., [BODY, HEAD]] = random.random((n, n, 2))
    fields[..., LEFT] = random.random((n, n)) < 0.5
    outside = np.ones((n, n), bool)
    outside[top:bottom, left:right] = False
    fields[outside, FIRST_SHAPE:] = 0
    colour = random.integers(0, 256, (m, m, 4), dtype=np.uint8)
    return Layer(from_srgb8(colour), mask, fields * mask[..., None])


def layered(n: int = 8, m: int = 12, count: int = 2, seed: int = 0, face: Box | None = None) -> Layered:
    random = np.random.Generator(np.random.PCG64(seed))
    box = (n // 4, n // 2, n // 4, n) if face is None else face
    joints = random.normal(0, 1, (len(BONES), 3)).astype(np.float32)
    return Layered(tuple(layer(n, m, box, random) for _ in range(count)), joints)
