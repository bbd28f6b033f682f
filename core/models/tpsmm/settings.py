# SPDX-License-Identifier: GPL-3.0-or-later
"""What of TPSMM's networks and of their training may differ between recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from keywarp.core.models.tpsmm.layout import REDUCTION, Form
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces.driving import SPACE

AVD = "avd"
"""Phases of a recipe whose names begin with it train the avd network; the others all the rest (section 3.4)."""
LOSSES = ("perceptual", "equivariance", "background", "warp", "pixel", "alpha", "avd")
"""Equation 14, plain differences of pictures and of their alpha, and the avd network's."""


@dataclass(frozen=True)
class Schedule:
    """What changes over the training; the defaults are those of the authors' vox configuration. All are shares of
    the steps that the avd network does not learn in."""

    dropout_start: float = 0.1
    """Section 3.1: the probability that a spline takes no part, in the beginning."""
    dropout_most: float = 0.3
    dropout_growth: float = 0.1
    """Until when it grows."""
    dropout_end: float = 0.35
    """From when on there is none."""
    background_from: float = 0.1
    """From when on the background's motion is predicted."""

    def dropout(self, done: float) -> float:
        """The probability of equation 8 when this share of the training is done."""
        if done >= self.dropout_end:
            return 0.0
        grown = min(done / self.dropout_growth, 1.0) if self.dropout_growth > 0 else 1.0
        return self.dropout_start + (self.dropout_most - self.dropout_start) * grown


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network`` holds fields of ``Form`` and of ``Schedule``."""

    form: Form
    schedule: Schedule

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting, a loss, a side or a pose space that cannot be."""
        of_form, of_schedule = ([f.name for f in fields(kind)] for kind in (Form, Schedule))
        known = [*of_form, *of_schedule]
        for name in recipe.network:
            if name not in known:
                raise KeywarpError(f"tpsmm has no network setting {name!r}; it has {', '.join(known)}")
        for name in recipe.losses:
            if name not in LOSSES:
                raise KeywarpError(f"tpsmm has no loss {name!r}; it has {', '.join(LOSSES)}")
        if recipe.space != SPACE.name:
            raise KeywarpError(f"tpsmm is driven by a video, space {SPACE.name}, not {recipe.space}")
        given: Mapping[str, Any] = recipe.network
        form = Form(**{name: value for name, value in given.items() if name in of_form})
        schedule = Schedule(**{name: value for name, value in given.items() if name in of_schedule})
        least = REDUCTION << form.motion_depth
        if recipe.side % least or recipe.side < 2 * least:
            raise KeywarpError(
                f"tpsmm of depth {form.motion_depth} takes squares whose side is a multiple of {least}, from "
                f"{2 * least} on, not {recipe.side}"
            )
        if recipe.batch < 2 * recipe.accumulate:
            raise KeywarpError(
                "tpsmm's batch normalisation needs two examples or more in each part of a batch"
            )
        return cls(form, schedule)


def learns_avd(phase: str) -> bool:
    """Whether a phase of this name is the avd network's."""
    return phase.startswith(AVD)
