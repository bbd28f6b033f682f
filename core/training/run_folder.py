# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's folder: what is needed to repeat it, and the record of what happened."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from keywarp.core.render.provenance import keywarp_version
from keywarp.core.training.data import data_files
from keywarp.core.training.recipe import Recipe, recipe_of
from keywarp.keyframes.errors import KeywarpError

RUN_FILE = "run.json"
LOG_FILE = "log.csv"


@dataclass(frozen=True)
class Run:
    """What a run is, as ``run.json`` holds it."""

    recipe: Recipe
    data: tuple[str, ...]
    """Shards, or folders of them, as they were given."""
    seed: int

    def save(self, folder: Path, device: str, about: Mapping[str, Any]) -> None:
        """Write ``run.json``, with what the run was started by and on, and whatever else is to be known ``about``
        it."""
        from torch import __version__ as torch_version

        files = [(path, path.stat().st_size) for path in data_files(map(Path, self.data))]
        content = {
            "recipe": self.recipe.as_data(),
            "data": list(self.data),
            "seed": self.seed,
            "shards": [{"name": path.name, "bytes": size} for path, size in files],
            "keywarp": keywarp_version(),
            "torch": torch_version,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "device": device,
            "command": sys.argv,
            **about,
        }
        write_text(folder / RUN_FILE, json.dumps(content, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Raises ``KeywarpError`` where the folder is no run's."""
        path = folder / RUN_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            recipe = recipe_of(content["recipe"], str(path))
            return cls(recipe, tuple(map(str, content["data"])), int(content["seed"]))
        except FileNotFoundError:
            raise KeywarpError(f"{folder} is no run of keywarp: {RUN_FILE} is missing there") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeywarpError(f"{path} is damaged ({error})") from None


def write_text(path: Path, text: str) -> None:
    """The text under its final name, or nothing."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


class Log:
    """Losses by step as CSV, and for TensorBoard where that is installed.

    The rows of a run that is resumed go on behind those of the steps that its checkpoint knows. A phase with losses
    of its own adds columns.
    """

    def __init__(self, folder: Path, begin: int) -> None:
        """``begin``: the first step that will be logged, counted from 1."""
        self._folder = folder
        self._columns = ["step"]
        self._start([row for row in read_log(folder) if int(row["step"]) < begin])
        self._board = _board(folder, begin)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Terms of losses, and whatever else is a number, after a step."""
        self._put({"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}})
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _start(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Write the file anew, with every column that there is by now."""
        self._columns += [name for row in rows[-1:] for name in row if name not in self._columns]
        self._file = (self._folder / LOG_FILE).open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, self._columns)
        self._writer.writeheader()
        self._writer.writerows(rows)

    def _put(self, row: Mapping[str, str]) -> None:
        if row.keys() <= set(self._columns):
            self._writer.writerow(row)
            return
        self._file.close()
        self._start([*read_log(self._folder), row])


def read_log(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's log, by column; none where there is no log."""
    try:
        with (folder / LOG_FILE).open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
    except FileNotFoundError:
        return []


def _board(folder: Path, begin: int) -> Any:
    with suppress(ImportError):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder / "tensorboard"), purge_step=begin)
    return None


def columns_of(rows: Iterable[Mapping[str, str]], name: str) -> list[float]:
    """One column of a log."""
    return [float(row[name]) for row in rows if row.get(name)]
