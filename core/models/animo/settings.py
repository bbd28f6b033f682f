# SPDX-License-Identifier: GPL-3.0-or-later
"""What of AniMo's networks and of their training may differ between recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from keywarp.core.models.animo.layout import Form
from keywarp.core.models.animo.pose_mapping import PoseMapping, read_matrix, substitute
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError

SPACES = ("animeceleb20", "bfm70")
"""Of the two domains' poses."""
WARP = "warp"
"""Phases of a recipe whose names begin with it teach the motion and warping networks alone (PIRenderer, section
3.4; the authors' program: the first half); the others all networks."""
LOSSES = ("warp", "final", "style", "pixel", "alpha")
MAPPING = "pose_mapping"


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network`` holds fields of ``Form``, and ``pose_mapping``, a file's path."""

    form: Form
    mapping: PoseMapping

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting, a loss, a side or pose spaces that cannot be."""
        known = [*(f.name for f in fields(Form)), MAPPING]
        for name in recipe.network:
            if name not in known:
                raise KeywarpError(f"animo has no network setting {name!r}; it has {', '.join(known)}")
        for name in recipe.losses:
            if name not in LOSSES:
                raise KeywarpError(f"animo has no loss {name!r}; it has {', '.join(LOSSES)}")
        if (recipe.space, recipe.second_space) != SPACES:
            raise KeywarpError(
                f"animo's domains are posed by {' and '.join(SPACES)}, not by {recipe.space} and "
                f"{recipe.second_space or 'nothing'}"
            )
        given: Mapping[str, Any] = {name: value for name, value in recipe.network.items() if name != MAPPING}
        form, file = Form(**given), recipe.network.get(MAPPING)
        least = 1 << form.warping_encoders
        if recipe.side % least or recipe.side < 2 * least:
            raise KeywarpError(
                f"animo with {form.warping_encoders} warping encoders takes squares whose side is a multiple of "
                f"{least}, from {2 * least} on, not {recipe.side}"
            )
        return cls(form, substitute() if file is None else read_matrix(Path(str(file))))


def only_warps(phase: str) -> bool:
    """Whether a phase of this name leaves the editing networks alone."""
    return phase.startswith(WARP)
