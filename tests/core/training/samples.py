# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples whose truth is known, made for tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.core.color import from_srgb8, to_srgb8
from keywarp.core.head import framing_for
from keywarp.core.picture import read_picture
from keywarp.core.resample import square_picture, warp_by_flow
from keywarp.core.studio.dataset import Order, photograph
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.sampling import scheme
from keywarp.core.training.sample import Sample
from keywarp.core.training.scores import picture_scores, seen
from keywarp.core.training.shards import ShardWriter, read_shards
from keywarp.core.training.stages import POSED, REST, Pair, between
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


def real_pairs(images: Path, side: int = 128) -> list[Sample]:
    """Eight pairs: real drawings that are turned, stretched and bent by known flows, each with a pose of its own."""
    pairs = []
    axis = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(axis, axis)
    for number in range(8):
        path = sorted(images.glob("*.png"))[number % 4]
        picture = read_picture(path).pixels
        rest = square_picture(picture, framing_for(picture), side)
        random = np.random.Generator(np.random.PCG64(number))
        turn, grow, dx, dy = random.uniform(-1, 1, 4)
        # A turn of the head: rigid in the middle, still at the shoulders.
        calm = np.exp(-((x / 0.75) ** 4) - (np.maximum(y - 0.1, 0) / 0.45) ** 2)
        across, down = (
            -0.22 * turn * y + 0.1 * grow * x + 0.12 * dx,
            0.22 * turn * x + 0.1 * grow * y + 0.1 * dy,
        )
        moved = np.stack([across + 0.02 * np.sin(5 * y + number), down + 0.02 * np.cos(5 * x + number)], -1)
        for strength in np.linspace(1, 3, 9):  # drawings in flat colours change less
            flow = (strength * moved * calm[..., None]).astype(np.float32)
            posed = warp_by_flow(rest, flow)
            if picture_scores(seen(rest), seen(posed))["psnr"] < 20:
                break
        pose = space(SPACE).pose(
            {"roll": 20 * turn, "yaw": 20 * dx, "pitch": 20 * dy, "mouth_a": (grow + 1) / 2}
        )
        mask = np.exp(-((x / 0.4) ** 2) - ((y + 0.1) / 0.4) ** 2).astype(np.float32)
        pairs.append(
            Sample(
                key=f"pair-{number}",
                identity=path.stem,
                posed=to_srgb8(posed),
                rest=to_srgb8(rest),
                poses={SPACE: pose},
                flow=flow * (posed[..., 3:] > 0),
                visible=np.ones((side, side), np.float32),
                regions={"face": mask},
            )
        )
    return pairs


def pairs_to_learn(images: Path, full: bool) -> list[Sample]:
    """Eight pairs: rendered characters where everything is tried, else drawings, which are made in no time."""
    return rendered_pairs("head") if full else real_pairs(images)


@cache
def rendered_pairs(framing: str, side: int = 128, source: str = REST, target: str = POSED) -> list[Sample]:
    """Eight pairs of rendered characters, generated ones: of each the photograph whose ``source`` and ``target``
    differ most. ``tha`` frames them as Talking Head Anime does, with all pictures between rest and pose."""
    tha = framing == "tha"
    poses = scheme("tha45" if tha else "animeceleb-gaze")
    order = Order(poses, ("cel",), side, framing, 24 if tha else 2, 1, stages=tha)
    pairs = []
    for seed in range(5000, 5008):
        with tempfile.TemporaryDirectory() as folder:
            with ShardWriter(Path(folder)) as writer:
                photograph(generated_character(seed, side), order, writer)
            found = read_shards([Path(folder)])
            pairs.append(min(found, key=lambda sample: likeness(between(sample, Pair(source, target)))))
    return pairs


def likeness(pair: Sample) -> float:
    """PSNR between the rest and the posed picture."""
    assert pair.rest is not None
    return picture_scores(*(seen(from_srgb8(picture)) for picture in (pair.rest, pair.posed)))["psnr"]
