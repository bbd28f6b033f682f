# SPDX-License-Identifier: GPL-3.0-or-later
"""LDI: a picture is turned into a layered depth image with bones and blend shapes, once; poses then only move it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.core.models.base import ModelSource

if TYPE_CHECKING:
    import onnx

    from keywarp.core.training.learner import Learner
    from keywarp.core.training.losses import Perceptual
    from keywarp.core.training.recipe import Recipe


class LdiFamily:
    """See ``core.models.base.Family`` and ``core.training.families.Trainable``."""

    name = "ldi"
    recipes = Path(__file__).parent / "recipes.yaml"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.ldi.files import find_ldi

        return find_ldi(path)

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        from keywarp.core.models.ldi.learner import LdiLearner

        return LdiLearner(recipe, perceptual)

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, onnx.ModelProto | bytes]:
        from keywarp.core.models.ldi.export import graphs

        return graphs(recipe, weights)


FAMILY = LdiFamily()
