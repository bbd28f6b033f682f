# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: how a family is trained, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from keywarp.core.training.augment import Augmentation
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """A stretch of the training with one learning rate and one set of losses."""

    name: str
    steps: int
    learning_rate: float
    decay_from: float = 1.0
    """Share of the steps after which the rate falls in a straight line towards 0; 1: it stays."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run computes, but its data and its seed."""

    family: str
    preset: str
    space: str
    """Name of the pose space that the network is driven by."""
    side: int
    """Pixels along a side of the square."""
    batch: int
    """Examples per update, over all processes and accumulated parts."""
    phases: tuple[Phase, ...]
    accumulate: int = 1
    """Parts that a process cuts its share of a batch into, to save memory."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's."""
    ema: float = 0.999
    """Decay of the averaged weights, which are evaluated and exported."""
    clip: float = 0.0
    """Largest norm of the gradients of an update; 0: any."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    network: Mapping[str, Any] = field(default_factory=dict)
    """The family's own settings of its networks."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Weights of the family's losses; 0 leaves one out."""

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """The phase of a step, counted from 0, and the step within it; past the end the last of all."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        return self.phases[-1], self.phases[-1].steps - 1

    def learning_rate(self, step: int) -> float:
        phase, within = self.phase_at(step)
        start = phase.decay_from * phase.steps
        if within < start or phase.decay_from >= 1:
            return phase.learning_rate
        return phase.learning_rate * (phase.steps - within) / (phase.steps - start)

    def with_steps(self, steps: int) -> Recipe:
        """The same with its phases stretched or shortened to ``steps`` in all."""
        ends = [
            round(sum(p.steps for p in self.phases[: i + 1]) * steps / self.steps)
            for i in range(len(self.phases))
        ]
        lengths = [max(end - start, 1) for start, end in zip([0, *ends], ends, strict=False)]
        phases = tuple(
            Phase(p.name, n, p.learning_rate, p.decay_from) for p, n in zip(self.phases, lengths, strict=True)
        )
        return Recipe(**{**vars(self), "phases": phases})

    def as_data(self) -> dict[str, Any]:
        """Plain data from which ``recipe_of`` makes the same recipe."""
        return asdict(self)


def recipe_of(data: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from plain data; ``where`` names it in errors. Raises ``KeywarpError`` for what is no recipe."""
    content = dict(data)
    try:
        content["phases"] = tuple(_made(Phase, phase, where) for phase in content["phases"])
        content["augmentation"] = _made(Augmentation, content.get("augmentation", {}), where)
        if "betas" in content:
            content["betas"] = tuple(content["betas"])
    except (KeyError, TypeError) as error:
        raise KeywarpError(f"{where} is no recipe: it lacks, or misshapes, {error}") from None
    recipe: Recipe = _made(Recipe, content, where)
    space(recipe.space)
    numbers = (recipe.side, recipe.batch, recipe.accumulate, *(phase.steps for phase in recipe.phases))
    if not recipe.phases or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise KeywarpError(
            f"{where}: side, batch, accumulate and the steps of each phase are whole numbers above 0"
        )
    rates = [phase.learning_rate for phase in recipe.phases]
    if not all(isinstance(x, (int, float)) and math.isfinite(x) for x in (*rates, *recipe.losses.values())):
        raise KeywarpError(f"{where}: learning rates and weights of losses are finite numbers")
    return recipe


def _made(kind: type[T], data: Any, where: str) -> T:
    """A dataclass from a mapping; every key must be one of its fields."""
    if not isinstance(data, Mapping):
        raise KeywarpError(f"{where}: {kind.__name__.lower()} should hold names and values, not {data!r}")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise KeywarpError(f"{where}: there is no setting {name!r}; there are {', '.join(known)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise KeywarpError(f"{where} lacks a setting: {str(error).split(') ')[-1]}") from None


def presets(path: Path) -> dict[str, Mapping[str, Any]]:
    """The presets of a family's YAML file, by name."""
    content = read_yaml(path).get("presets")
    if not isinstance(content, dict):
        raise KeywarpError(f"{path} holds no presets")
    return content


def load_recipe(path: Path, family: str, preset: str) -> Recipe:
    """A preset of a family's YAML file, or ``preset`` as the path of a file with one recipe.

    Raises ``KeywarpError`` where there is none of that name.
    """
    if preset.endswith((".yaml", ".yml")):
        own = read_yaml(Path(preset))
        return recipe_of({"family": family, "preset": Path(preset).stem, **own}, preset)
    known = presets(path)
    if preset not in known:
        raise KeywarpError(
            f"{family} has no preset {preset!r}; it has {', '.join(known)}, or a .yaml file of yours"
        )
    return recipe_of({"family": family, "preset": preset, **known[preset]}, f"preset {preset} of {family}")
