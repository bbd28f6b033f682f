# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo (papers: AnimeCeleb, section 3): anime and human heads in one pose space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.core.models.base import ModelSource

if TYPE_CHECKING:
    from keywarp.core.training.learner import Learner
    from keywarp.core.training.losses import Perceptual
    from keywarp.core.training.recipe import Recipe


class AniMoFamily:
    """Checkpoints as the authors publish them, see ``layout`` for what they are recognised by; and folders that
    ``keywarp export`` makes. See ``core.models.base.Family`` and ``core.training.families.Trainable``."""

    name = "animo"
    recipes = Path(__file__).parent / "recipes.yaml"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.animo.files import find_animo

        return find_animo(path)

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        from keywarp.core.models.animo.learner import AniMoLearner

        return AniMoLearner(recipe, perceptual)

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, bytes]:
        from keywarp.core.models.animo.export import trained_files

        return trained_files(weights, recipe.side)


FAMILY = AniMoFamily()
