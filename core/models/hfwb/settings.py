# SPDX-License-Identifier: GPL-3.0-or-later
"""What of HFWB's networks may differ between recipes, and which channels drive which stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

VARIANTS = ("full", "grid_iter", "baseline_grid", "baseline_up", "baseline")
"""Of table V, the head stage: all of it; the iterated grid applied to the picture itself; the grid in one go; the
grid at a quarter of the size, enlarged; an auto-encoder that draws the picture without a grid."""
LOSSES = ("adversarial", "content", "perceptual", "offset", "flow")
"""Eq. 10, and the true flow where the data has it."""
MASK, GRID, BLEND = "mask", "grid", "blend"
"""The stages, trained one after another (section V-A)."""


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network``."""

    width: int = 48
    """Channels at full resolution; they double with every halving, up to eight times as many."""
    critic_width: int = 48
    variant: str = "full"
    """One of ``VARIANTS``."""
    iterations: int = 4
    """k: small poses into which a head pose is cut (section IV-B, table IV)."""
    mask_blocks: int = 6
    grid_blocks: int = 3
    """Residual blocks that an iteration goes through; all iterations share them."""
    blend_blocks: int = 4
    reach: float = 0.5
    """Largest displacement on each axis, in the square's units."""
    penalty: float = 10.0
    """Weight of the gradient penalty that keeps the critic of eq. 8 in bounds."""
    region_weight: float = 1.0
    """Weight of eyes and mouth against the rest of the picture in the losses that compare pictures."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise KeywarpError(f"hfwb has no variant {self.variant!r}; it has {', '.join(VARIANTS)}")
        if not 1 <= self.iterations <= 16:
            raise KeywarpError(f"hfwb cuts a head pose into 1 to 16 iterations, not {self.iterations}")

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting or a loss that there is not."""
        known = {f.name for f in fields(cls)}
        for name in recipe.network:
            if name not in known:
                raise KeywarpError(f"hfwb has no network setting {name!r}; it has {', '.join(sorted(known))}")
        for name in recipe.losses:
            if name not in LOSSES:
                raise KeywarpError(f"hfwb has no loss {name!r}; it has {', '.join(LOSSES)}")
        if recipe.side % 16 or recipe.side < 32:
            raise KeywarpError(
                f"hfwb draws squares whose side is a multiple of 16 from 32 on, not {recipe.side}"
            )
        settings: Mapping[str, Any] = recipe.network
        return cls(**settings)

    @property
    def steps(self) -> int:
        """How often the grid generator goes through its blocks."""
        return self.iterations if self.variant in ("full", "grid_iter") else 1

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that this variant has."""
        if self.variant == "full":
            return MASK, GRID, BLEND
        return (MASK, BLEND) if self.variant == "baseline" else (MASK, GRID)


def head_columns(space_name: str) -> list[int]:
    """The channels that turn the head, which the head stage takes; the others drive the face stage."""
    return [at for at, channel in enumerate(space(space_name).channels) if channel.group in ("Head", "Body")]


def face_columns(space_name: str) -> list[int]:
    """The channels of the facial expression."""
    head = head_columns(space_name)
    return [at for at in range(len(space(space_name))) if at not in head]
