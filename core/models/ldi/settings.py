# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the network may differ between recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from keywarp.core.layered import BONES, FIELDS
from keywarp.core.studio.actor import SPACES
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError

LEVELS = (1, 2, 4, 8, 12)
"""Channels from half the picture's size downwards, in widths."""
UNIT = 32
"""The picture's side is a multiple of this."""
INSIDE = 5
"""Outputs for the inside of the mouth: red, green, blue (network space), how sure it is that there is one, and how
far it lies behind the lips."""
OUTPUTS = FIELDS + INSIDE
JOINTS = 3 * len(BONES)
GROUPS = 8
"""Of channels that are normalised together."""
LOSSES = ("depth", "bones", "side", "shapes", "inside", "joints", "edges")


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network``."""

    width: int = 16
    """Channels at half the picture's size; a multiple of ``GROUPS``."""
    blocks: int = 2
    """Residual blocks on each level, down and up; one on the largest."""
    head: int = 24
    """Channels at the picture's own size."""
    face_weight: float = 10.0
    """Weight of what a face's shapes move against the rest of the picture."""

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting that there is not."""
        known = {f.name: f.type for f in fields(cls)}
        for name, value in recipe.network.items():
            if name not in known or not isinstance(value, (int, float)):
                raise KeywarpError(f"ldi has no network setting {name}: {value!r}; it has {', '.join(known)}")
        for name in recipe.losses:
            if name not in LOSSES:
                raise KeywarpError(f"ldi has no loss {name!r}; it has {', '.join(LOSSES)}")
        if recipe.space not in SPACES:
            raise KeywarpError(f"ldi is posed in {', '.join(SPACES)}, not in {recipe.space}")
        if recipe.side % UNIT:
            raise KeywarpError(f"ldi sees squares whose side is a multiple of {UNIT}, not {recipe.side}")
        settings: Mapping[str, Any] = recipe.network
        made = cls(**settings)
        if made.width % GROUPS or made.head % GROUPS or made.width < GROUPS or made.head < GROUPS:
            raise KeywarpError(f"ldi's width and head are multiples of {GROUPS}")
        return made
