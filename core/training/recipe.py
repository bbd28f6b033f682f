# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: how a family is trained, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from keywarp.core.training.augment import Augmentation
from keywarp.core.training.stages import Pair
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """A stretch of the training with one learning rate and one set of losses."""

    name: str
    steps: int
    learning_rate: float = 0.0
    decay_from: float = 1.0
    """Share of the steps after which the rate falls in a straight line towards 0; 1: it stays."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Factors by which the recipe's losses are multiplied in this phase; one that is not named keeps its weight."""


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
    part: str = ""
    """Which of its networks is trained, of a family that trains them one at a time."""
    pair: Pair = field(default_factory=Pair)
    """What of a sample is learnt from."""
    accumulate: int = 1
    """Parts that a process cuts its share of a batch into, to save memory."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's."""
    rates: tuple[tuple[int, float], ...] = ()
    """(step, learning rate from it on), the first at 0: stairs over the whole training; they take the place of the
    phases' rates."""
    ema: float = 0.999
    """Decay of the averaged weights, which are evaluated and exported."""
    clip: float = 0.0
    """Largest norm of the gradients of an update; 0: any."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    second_space: str = ""
    """Pose space of a second domain of data, for a family that learns two at once."""
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
        if self.rates:
            return [rate for begin, rate in self.rates if begin <= step][-1]
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
        phases = tuple(replace(p, steps=n) for p, n in zip(self.phases, lengths, strict=True))
        rates = tuple((round(begin * steps / self.steps), rate) for begin, rate in self.rates)
        return replace(self, phases=phases, rates=rates)

    def as_data(self) -> dict[str, Any]:
        """Plain data from which ``recipe_of`` makes the same recipe."""
        return asdict(self)


def recipe_of(data: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from plain data; ``where`` names it in errors. Raises ``KeywarpError`` for what is no recipe."""
    content = dict(data)
    try:
        content["phases"] = tuple(_made(Phase, phase, where) for phase in content["phases"])
        content["augmentation"] = _made(Augmentation, content.get("augmentation", {}), where)
        content["pair"] = _made(Pair, content.get("pair", {}), where)
        if "betas" in content:
            content["betas"] = tuple(content["betas"])
        content["rates"] = tuple((int(begin), float(rate)) for begin, rate in content.get("rates", ()))
    except (KeyError, TypeError, ValueError) as error:
        raise KeywarpError(f"{where} is no recipe: it lacks, or misshapes, {error}") from None
    recipe: Recipe = _made(Recipe, content, where)
    space(recipe.space)
    if recipe.second_space:
        space(recipe.second_space)
    numbers = (recipe.side, recipe.batch, recipe.accumulate, *(phase.steps for phase in recipe.phases))
    if not recipe.phases or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise KeywarpError(
            f"{where}: side, batch, accumulate and the steps of each phase are whole numbers above 0"
        )
    rates = [phase.learning_rate for phase in recipe.phases] + [rate for _, rate in recipe.rates]
    every = [recipe.losses, *(phase.losses for phase in recipe.phases)]
    weights = [weight for losses in every for weight in losses.values()]
    if not all(isinstance(x, (int, float)) and math.isfinite(x) for x in (*rates, *weights)):
        raise KeywarpError(f"{where}: learning rates and weights of losses are finite numbers")
    if not recipe.rates and any(phase.learning_rate <= 0 for phase in recipe.phases):
        raise KeywarpError(f"{where} lacks a setting: a phase's 'learning_rate', or the recipe's 'rates'")
    if recipe.rates and recipe.rates[0][0] != 0:
        raise KeywarpError(f"{where}: the first of the rates begins at step 0, not {recipe.rates[0][0]}")
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


def load_recipe(path: Path, family: str, preset: str, part: str = "") -> Recipe:
    """A preset of a family's YAML file, or ``preset`` as the path of a file with one recipe.

    Where a preset holds ``parts``, settings of the networks that are trained one at a time, those of ``part`` are
    added to what it says of all. Raises ``KeywarpError`` where there is none of that name.
    """
    if preset.endswith((".yaml", ".yml")):
        own = _with_part(read_yaml(Path(preset)), part, preset)
        return recipe_of({"family": family, "preset": Path(preset).stem, **own}, preset)
    known = presets(path)
    if preset not in known:
        raise KeywarpError(
            f"{family} has no preset {preset!r}; it has {', '.join(known)}, or a .yaml file of yours"
        )
    where = f"preset {preset} of {family}"
    return recipe_of({"family": family, "preset": preset, **_with_part(known[preset], part, where)}, where)


def _with_part(content: Mapping[str, Any], part: str, where: str) -> dict[str, Any]:
    common = {name: value for name, value in content.items() if name != "parts"}
    part = part or str(common.get("part", ""))
    parts = content.get("parts") or ({common["part"]: {}} if common.get("part") else {})
    if not isinstance(parts, Mapping) or not all(isinstance(own, Mapping) for own in parts.values()):
        raise KeywarpError(f"{where}: parts should hold the settings of each network by its name")
    if not parts and part:
        raise KeywarpError(f"{where} trains all its networks at once; leave --part {part} out")
    if not parts:
        return common
    if part not in parts:
        asked = f"there is no part {part!r}" if part else "its networks are trained one at a time"
        raise KeywarpError(f"{where}: {asked}; name one with --part: {', '.join(parts)}")
    return {**common, **parts[part], "part": part}
