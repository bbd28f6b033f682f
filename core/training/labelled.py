# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that lie as pictures in folders, beside a table of what they show.

``labels.csv``: a column ``picture`` with file names, relative to the table, and either ``category`` or the channels
of a pose space (OpenFace's ``AU01_r`` counts as ``AU01``); ``identity`` where it is known. ATW's data are of this
kind (papers: ATW, section 4.1). ``combined_pose.csv``: AnimeCeleb as its authors hand it out (papers: AnimeCeleb,
section 2), whose neutral pictures make pairs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keywarp.core.color import to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.picture import read_picture
from keywarp.core.resample import square_picture
from keywarp.core.training.sample import Pixels, Sample
from keywarp.core.training.stream import Stored
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import SPACES, space

LABELS_FILE, ANIMECELEB_FILE = "labels.csv", "combined_pose.csv"
ANIMECELEB_SPACE = "animeceleb20"
BASIS = "basis"
LARGEST = 512
"""Pixels along a side to which larger pictures are reduced when they are read."""
MAX_ROWS = 1 << 24
GROUP = 1000


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and what it shows; read when it is needed."""

    key: str
    identity: str
    posed: Path
    rest: Path | None = None
    category: str | None = None
    space: str = ""
    pose: tuple[float, ...] = ()

    def read(self) -> Sample:
        posed = middle_square(self.posed)
        rest = None if self.rest is None else middle_square(self.rest, len(posed))
        poses: dict[str, Poses] = {self.space: np.array(self.pose)} if self.space else {}
        return Sample(self.key, self.identity, posed, poses, rest, category=self.category)


def middle_square(path: Path, side: int | None = None) -> Pixels:
    """(n, n, 4): the largest square in the middle of a picture, at ``side`` pixels or at most ``LARGEST``."""
    picture = read_picture(path).pixels
    height, width = picture.shape[:2]
    across = min(height, width)
    framing = Framing.of_square((width - across) / 2, (height - across) / 2, across)
    return to_srgb8(square_picture(picture, framing, side or min(across, LARGEST)))


def table_groups(table: Path) -> list[Sequence[Stored]]:
    """The samples of a table; raises ``KeywarpError`` where it lists none."""
    rows = list(_animeceleb(table) if table.name == ANIMECELEB_FILE else _labelled(table))
    if not rows:
        raise KeywarpError(f"{table} lists no pictures")
    return [rows[i : i + GROUP] for i in range(0, len(rows), GROUP)]


def table_at(path: Path) -> Path | None:
    """The table that is meant by its own path or by its folder's."""
    names = (LABELS_FILE, ANIMECELEB_FILE)
    if path.name in names and path.is_file():
        return path
    return next((path / name for name in names if (path / name).is_file()), None)


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the lines that are not empty."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            for line, cells in enumerate(csv.reader(file), 1):
                if line > MAX_ROWS:
                    raise KeywarpError(f"{table} has more than {MAX_ROWS} lines")
                if any(cell.strip() for cell in cells):
                    yield line, [cell.strip() for cell in cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KeywarpError(f"{table} cannot be read as a table ({error})") from None


def _numbers(table: Path, line: int, cells: Sequence[str]) -> tuple[float, ...]:
    try:
        values = tuple(float(cell) for cell in cells)
    except ValueError:
        raise KeywarpError(f"{table}, line {line}: {', '.join(cells)} are not all numbers") from None
    if not np.isfinite(values).all():
        raise KeywarpError(f"{table}, line {line}: a pose is made of finite numbers")
    return values


def _labelled(table: Path) -> Iterator[LabelledPicture]:
    rows = _rows(table)
    _, names = next(rows, (0, []))
    plain = [name.removesuffix("_r") for name in names]
    if "picture" not in plain:
        raise KeywarpError(f"{table} has no column `picture`; it has {', '.join(names) or 'nothing'}")
    known = [one for one in SPACES.values() if all(name in plain for name in one.names)]
    driven = max(known, key=len) if known else None
    if driven is None and "category" not in plain:
        raise KeywarpError(f"{table} has neither a column `category` nor all channels of a pose space")
    columns = [] if driven is None else [plain.index(name) for name in driven.names]
    for line, cells in rows:
        if len(cells) != len(names):
            raise KeywarpError(f"{table}, line {line} has {len(cells)} columns instead of {len(names)}")
        of = dict(zip(plain, cells, strict=True))
        yield LabelledPicture(
            key=f"picture-{line:08d}",
            identity=of.get("identity") or of["picture"],
            posed=_inside(table, line, of["picture"]),
            category=of.get("category") or None,
            space="" if driven is None else driven.name,
            pose=_numbers(table, line, [cells[i] for i in columns]),
        )


def _inside(table: Path, line: int, name: str) -> Path:
    """A picture by its name relative to the table; it must lie there."""
    path = table.parent / name
    if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
        raise KeywarpError(f"{table}, line {line}: there is no picture {name} beside the table")
    return path


def _animeceleb(table: Path) -> Iterator[LabelledPicture]:
    """Identity, cluster, file name, 20 numbers; pictures in ``SET/CLUSTER/FOLDER/FILE``, the neutral one in
    ``basis/FOLDER/basis.png``, where FOLDER is the file's name up to its first underscore."""
    root, count = table.parent, len(space(ANIMECELEB_SPACE))
    sets = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name != BASIS)
    for line, cells in _rows(table):
        if line == 1 and not cells[-1].lstrip("-").replace(".", "", 1).isdigit():
            continue  # names of columns
        if len(cells) != 3 + count:
            raise KeywarpError(f"{table}, line {line} has {len(cells)} columns instead of {3 + count}")
        identity, cluster, name = cells[:3]
        folder = name.split("_")[0]
        places = [f"{one}/{cluster}/{folder}/{name}" for one in sets]
        there = next((place for place in places if (root / place).is_file()), None)
        if there is None:
            continue  # the sets are handed out one by one
        yield LabelledPicture(
            key=f"animeceleb-{line:08d}",
            identity=identity,
            posed=_inside(table, line, there),
            rest=_inside(table, line, f"{BASIS}/{folder}/basis.png"),
            space=ANIMECELEB_SPACE,
            pose=_numbers(table, line, cells[3:]),
        )
