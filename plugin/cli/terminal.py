# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line prints: results on stdout, everything about the work on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import typer

_LINE_EVERY = 10.0
"""Seconds between lines about the progress where no bar can be shown."""
_UNSEEN = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
"""Control characters but tab and line feed, and what turns the direction of writing: titles and names in foreign
files would steer the terminal with them."""
_LONGEST_CELL = 300


def say(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text.translate(_UNSEEN))


def note(text: str) -> None:
    """A line that is not the result: what was changed, left out, or should be known."""
    typer.echo(f"note: {_one_line(text)}", err=True)


def notes(texts: Iterable[str]) -> None:
    """Each of the notes once."""
    for text in dict.fromkeys(texts):
        note(text)


def quiet_libraries() -> None:
    """Keep what compiled libraries print of damaged files off the terminal: libtiff, OpenEXR, OpenCV.

    They write to file descriptor 2 themselves; from now on Python's stderr has one of its own.
    """
    try:
        if sys.stderr.fileno() != 2:  # already done, or captured
            return
        own = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    except (OSError, ValueError):  # closed: nothing can be printed anyway
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    sys.stderr = own


def complain(sentence: str) -> None:
    """The one line of an error."""
    typer.echo(f"keywarp: {_one_line(sentence)}", err=True)


def _one_line(text: str) -> str:
    return " ".join(text.translate(_UNSEEN).split())


@contextmanager
def progress(what: str, rate: str = "fps") -> Iterator[Callable[[int, int], None]]:
    """A function that is told how many are done, of how many: a bar on a terminal, a line now and then elsewhere.

    ``rate``: what the number done in a second is called.
    """
    if sys.stderr.isatty():
        with _bar(what, rate) as step:
            yield step
        return
    shown = time.monotonic()
    began: tuple[int, float] | None = None

    def advance(done: int, total: int) -> None:
        nonlocal shown, began
        now = time.monotonic()
        began = began or (done, now)  # what was there already says nothing about the speed
        if done < total and now - shown >= _LINE_EVERY:
            shown = now
            first, then = began
            left = f", {_in_words((now - then) / (done - first) * (total - done))}" if done > first else ""
            typer.echo(f"{what}: {done} of {total}{left}", err=True)

    yield advance


def _in_words(seconds: float) -> str:
    """A time that is still to come, as exactly as one can know it."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"about {round(seconds / unit)} {name} left"
    return f"about {max(round(seconds), 1)} s left"


@contextmanager
def _bar(what: str, rate: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: object) -> Text:
            speed = getattr(task, "speed", None)
            return Text("" if speed is None else f"{speed:.1f} {rate}")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def columns(rows: Iterable[tuple[str, ...]], indent: str = "") -> None:
    """Rows of cells, every column as wide as its widest cell; long ones are cut."""
    rows = [tuple(map(_cell, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say((indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip())


def _cell(text: str) -> str:
    line = " ".join(text[: 2 * _LONGEST_CELL].translate(_UNSEEN).split())
    return line if len(line) <= _LONGEST_CELL else f"{line[:_LONGEST_CELL]}..."


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
