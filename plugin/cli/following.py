# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of commands that follow live sources, and the line that says how those do."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import note

FromOption = Annotated[
    list[str],
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="vmc:39539, ifacialmocap:PHONE, facemotion3d:PHONE, vtubestudio:PHONE, openseeface:11573, clip:FILE, "
        "mic, mouse or idle; repeatable, the first lies on top.",
    ),
]
SecondsOption = Annotated[
    Optional[float],
    typer.Option("--seconds", metavar="N", help="Stop after so long; default: at Ctrl-C."),
]
SmoothingOption = Annotated[
    float, typer.Option("--smoothing", metavar="0-1", help="How much of a tracker's tremble is taken away.")
]
MirrorOption = Annotated[
    bool, typer.Option("--mirror", help="Left and right as you see yourself in a mirror.")
]


def settings(sources: Sequence[str], smoothing: float, mirror: bool, **more: Any) -> dict[str, Any]:
    """Live settings as the engine takes them; raises ``KeywarpError`` for what makes no sense."""
    from keywarp.keyframes.live.settings import LiveSettings

    named = [_absolute(text) for text in sources]
    given = {"sources": named, "smoothing": smoothing, "mirror": mirror, **more}
    LiveSettings.of(given)
    return given


def _absolute(text: str) -> str:
    """With the whole path of a clip, which has to be there."""
    word, mark, rest = text.partition(":")
    if word.strip().lower() != "clip" or not mark or not rest:
        return text
    path = Path(rest).absolute()
    if not path.is_file():
        raise KeywarpError(f"--from {text}: there is no such file")
    return f"clip:{path}"


def check_seconds(seconds: float | None) -> None:
    if seconds is not None and not 0.0 < seconds < 1e9:
        raise KeywarpError(f"--seconds {seconds:g}: give a time above 0")


class Status:
    """One line on a terminal that is written over; elsewhere a note where what it says has changed."""

    _EVERY = 0.25

    def __init__(self) -> None:
        self._said = ""
        self._at = -self._EVERY
        self._wide = 0
        self._on_terminal = sys.stderr.isatty()

    def show(self, state: str, counters: str) -> None:
        """``state``: how the sources do; ``counters``: what changes all the time."""
        if not self._on_terminal:
            if state != self._said:
                self._said = state
                note(state)
            return
        now = time.monotonic()
        if now - self._at < self._EVERY:
            return
        import shutil

        line = f"{counters}; {state}"[: shutil.get_terminal_size().columns - 1]
        typer.echo("\r" + line.ljust(self._wide), err=True, nl=False)
        self._at, self._wide = now, len(line)

    def end(self) -> None:
        """Leave the line as it is."""
        if self._wide:
            typer.echo("", err=True)
