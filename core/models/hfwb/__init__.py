# SPDX-License-Identifier: GPL-3.0-or-later
"""HFWB: hierarchical feature warping and blending (papers: HFWB): a face stage, and a head stage by a grid."""

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


class HfwbFamily:
    """See ``core.models.base.Family`` and ``core.training.families.Trainable``."""

    name = "hfwb"
    recipes = Path(__file__).parent / "recipes.yaml"

    def find(self, path: Path) -> ModelSource | None:
        return find_exported(path, self.name)

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        from keywarp.core.models.hfwb.learner import HfwbLearner

        return HfwbLearner(recipe, perceptual)

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, onnx.ModelProto]:
        from keywarp.core.models.hfwb.graph import graphs

        return graphs(recipe, weights)


FAMILY = HfwbFamily()
