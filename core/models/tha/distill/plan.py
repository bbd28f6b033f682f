# SPDX-License-Identifier: GPL-3.0-or-later
"""What a distillation is, as its folder keeps it, so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from keywarp.core.models.tha.distill.settings import PARTS, Preset, Settings
from keywarp.core.models.tha.distill.teacher import Teacher
from keywarp.core.training.recipe import Recipe, recipe_of
from keywarp.core.training.run_folder import write_text
from keywarp.keyframes.errors import KeywarpError


@dataclass(frozen=True)
class Plan:
    """Everything that decides what is computed, but the teacher."""

    FILE: ClassVar[str] = "distillation.json"

    teacher: str
    """Hash of whatever decides its answers."""
    seed: int
    poses: int
    checked: int
    recipes: Mapping[str, Recipe]
    """By part. A run that was fitted into a time has a recipe of its own, as long as that took."""

    @classmethod
    def of(cls, preset: Preset, teacher: Teacher, seed: int) -> Plan:
        return cls(teacher.content, seed, preset.poses, preset.checked, preset.recipes)

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Raises ``KeywarpError`` where the folder holds none."""
        path = folder / cls.FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            recipes = {part: recipe_of(content["recipes"][part], str(path)) for part in PARTS}
            for recipe in recipes.values():
                Settings.of(recipe)
            seed, poses, checked = (int(content[name]) for name in ("seed", "poses", "checked"))
            return cls(str(content["teacher"]), seed, poses, checked, recipes)
        except FileNotFoundError:
            raise KeywarpError(f"{folder.parent} holds no distillation that could go on") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeywarpError(f"{path} is damaged ({error})") from None

    def save(self, folder: Path) -> None:
        """Write the plan, where there is none yet."""
        if (folder / self.FILE).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        recipes = {part: recipe.as_data() for part, recipe in self.recipes.items()}
        write_text(folder / self.FILE, json.dumps({**vars(self), "recipes": recipes}, indent=1))

    def about(self, teacher: Teacher) -> dict[str, Any]:
        """What a run's folder says of it besides."""
        return {"teacher": {"name": teacher.name, "content": teacher.content}, "poses": self.poses}

    def check(self, teacher: Teacher, folder: Path) -> None:
        """Raises ``KeywarpError`` where a distillation was begun with another teacher or picture."""
        if self.teacher != teacher.content:
            raise KeywarpError(
                f"{folder} holds a distillation from another teacher, or of another picture; name those again, or "
                "another folder"
            )
