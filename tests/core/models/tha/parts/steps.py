# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples with all their stages, drawn so that brows, face and body lie where Talking Head Anime's crops are."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from keywarp.core.color import to_srgb8
from keywarp.core.resample import warp_by_flow
from keywarp.core.training.sample import Sample
from keywarp.keyframes.spaces import space

from ....training.samples import bent, drawing

SPACE = "tha45"


def strokes(side: int, boxes: list[tuple[float, float, float, float]], colour: tuple[float, ...]) -> Any:
    """(side, side, 4) premultiplied, linear: rectangles, given by their middle and size in pixels of 512."""
    fine = np.zeros((4 * side, 4 * side), np.float32)
    for x, y, width, height in boxes:
        corners = [((x + s * width / 2) * side / 128, (y + s * height / 2) * side / 128) for s in (-1, 1)]
        (left, top), (right, bottom) = [(round(a), round(b)) for a, b in corners]
        fine[top:bottom, left:right] = 1
    alpha = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)[..., None]
    return np.concatenate([np.array(colour, np.float32) * alpha, alpha], -1)


def over(front: Any, back: Any) -> Any:
    return front + back * (1 - front[..., 3:])


def brows_at(side: int, raised: float) -> Any:
    y = 124 - 24 * raised
    return strokes(side, [(230, y, 40, 16), (282, y, 40, 16)], (0.05, 0.0, 0.1))


def face_at(side: int, opened: float) -> Any:
    """Eyes that close and a mouth that opens."""
    eyes = [(x, 150, 32, 28 - 20 * opened) for x in (228, 284)]
    return strokes(side, [*eyes, (256, 198, 40, 8 + 28 * opened)], (0.4, 0.05, 0.05))


def stepped(number: int, side: int = 64) -> Sample:
    """A drawing whose brows, face and body go to a pose one after the other."""
    random = np.random.Generator(np.random.PCG64(number))
    raised, opened, turned = random.uniform(0.4, 1, 3)
    ground = drawing(side, number % 2)
    ground[..., :3] = 0.3 * ground[..., :3] + 0.6 * ground[..., 3:]  # light skin
    bare = over(face_at(side, 0), ground)
    brows = brows_at(side, 0)
    browed = over(brows_at(side, raised), bare)
    morphed = over(brows_at(side, raised), over(face_at(side, opened), ground))
    flow = np.float32(2.5 * turned) * bent(side, number)
    posed = warp_by_flow(morphed, flow)
    names = {"eyebrow_raised_left": raised, "eyebrow_raised_right": raised, "eye_wink_left": opened}
    pose = space(SPACE).pose({**names, "mouth_aaa": opened, "head_y": turned * (-1) ** number})
    stages = {"bare": bare, "brows": brows, "browed": browed, "morphed": morphed}
    return Sample(
        key=f"step-{number:04d}",
        identity=f"somebody{number % 2}",
        posed=to_srgb8(posed),
        rest=to_srgb8(over(brows, bare)),
        poses={SPACE: pose},
        flow=flow * (posed[..., 3:] > 0),
        visible=np.ones((side, side), np.float32),
        stages={name: to_srgb8(picture) for name, picture in stages.items()},
    )
