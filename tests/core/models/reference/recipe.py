# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic stand-in weights and inputs for checkpoint-compatibility tests.

Nobody can ship the published checkpoints of Talking Head Anime 3/4 or of the
Thin-Plate Spline Motion Model here, but their *layout* (the name, shape and
dtype of every tensor) is a fact, listed in ``*.keys.json``.  Filling that
layout by this recipe gives weights that anyone can rebuild bit for bit; the
``*.reference.npz`` beside each list holds what the published networks answer
with exactly those weights.  A network that loads the layout unchanged and
gives the same answers will load the real checkpoint as well.
"""

import json
import zlib
from pathlib import Path

import numpy as np


def fill(name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Value of one tensor of a state dict, from its name and shape alone."""
    if dtype.startswith("int"):
        return np.zeros(shape, dtype)
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    x = rng.standard_normal(shape)
    if name.endswith("running_var"):
        x = 0.5 + rng.random(shape)
    elif len(shape) >= 2:
        fan_in = int(np.prod(shape[1:]))
        x *= np.sqrt(1.5 / fan_in)
    elif name.endswith("weight"):
        x = 1.0 + 0.1 * x
    else:
        x *= 0.05
    return x.astype(dtype)


def state_dict(keys_file: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """``{network: {tensor name: array}}`` for a ``*.keys.json`` file."""
    listing = json.loads(Path(keys_file).read_text())
    return {
        network: {name: fill(name, tuple(shape), dtype) for name, (shape, dtype) in tensors.items()}
        for network, tensors in listing.items()
    }


def image(size: int, channels: int, seed: int = 7) -> np.ndarray:
    """Smooth test image, float32 (channels, size, size) in [-1, 1]."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:size, 0:size] / size
    out = np.zeros((channels, size, size))
    for c in range(channels):
        for _ in range(6):
            fx, fy, p = rng.uniform(-6, 6), rng.uniform(-6, 6), rng.uniform(0, 6.28)
            out[c] += np.sin(2 * np.pi * (fx * x + fy * y) + p)
    return np.clip(out / 3, -1, 1).astype("float32")


def pose(size: int, seed: int) -> np.ndarray:
    """Test pose vector, float32 (size,) in [0, 1]; of 45 those from 37 to 43 in [-1, 1]."""
    rng = np.random.Generator(np.random.PCG64(seed))
    p = rng.random(size)
    if size == 45:
        p[37:44] = p[37:44] * 2 - 1
    return p.astype("float32")
