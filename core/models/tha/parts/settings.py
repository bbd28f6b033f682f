# SPDX-License-Identifier: GPL-3.0-or-later
"""What may differ between recipes of Talking Head Anime's five networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keywarp.core.models.tha.teacher_layout import FORMS, STEP, TEACHER, WIDTH, WIDTH_STEP, Form
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError

DECOMPOSER, COMBINER, FACE, ROTATOR, EDITOR = (
    "eyebrow_decomposer",
    "eyebrow_morphing_combiner",
    "face_morpher",
    "rotator",
    "editor",
)
PARTS = (DECOMPOSER, COMBINER, FACE, ROTATOR, EDITOR)
"""The networks in the order in which they run, by what they are; the last two are called otherwise on disk, see
``Form.networks``."""
_BODY = ("flow", "warp", "direct", "final", "perceptual")
LOSSES = {
    DECOMPOSER: ("background", "brows"),
    COMBINER: ("image", "combined"),
    FACE: ("whole", "movable"),
    ROTATOR: _BODY,
    EDITOR: _BODY,
}


@dataclass(frozen=True)
class Settings:
    """The family's part of a recipe: ``network``."""

    form: Form
    part: str

    @classmethod
    def of(cls, recipe: Recipe) -> Settings:
        """Raises ``KeywarpError`` for a setting, a part or a loss that there is not."""
        values = dict(recipe.network)
        name, width = values.pop("form", TEACHER.name), values.pop("width", WIDTH)
        if values:
            raise KeywarpError(f"tha has no network setting {next(iter(values))!r}; it has form, width")
        if recipe.space != "tha45":
            raise KeywarpError(f"Talking Head Anime's networks are posed in tha45, not in {recipe.space}")
        if recipe.part not in PARTS:
            raise KeywarpError(f"tha has no part {recipe.part!r}; it has {', '.join(PARTS)}")
        _check_losses(recipe)
        _check_pair(recipe)
        forms = {form.name: form for form in FORMS}
        if name not in forms:
            raise KeywarpError(f"there is no form {name!r} of these networks; there are {', '.join(forms)}")
        side = recipe.side * (2 if recipe.part == ROTATOR else 1)
        if side % STEP or not isinstance(width, int) or width < WIDTH_STEP or width % WIDTH_STEP:
            raise KeywarpError(
                f"tha draws squares whose side is a multiple of {STEP} (of its rotator half of that), with networks "
                f"whose width is one of {WIDTH_STEP}; not {recipe.side} and {width}"
            )
        return cls(replace(forms[name], width=width, side=side), recipe.part)

    @property
    def network(self) -> str:
        """The part's name on disk."""
        return self.form.networks[PARTS.index(self.part)]

    @property
    def networks(self) -> tuple[str, ...]:
        """The network that learns, last, and before it the one on whose answers it learns, if any."""
        return self.form.networks[3:] if self.part == EDITOR else (self.network,)


def _check_losses(recipe: Recipe) -> None:
    known = LOSSES[recipe.part]
    for name in (*recipe.losses, *(name for phase in recipe.phases for name in phase.losses)):
        if name not in known:
            raise KeywarpError(f"{recipe.part} of tha has no loss {name!r}; it has {', '.join(known)}")


def _check_pair(recipe: Recipe) -> None:
    needed: dict[str, Any] = {DECOMPOSER: ("bare", "brows"), COMBINER: ("bare", "brows")}
    if tuple(recipe.pair.layers) != needed.get(recipe.part, ()):
        raise KeywarpError(
            f"{recipe.part} of tha learns from the layers {', '.join(needed.get(recipe.part, ())) or 'none'}, "
            f"not from {', '.join(recipe.pair.layers) or 'none'}"
        )
