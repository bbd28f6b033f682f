# SPDX-License-Identifier: GPL-3.0-or-later
"""What of ATW's networks may differ between recipes, and what the paper fixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from keywarp.core.motion import FloatImage
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

MOTION_BLOCKS, REFINE_BLOCKS = 6, 4
"""Residual blocks of the two networks (papers: ATW, section 3.2)."""
MOTION_SCALES = (1, 2, 4)
COMMON = 16
"""Places on a side of the flow that is common to all characters."""
EPSILON = 1e-5
"""Added to the variance by instance normalisation."""
LOSSES = ("cycle", "adversarial", "driving", "warp", "refine")
"""Eq. 10."""
PAIRED_LOSSES = ("image", "warped", "flow", "painted", "detail")


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network``."""

    width: int = 48
    """Channels at full resolution; twice and four times as many below."""
    critic_width: int = 32
    reach: float = 0.5
    """The factor by which the motion network's tanh is multiplied, in square units (papers: ATW, section 3.2)."""
    critic_steps: int = 5
    """Updates of the discriminators before one of the generator (Algorithm 1)."""
    penalty: float = 10.0
    """Weight of the gradient penalty (eq. 1)."""
    categories: bool = False
    """The space's channels are expression categories: discriminators classify, and what lies between categories is
    reached by interpolating motion fields (section 4.1)."""
    paired: bool = False
    """The rest picture is posed and compared with the posed one; else any picture is given another's pose."""
    modulated: bool = False
    """The pose also scales and shifts what the motion network's residual blocks have normalised."""
    motion_scale: int = 1
    """The motion network sees the picture averaged down by this factor, and its flow is enlarged again: a fourth of
    its work for 2, and ResWarp asks for smooth flows only."""
    placed: bool = False
    """Both networks are told where each pixel is, by two channels more: a turned head moves by how far from its
    middle something is, which convolutions do not see."""
    common: bool = False
    """What a pose does to everybody, a coarse flow that is linear in it, is learnt apart and added: the convolutions
    are left with what is each character's own."""
    rest_share: float = 0.0
    """Share of paired examples that are replaced by the rest picture with the rest pose."""
    region_weight: float = 1.0
    """Weight of eyes and mouth against the rest of the picture in paired losses (papers: THA4, section 4.2: 20)."""

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting that there is not."""
        known = {f.name: f.type for f in fields(cls)}
        for name, value in recipe.network.items():
            if name not in known or not isinstance(value, (int, float)):
                raise KeywarpError(f"atw has no network setting {name}: {value!r}; it has {', '.join(known)}")
        for name in recipe.losses:
            if name not in (*LOSSES, *PAIRED_LOSSES):
                raise KeywarpError(f"atw has no loss {name!r}; it has {', '.join((*LOSSES, *PAIRED_LOSSES))}")
        settings: Mapping[str, Any] = recipe.network
        made = cls(**settings)
        if made.motion_scale not in MOTION_SCALES:
            raise KeywarpError(f"atw's motion_scale is 1, 2 or 4, not {made.motion_scale!r}")
        unit = 16 * made.motion_scale
        if recipe.side % unit or recipe.side < 2 * unit:
            raise KeywarpError(
                f"atw draws squares whose side is a multiple of {unit} from {2 * unit} on, not {recipe.side}"
            )
        return made


def pose_scale(space_name: str) -> FloatImage:
    """(C,): by what a pose is multiplied so that every channel reaches 1."""
    poses = space(space_name)
    reach = np.maximum(np.abs(poses.minimum), np.abs(poses.maximum))
    scale: FloatImage = (1 / np.maximum(reach, 1e-6)).astype(np.float32)
    return scale
