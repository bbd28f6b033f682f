# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp evaluate --suite heldout``: models and students beside the truth."""

from __future__ import annotations

import shlex
import sys
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.dataset import exporter
from keywarp.plugin.cli.terminal import columns, progress, say

if TYPE_CHECKING:
    from keywarp.core.character import Character
    from keywarp.core.heldout.exams import Exam
    from keywarp.core.heldout.subjects import Opened


@dataclass(frozen=True)
class Amount:
    """How much is looked at; ``None``: the usual."""

    characters: Optional[int]
    poses: Optional[int]
    large: Optional[int]
    clips: Optional[int]
    quick: bool

    def usual(self, name: str, whole: int, quick: int) -> int:
        """What was asked for, or the usual number."""
        asked: Optional[int] = getattr(self, name)
        return (quick if self.quick else whole) if asked is None else asked


def heldout(
    what: Optional[str],
    out: Optional[Path],
    amount: Amount,
    characters: list[str],
    blender: Optional[Path],
    device: str,
) -> tuple[dict[str, Any], Path]:
    """Examine a model, a run or a character; the table, and the folder where the results are."""
    from keywarp.core.heldout.page import write_results
    from keywarp.core.heldout.subjects import POSES
    from keywarp.core.heldout.suite import Plan, examine, table

    with tempfile.TemporaryDirectory() as exported:
        exam, name, whole_poses = _exam(what, amount, characters, blender, device, Path(exported))
        folder = out or Path(f"heldout-{name}")
        args.check_output(folder)
        if folder.exists() and not folder.is_dir():
            raise KeywarpError(f"{folder} is a file; the results will be a folder")
        poses = amount.usual("poses", whole_poses, max(POSES // 3, 1))
        plan = Plan(poses, amount.usual("large", 12, 1), amount.usual("clips", 2, 1))
        found = examine(exam, plan, partial(progress, rate="photographs/s"))
    told = table(exam, found)
    write_results(folder, told, found, shlex.join(["keywarp", *sys.argv[1:]]))
    return told, folder


def _exam(
    what: Optional[str],
    amount: Amount,
    characters: list[str],
    blender: Optional[Path],
    device: str,
    exported: Path,
) -> tuple[Exam, str, int]:
    """The exam, what it is called, and in how many poses it is usually held."""
    from keywarp.core.heldout.exams import UNSEEN, AnimatorExam, StudentExam
    from keywarp.core.heldout.subjects import HELD_OUT, POSES
    from keywarp.core.models.registry import default_model

    what = what or default_model()
    if (Path(what) / "run.json").is_file():
        return _run_exam(Path(what), amount, characters, blender, device, exported)
    who = _character(what)
    if who is not None and who.find_model().info.picture is None:
        what = str(who.folder / who.model) if (who.folder / who.model).exists() else str(who.model)
    elif who is not None:
        if len(characters) != 1:
            raise KeywarpError(
                f"{what} is a student: name with --character the one 3D character that it was distilled from"
            )
        count = amount.usual("poses", UNSEEN, 9)
        return StudentExam.of(who, _opened(characters[0], blender), device, count), who.name, count
    named = [_opened(each, blender) for each in characters]
    exam = AnimatorExam.of(what, device, amount.usual("characters", len(HELD_OUT), 2), named)
    return exam, Path(exam.info.source).stem, POSES


def _run_exam(
    run: Path,
    amount: Amount,
    characters: list[str],
    blender: Optional[Path],
    device: str,
    exported: Path,
) -> tuple[Exam, str, int]:
    args.need_training()
    from keywarp.core.training.runs import export

    export(run, exported / run.name)
    return _exam(str(exported / run.name), amount, characters, blender, device, exported)


def _character(what: str) -> Character | None:
    """The character that is meant, if one is."""
    from keywarp.core.character import load_character
    from keywarp.core.models.registry import find_model

    path = Path(what)
    if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
        return None
    try:
        return load_character(what)
    except KeywarpError:
        find_model(what)  # raises where it is no model either
        return None


def _opened(character: str, blender: Optional[Path]) -> Opened:
    """The one 3D character that a word or a path names."""
    from keywarp.core.studio.dataset import open_character
    from keywarp.core.studio.generator.source import WORD, generated_character, seeds

    if not character.startswith(WORD):
        found = open_character(Path(character), exporter(Path(character), blender))
        return lambda side: found
    wanted = seeds(character)
    if len(wanted) > 1:
        raise KeywarpError(f"{character} are {len(wanted)} characters; name one at a time")
    return cache(partial(generated_character, wanted[0]))


def show(table: dict[str, Any], folder: Path) -> None:
    """The most important figures, and where all of them are."""
    from keywarp.core.heldout.page import PAGE
    from keywarp.core.heldout.trial import ANSWER, BICUBIC, RESWARP, UNPOSED

    rows = [("", "POSES", "PART", "PSNR, dB", "COMPARED WITH", "PSNR, dB")]
    for title, of, name, against in (
        (f"{table['model']['side']}x{table['model']['side']}", "own_size", ANSWER, UNPOSED),
        ("full size", "large", RESWARP, BICUBIC),
    ):
        for kind, judged in table[of].items():
            for part, scores in judged.get(name, {}).items():
                other = judged[against][part]["psnr"]
                line = (part, f"{scores['psnr']:.2f}", against, f"{other:.2f}")
                rows.append((f"{kind}, {title}", str(judged["poses"]), *line))
    columns(rows)
    say(str(folder / PAGE))
