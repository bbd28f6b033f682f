# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp listen``: what a face tracker sends, as a meter per channel."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import note, say

if TYPE_CHECKING:
    from keywarp.keyframes.live.tracker import Tracker

_WIDTH = 24
_DRAWN_EVERY, _LINES_EVERY, _LOOK_EVERY = 0.1, 1.0, 0.05
#: A channel that is nearer to its rest is left out of the lines.
_STILL = 0.005


def listen(
    protocol: Annotated[
        str,
        typer.Argument(
            metavar="PROTOCOL[:PORT|:HOST]",
            help="vmc, openseeface, ifacialmocap:PHONE, facemotion3d:PHONE or vtubestudio:PHONE; "
            "HOST is who sends, and opens the port to the network.",
        ),
    ],
    seconds: Annotated[
        Optional[float],
        typer.Option("--seconds", metavar="N", help="Stop after so long; default: at Ctrl-C."),
    ] = None,
) -> None:
    """Show what a face tracker sends, for finding out why nothing moves."""
    if seconds is not None and not 0.0 < seconds < 1e9:
        raise KeywarpError(f"--seconds {seconds:g}: give a time above 0")

    from keywarp.keyframes.live.named import OTHERS
    from keywarp.keyframes.live.protocols import PROTOCOLS, connect

    word = protocol.partition(":")[0].strip().lower()
    if word in (other.partition(":")[0].partition("[")[0] for other in OTHERS):
        raise KeywarpError(
            f"{word} is no tracker: `keywarp listen` shows what {', '.join(PROTOCOLS)} send; microphones, clips, the "
            "mouse and idle motion are for `keywarp live` and `keywarp record`"
        )
    tracker = connect(protocol)
    tracker.start()
    try:
        show = _table if sys.stdout.isatty() else _lines
        show(tracker, seconds)
    except KeyboardInterrupt:
        pass
    finally:
        tracker.stop()
    if not tracker.taken:
        raise KeywarpError(f"nothing came that {tracker.protocol.title} sends: {tracker.advice()}")
    say(f"{tracker.taken} packets were understood{_others(tracker)}")


def _ticks(every: float, seconds: float | None) -> Iterator[None]:
    """A beat now and then, until the time is over."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        time.sleep(every if end is None else max(0.0, min(every, end - time.monotonic())))
        yield


def _others(tracker: Tracker) -> str:
    parts = []
    if tracker.unread:
        parts.append(f"{tracker.unread} were not")
    if tracker.foreign:
        parts.append(
            f"{tracker.foreign} came from others, the last from {tracker.stranger}, and were ignored"
        )
    return "".join(f"; {part}" for part in parts)


def _meters(tracker: Tracker) -> list[tuple[str, float, str]]:
    """By channel that has come: its name, its value, and a bar over its range."""
    values = tracker.values
    rows = {}
    for space in tracker.protocol.spaces:
        for channel in space.channels:
            if channel.name in values:
                value = round(values[channel.name], 2) + 0.0  # never -0.00
                rows[channel.name] = (
                    channel.name,
                    value,
                    _bar(value, channel.minimum, channel.maximum),
                )
    return list(rows.values())


def _bar(value: float, low: float, high: float) -> str:
    """A bar from 0 to the value within the range; what runs both ways has its 0 in the middle."""
    zero = round(_WIDTH * (0.0 - low) / (high - low))
    at = round(_WIDTH * (min(max(value, low), high) - low) / (high - low))
    first, last = min(zero, at), max(zero, at)
    return "-" * first + "#" * (last - first) + "-" * (_WIDTH - last)


def _lines(tracker: Tracker, seconds: float | None) -> None:
    """For pipes and logs: the state when it changes, and the channels that are not at rest once a second."""
    told, due = "", time.monotonic()
    for _ in _ticks(_LOOK_EVERY, seconds):
        state = tracker.state
        if state.message != told:
            told = state.message
            note(told)
        if time.monotonic() >= due and tracker.taken:
            due = time.monotonic() + _LINES_EVERY
            say(f"{tracker.taken} packets{_others(tracker)}")
            for name, value, bar in _meters(tracker):
                if abs(value) >= _STILL:
                    say(f"  {name:<22}{value:>8.2f}  {bar}")


def _table(tracker: Tracker, seconds: float | None) -> None:
    from rich.live import Live

    with Live(_drawn(tracker, 0.0), refresh_per_second=1.0 / _DRAWN_EVERY) as live:
        before, since = tracker.taken, time.monotonic()
        rate = 0.0
        for _ in _ticks(_DRAWN_EVERY, seconds):
            now = time.monotonic()
            if now - since >= 1.0:
                rate = (tracker.taken - before) / (now - since)
                before, since = tracker.taken, now
            live.update(_drawn(tracker, rate))


def _drawn(tracker: Tracker, rate: float) -> Any:
    """The state, and the meters in as many columns as the terminal's height asks for."""
    import shutil

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    meters = _meters(tracker)
    room = max(shutil.get_terminal_size().lines - 6, 4)
    table = Table(box=None, show_header=False, padding=(0, 1))
    for place in range(min(room, len(meters))):
        cells: list[str] = []
        for name, value, bar in meters[place::room]:
            cells += [name, f"{value:.2f}", bar]
        table.add_row(*cells)
    heading = Text(tracker.state.message)
    return Group(
        heading, Text(f"{rate:.0f} packets a second, {tracker.taken} in all{_others(tracker)}"), table
    )
