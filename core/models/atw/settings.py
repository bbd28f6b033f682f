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
        if recipe.side % 16 or recipe.side < 32:
            raise KeywarpError(
                f"atw draws squares whose side is a multiple of 16 from 32 on, not {recipe.side}"
            )
        settings: Mapping[str, Any] = recipe.network
        return cls(**settings)


def pose_scale(space_name: str) -> FloatImage:
    """(C,): by what a pose is multiplied so that every channel reaches 1."""
    poses = space(space_name)
    reach = np.maximum(np.abs(poses.minimum), np.abs(poses.maximum))
    scale: FloatImage = (1 / np.maximum(reach, 1e-6)).astype(np.float32)
    return scale
