# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as trackers write them: a header, and rows of numbers, one a frame; and the frames of their times."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers.base import MAX_FRAMES, Array, beginning
from keywarp.keyframes.keys import shown

MAX_BYTES = 256 * 2**20
#: Frame rates that trackers and cameras have.
RATES = (15.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
_DELIMITERS = ",;\t"
_MAX_COLUMNS = 20_000
_MAX_CELLS = 64_000_000
#: Times this near to whole frames, in frames, mean whole frames.
_JITTER = 0.1


Indices = npt.NDArray[np.intp]


def header(head: bytes) -> tuple[str, ...]:
    """The column names in a file's first line, without quotes and spaces."""
    lines = beginning(head).splitlines()
    return _cells(lines[0], _delimiter(lines[0])) if lines else ()


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(cell.strip(" \"'\r\n\ufeff") for cell in line.split(delimiter))


@dataclass(frozen=True)
class Table:
    """The wanted columns of a table."""

    numbers: Array
    """(N, k): the values, in the order in which the columns were asked for."""
    text: tuple[str, ...]
    """(N,): the column that was asked for as text, or nothing."""
    incomplete: int
    """How many rows were left out because they end before the last wanted column."""


def read(data: bytes, columns: Sequence[int], text: Optional[int] = None) -> Table:
    """The columns with the numbers ``columns``, and ``text`` as it stands; rows that are short are left out.

    Raises ``KeywarpError`` that names line and column where a cell is no finite number, and where no row
    is left or there are too many.
    """
    lines = _lines(data)
    first = next(lines, "")
    delimiter, names = _delimiter(first), header(data[: len(first.encode()) + 8])
    if len(names) > _MAX_COLUMNS:
        raise KeywarpError(f"the table has {len(names)} columns, but at most {_MAX_COLUMNS} are read")
    needed = max([*columns, text or 0]) + 1
    values, texts, incomplete = array("d"), [], 0
    limit = min(MAX_FRAMES, _MAX_CELLS // max(len(columns), 1))
    for number, line in enumerate(lines, 2):
        cells = line.split(delimiter)
        if len(cells) < needed:
            incomplete += bool(line.strip())
            continue
        if len(values) >= limit * len(columns):
            raise KeywarpError(f"the table has more than {limit} rows")
        for column in columns:
            values.append(_number(cells[column], delimiter, number, names[column]))
        if text is not None:
            texts.append(cells[text].strip(" \"'\r\n"))
    if not len(values):
        raise KeywarpError("the table has no complete row below its header")
    numbers = np.frombuffer(values, np.float64).reshape(-1, len(columns))
    return Table(numbers, tuple(texts), incomplete)


def _lines(data: bytes) -> Iterator[str]:
    for line in io.BytesIO(data):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise KeywarpError("the table must be text in UTF-8") from None


def _number(cell: str, delimiter: str, line: int, column: str) -> float:
    cell = cell.strip(" \"'\r\n")
    if delimiter != ",":
        cell = cell.replace(",", ".")  # tables with other delimiters may have decimal commas
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not abs(value) < 1e9:
        raise KeywarpError(f"line {line}, column {column}: {shown(cell)} is no number that belongs there")
    return value


def rising(frames: Array) -> Indices:
    """Indices of the rows that come later than all rows before them, (n,) of (N,)."""
    before = np.concatenate(([-np.inf], np.maximum.accumulate(frames)[:-1]))
    return np.flatnonzero(frames > before)


def frames_of_seconds(seconds: Array) -> tuple[Array, float]:
    """Frames, (N,), and their rate, for the times of rows, (N,); the rate is the nearest usual one.

    Raises ``KeywarpError`` where the times do not rise, or reach too far.
    """
    steps = np.diff(seconds)
    steps = steps[steps > 0]
    if not len(steps):
        raise KeywarpError("the times of its rows do not rise")
    rate = 1.0 / float(np.median(steps))
    usual = min(RATES, key=lambda each: abs(each / rate - 1.0))
    rate = usual if abs(usual / rate - 1.0) < 0.1 else round(min(max(rate, 0.01), 10_000.0), 3)
    return whole(seconds * rate), rate


def whole(frames: Array) -> Array:
    """``frames`` rounded where all of them are nearly whole; raises where they reach too far."""
    if not np.all(np.abs(frames) <= MAX_FRAMES):
        raise KeywarpError(f"its times reach beyond {MAX_FRAMES} frames")
    rounded = np.round(frames)
    return rounded if np.abs(frames - rounded).max(initial=0.0) <= _JITTER else frames


def left_out(count: int, why: str) -> Iterable[str]:
    """A note of rows that are not in the clip, if there are any."""
    return (f"{count} row{'s are' if count > 1 else ' is'} left out: {why}",) if count else ()
