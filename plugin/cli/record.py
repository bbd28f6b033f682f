# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp record``: live input to a clip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.following import (
    FromOption,
    MirrorOption,
    SecondsOption,
    SmoothingOption,
    Status,
    check_seconds,
    settings,
)
from keywarp.plugin.cli.terminal import note, say

if TYPE_CHECKING:
    from keywarp.keyframes.live.mixer import Mixer
    from keywarp.keyframes.live.settings import LiveSettings
    from keywarp.keyframes.recording import Recording

#: Poses are taken so often, whatever the clip's rate.
_RATE = 60.0


def record(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="CLIP", help="The clip file to write, .json.")],
    sources: FromOption,
    seconds: SecondsOption = None,
    fps: Annotated[
        Optional[str], typer.Option("--fps", metavar="F", help="The clip's frames a second.")
    ] = "30",
    smoothing: SmoothingOption = 0.3,
    mirror: MirrorOption = False,
    error: Annotated[
        float,
        typer.Option(
            "--error", metavar="E", help="How far curves may be off what was seen; more gives fewer keys."
        ),
    ] = 0.005,
) -> None:
    """Record live input as a clip, from the first moment that a tracker gives a pose, or else any other source."""
    from keywarp.keyframes.live.settings import LiveSettings
    from keywarp.keyframes.recording import Recording
    from keywarp.plugin.cli.clips import summary

    check_seconds(seconds)
    if out.suffix.lower() != ".json" or out.is_dir():
        raise KeywarpError(f"{out}: clips are written as .json")
    if not 0.0 <= error <= 0.5:
        raise KeywarpError(f"--error {error:g}: give a share of a channel's range, from 0 to 0.5")
    rate = float(args.parse_rate(fps) or 30)
    followed = LiveSettings.of(settings(sources, smoothing, mirror))
    args.check_output(out)
    mixer = followed.mixer()
    recording = Recording()
    ending: BaseException | None = None
    mixer.start()
    try:
        _record(mixer, _awaited(followed), recording, seconds, rate)
    except KeyboardInterrupt:
        pass
    except SystemExit as asked:  # told to end: what there is, is kept
        ending = asked
    finally:
        message = mixer.state.message
        mixer.stop()
    if not len(recording):
        raise KeywarpError(f"nothing was recorded: {message}")
    clip = recording.clip(rate, error=error)
    args.make_folder(out)
    clip.save(out)
    note(f"{len(recording)} poses in {recording.seconds:.2f} s")
    say(f"{out}: {summary(clip)}")
    if ending is not None:
        raise ending


def _awaited(followed: LiveSettings) -> tuple[int, ...]:
    """The places, from the topmost down, of the sources that begin a recording: nobody wants idle motion alone while
    a tracker is still being switched on."""
    from keywarp.keyframes.live.protocols import PROTOCOLS

    everything = range(len(followed.sources))
    trackers = [place for place in everything if followed.sources[place].word in PROTOCOLS]
    return tuple(trackers or everything)


def _record(
    mixer: Mixer, awaited: Sequence[int], recording: Recording, seconds: float | None, fps: float
) -> None:
    """Until the time is over, or no more goes into a clip of ``fps``; ``awaited``: see ``_awaited``."""
    from keywarp.keyframes.live.source import FAILED, LIVE, SPACE, clock

    failed = [state.message for state in mixer.states if state.phase == FAILED]
    if failed:
        raise KeywarpError("; ".join(failed))
    status, due = Status(), clock()
    try:
        while seconds is None or recording.seconds < seconds:
            now = clock()
            pose = dict(zip(SPACE.names, mixer.pose(now).tolist(), strict=True))
            if not recording.has_room(now, fps):
                note("no clip is longer: what was recorded until now is kept")
                return
            states = mixer.states[::-1]  # the topmost first
            if len(recording) or any(states[place].phase == LIVE for place in awaited):
                recording.add(now, {name: pose[name] for name in mixer.channels})
            status.show(mixer.state.message, f"{recording.seconds:6.1f} s recorded; Ctrl-C ends")
            due = max(due + 1.0 / _RATE, now)
            time.sleep(max(due - clock(), 0.0))
    finally:
        status.end()
