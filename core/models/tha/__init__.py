# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime (papers: Talking Head Anime 4): how its checkpoints are recognised and opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.core.models.base import ModelSource

if TYPE_CHECKING:
    from keywarp.core.training.learner import Learner
    from keywarp.core.training.losses import Perceptual
    from keywarp.core.training.recipe import Recipe


class ThaFamily:
    """The five networks in their three forms, as checkpoints or as EasyVtuber's graphs, and the THA4 student; see
    ``teacher_layout``, ``easyvtuber`` and ``student_layout`` for what they are recognised by. The five are trained
    one at a time (``core.training.families.PartByPart``), the student is distilled (``distill``)."""

    name = "tha"
    recipes = Path(__file__).parent / "parts" / "recipes.yaml"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.tha.easyvtuber import find_easyvtuber
        from keywarp.core.models.tha.student_files import find_student
        from keywarp.core.models.tha.teacher_files import find_teacher

        return find_teacher(path) or find_easyvtuber(path) or find_student(path)

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        from keywarp.core.models.tha.parts.learner import PartLearner

        return PartLearner(recipe, perceptual)

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, bytes]:
        from keywarp.core.models.tha.parts.files import network_files

        return network_files(weights)

    def beside(self, recipe: Recipe, folder: Path) -> Mapping[str, bytes]:
        from keywarp.core.models.tha.parts.files import networks_beside

        return networks_beside(recipe, folder)

    def beginning(self, recipe: Recipe, folder: Path | None) -> Mapping[str, Any]:
        from keywarp.core.models.tha.parts.files import weights_to_begin_with

        return weights_to_begin_with(recipe, folder)

    def specimens(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        from keywarp.core.models.tha.specimens import specimens

        return specimens()

    def model_side(self, recipe: Recipe) -> int:
        from keywarp.core.models.tha.parts.settings import Settings

        return Settings.of(recipe).form.side


FAMILY = ThaFamily()
