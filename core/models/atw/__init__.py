# SPDX-License-Identifier: GPL-3.0-or-later
"""ATW: animation through warping (papers: ATW): motion network, refinement network, two discriminators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.core.models.base import ModelSource
from keywarp.core.models.exported import find_exported

if TYPE_CHECKING:
    import onnx

    from keywarp.core.training.learner import Learner
    from keywarp.core.training.losses import Perceptual
    from keywarp.core.training.recipe import Recipe


class AtwFamily:
    """See ``core.models.base.Family`` and ``core.training.families.Trainable``."""

    name = "atw"
    recipes = Path(__file__).parent / "recipes.yaml"

    def find(self, path: Path) -> ModelSource | None:
        return find_exported(path, self.name)

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        from keywarp.core.models.atw.learner import AtwLearner

        return AtwLearner(recipe, perceptual)

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, onnx.ModelProto]:
        from keywarp.core.models.atw.graph import graphs

        return graphs(recipe, weights)


FAMILY = AtwFamily()
