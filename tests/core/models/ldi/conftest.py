# SPDX-License-Identifier: GPL-3.0-or-later
"""A generated character, baked, and the photographer who knows how its poses look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.color import to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.models.base import Animator
from keywarp.core.models.ldi.bake import Order, bake
from keywarp.core.models.registry import find_model
from keywarp.core.motion import Motion
from keywarp.core.picture import read_picture
from keywarp.core.studio.actor import Actor, Pose, read_pose
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.photograph import Shot, Studio
from keywarp.keyframes.spaces import space

SEED, SIDE, PICTURE, FRAMING = 4, 256, 512, "head"
REST = {"mouth_aaa": 0.0}
"""3D characters rest with their mouths closed."""


def seen(picture: Any) -> Any:
    """(n, n, 3) in [0, 1]: sRGB over mid grey, of 8-bit straight alpha or of premultiplied linear light."""
    straight = (picture if picture.dtype == np.uint8 else to_srgb8(picture)).astype(np.float64) / 255
    return straight[..., :3] * straight[..., 3:] + 0.5 * (1 - straight[..., 3:])


@dataclass(frozen=True)
class Baked:
    """The character twice: as a baked folder poses it, and as photographs show it."""

    folder: Path
    animator: Animator
    state: object
    actor: Actor
    studio: Studio

    def motion(self, window: tuple[int, int, int, int] | None = None, **channels: float) -> Motion:
        return self.animator.motion(self.state, space("tha45").pose({**REST, **channels}), window)

    def shot(self, **channels: float) -> Shot:
        pose = read_pose("tha45", space("tha45").pose({**REST, **channels}))
        return self.studio.shot(self.actor.placed(pose))


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    folder = tmp_path_factory.mktemp("baked") / "who"
    bake(partial(generated_character, SEED), folder, Order(framing=FRAMING, side=SIDE, picture=PICTURE))
    animator = find_model(folder).open("cpu")
    character = generated_character(SEED, SIDE)
    actor = Actor(character.figure, character.annotation, FRAMING)
    own = read_picture(folder / "character.png").pixels
    state = animator.prepare(own, Framing.of_square(0, 0, PICTURE))
    return Baked(folder, animator, state, actor, actor.studio(SIDE, "outline", Pose()))
