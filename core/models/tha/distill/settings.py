# SPDX-License-Identifier: GPL-3.0-or-later
"""How a student is distilled, as data: presets with a recipe for each of its two networks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.training.recipe import Phase, Recipe, presets, recipe_of
from keywarp.core.yamlfile import read_yaml
from keywarp.keyframes.errors import KeywarpError

FACE, BODY = "face_morpher", "body_morpher"
PARTS = (FACE, BODY)
"""The student's networks, by the names of their files."""
RECIPES = Path(__file__).parent / "recipes.yaml"
FACE_LOSSES = ("whole", "movable")
BODY_LOSSES = ("flow", "warp", "direct", "final")


@dataclass(frozen=True)
class Settings:
    """The ``network`` of a student's recipe."""

    part: str
    variant: str = layout.PUBLISHED
    pixels: int = 0
    """Face morpher: pixels of each pose that a step looks at, half of them anywhere, half where the face moves;
    0: all."""
    tiles: int = 0
    """Body rotator: tiles of each pose that a step looks at; 0: the whole square."""
    tile: int = 32
    """Pixels along a tile's side."""

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting that there is not."""
        known = [f.name for f in fields(cls)]
        for name in recipe.network:
            if name not in known:
                raise KeywarpError(f"a student has no setting {name!r}; it has {', '.join(known)}")
        values: Mapping[str, Any] = recipe.network
        part, variant = values.get("part"), values.get("variant", layout.PUBLISHED)
        if part not in PARTS or variant not in layout.VARIANTS:
            raise KeywarpError(
                f"a student's part is {' or '.join(PARTS)}, its variant {', '.join(layout.VARIANTS)}; not {part}, "
                f"{variant}"
            )
        numbers = [values.get(name, 0) for name in ("pixels", "tiles")]
        tile = values.get("tile", cls.tile)
        if not all(isinstance(n, int) and n >= 0 for n in numbers) or not isinstance(tile, int):
            raise KeywarpError("pixels, tiles and tile of a student are whole numbers from 0 on")
        if tile % layout.TILE_STEP or not layout.TILE_STEP <= tile <= layout.SIDE:
            raise KeywarpError(f"tile is a multiple of {layout.TILE_STEP} up to {layout.SIDE}, not {tile}")
        wanted = FACE_LOSSES if part == FACE else BODY_LOSSES
        for name in (*recipe.losses, *(name for phase in recipe.phases for name in phase.losses)):
            if name not in wanted:
                raise KeywarpError(f"a student's {part} has no loss {name!r}; it has {', '.join(wanted)}")
        return cls(**values)

    @property
    def whole(self) -> bool:
        """Whether every pixel is looked at."""
        return not (self.pixels if self.part == FACE else self.tiles)


@dataclass(frozen=True)
class Preset:
    """How both networks are distilled."""

    name: str
    poses: int
    """Poses that the teacher is asked for once; 0: it is asked in every step."""
    checked: int
    """Other poses, on which the student is compared with the teacher in the end."""
    recipes: Mapping[str, Recipe]
    """By part."""


def load_preset(preset: str) -> Preset:
    """A preset by name, or the path of a YAML file with one; raises ``KeywarpError`` where there is none."""
    if preset.endswith((".yaml", ".yml")):
        where, content = preset, read_yaml(Path(preset))
    else:
        known = presets(RECIPES)
        if preset not in known:
            raise KeywarpError(
                f"there is no preset {preset!r} of distillation; there are {', '.join(known)}, or a .yaml file"
            )
        where, content = f"preset {preset}", dict(known[preset])
    counts = {name: content.pop(name, None) for name in ("poses", "checked")}
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise KeywarpError(f"{where}: {name} should be a whole number from 0 on, not {count!r}")
    if set(content) != set(PARTS):
        raise KeywarpError(
            f"{where} should hold poses, checked, {' and '.join(PARTS)}, not {', '.join(content)}"
        )
    found = Preset(Path(preset).stem, counts["poses"], counts["checked"], {})
    recipes = {part: _recipe(found.name, part, content[part], where) for part in PARTS}
    if not found.poses and not all(Settings.of(recipe).whole for recipe in recipes.values()):
        raise KeywarpError(
            f"{where}: where the teacher is asked in every step (poses 0), pixels and tiles are 0 too"
        )
    return replace(found, recipes=recipes)


def _recipe(name: str, part: str, data: Any, where: str) -> Recipe:
    if not isinstance(data, dict) or not isinstance(data.get("network", {}), dict):
        raise KeywarpError(f"{where}: {part} should hold the settings of a recipe")
    side = layout.FACE_SIDE if part == FACE else layout.SIDE
    fixed = {"family": "tha", "preset": name, "space": "tha45", "side": side}
    recipe = recipe_of(
        {**fixed, **data, "network": {"part": part, **data.get("network", {})}}, f"{where}, {part}"
    )
    Settings.of(recipe)
    return recipe


def changed(preset: Preset, variant: str, phases: Collection[int] | None, poses: int | None) -> Preset:
    """Another architecture of the body rotator (table 6), or other phases of its training (table 7), counted from 1.

    The phases that are left share the whole training in the proportion of their lengths; the learning rate falls as
    before. That is how the table's "keeping the rest of the settings the same" is read.
    """
    body = preset.recipes[BODY]
    if phases is not None:
        body = _with_phases(body, phases)
    if variant != layout.PUBLISHED:
        body = replace(body, network={**body.network, "variant": variant})
    Settings.of(body)
    if poses is not None:
        if not preset.poses:
            raise KeywarpError(
                f"the preset {preset.name} asks its teacher in every step; --poses is for others"
            )
        preset = replace(preset, poses=poses)
    return replace(preset, recipes={**preset.recipes, BODY: body})


def _with_phases(recipe: Recipe, wanted: Collection[int]) -> Recipe:
    count = len(recipe.phases)
    if not wanted or not set(wanted) <= set(range(1, count + 1)):
        raise KeywarpError(
            f"the body rotator has the phases 1 to {count}, not {', '.join(map(str, sorted(wanted)))}"
        )
    kept = tuple(phase for number, phase in enumerate(recipe.phases, 1) if number in wanted)
    shorter = replace(recipe, phases=kept, rates=())
    phases: tuple[Phase, ...] = shorter.with_steps(recipe.steps).phases
    return replace(recipe, phases=phases)
