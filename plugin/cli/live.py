# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp live``: a character that follows live sources, without a window."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from keywarp.keyframes.errors import KeywarpError, installing
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
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
    from keywarp.core.color import Colour
    from keywarp.core.engine.client import Stream
    from keywarp.core.picture import Picture

CAMERA, ENGINE = "camera", "engine"
#: What video calls expect of a camera, in pixels; a picture's own size may be one that none can show.
CAMERA_SIZE = (1280, 720)
#: In which the engine has to draw the first frame, in seconds; a model that is new to it is prepared first.
_PATIENCE = 600.0

#: Takes the number of a frame and the frame: float32, premultiplied, linear, (H, W, 4).
Show = Callable[[int, "Picture"], None]


def live(
    character: args.CharacterArgument,
    sources: FromOption,
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--to",
            metavar="camera|engine|OUT",
            help="A virtual camera, the engine's shared memory, or what `render` writes: frame_####.png, .mp4 ...",
        ),
    ],
    model: args.ModelOption = None,
    size: Annotated[
        Optional[str],
        typer.Option(
            "--size", metavar="WxH", help="The frame's size; default: the picture's own, camera: 1280x720."
        ),
    ] = None,
    fit: args.FitOption = args.Fit.contain,
    fps: Annotated[Optional[str], typer.Option("--fps", metavar="F", help="Frames a second.")] = "30",
    seconds: SecondsOption = None,
    smoothing: SmoothingOption = 0.5,
    mirror: MirrorOption = False,
    background: Annotated[
        Optional[str],
        typer.Option(
            "--background", metavar="COLOUR", help="Behind the character; default: nothing, camera: white."
        ),
    ] = None,
    device: args.DeviceOption = args.Device.auto,
) -> None:
    """Let live sources move a character: to a virtual camera, to files, or to other programs."""
    check_seconds(seconds)
    wanted_size, rate = args.parse_size(size), args.parse_rate(fps) or Fraction(30)
    given = settings(sources, smoothing, mirror)

    from keywarp.core.character import found_character
    from keywarp.core.color import WHITE, parse_colour
    from keywarp.core.engine.client import Engine, EngineError

    colour = None if background is None else parse_colour(background)
    who, _ = known_character(character, model)
    place = found_character(character).absolute()  # engines know no working folder
    if out == CAMERA and wanted_size is None:
        wanted_size = CAMERA_SIZE
    if out not in (CAMERA, ENGINE):
        args.check_frames(Path(out), character, who.picture, who.hd_picture, who.move_mask)
    command = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]
    engine = Engine(command, device=device.value, environment={"PYTHONPATH": os.environ.get("PYTHONPATH")})
    try:
        stream = engine.stream(
            place,
            model=None if model is None else (Path(model).absolute() if Path(model).exists() else model),
            size=wanted_size,
            fit=fit.value,
        )
        stream.follow(given, rate=float(rate))
        first = _first(stream)
        if out == ENGINE:
            _, drawn = _run(stream, first, rate, seconds, lambda number, picture: None, False)
            say(f"{drawn} frames lay in the engine's memory")
        elif out == CAMERA:
            with _camera(first, rate, colour or WHITE) as show:
                shown, _ = _run(stream, first, rate, seconds, show, False)
            say(f"{shown} frames went to the camera")
        else:
            with _files(Path(out), character, model, first, rate, colour) as show:
                shown, _ = _run(stream, first, rate, seconds, show, True)
            say(f"{out}: {shown} frames, {shown / float(rate):.2f} s at {float(rate):g} fps")
    except EngineError as error:
        raise KeywarpError(str(error)) from None
    finally:
        engine.close()


def _picture(stream: Stream, after: int, wait: float) -> tuple[int, Picture] | None:
    """A copy of the newest frame and its number, where there is one above ``after``."""
    import numpy as np

    frame = stream.wait(after, wait)
    if frame is None:
        return None
    with frame:
        picture = np.array(frame.pixels, np.float32).reshape(frame.height, frame.width, 4)
        return (frame.number, picture) if frame.intact else None


def _first(stream: Stream) -> tuple[int, Picture]:
    until, told = time.monotonic() + _PATIENCE, ""
    while time.monotonic() < until:
        found = _picture(stream, -1, 0.2)
        if found is not None:
            return found
        if stream.error is not None:
            raise KeywarpError(stream.error)
        if stream.progress is not None and stream.progress[0] != told:
            told = stream.progress[0]
            note(f"the engine: {told}")
    raise KeywarpError("the engine has drawn nothing for ten minutes; its log says more")


def _run(
    stream: Stream, first: tuple[int, Picture], rate: Fraction, seconds: float | None, show: Show, every: bool
) -> tuple[int, int]:
    """Show the newest picture at each beat until the time is over, or Ctrl-C; how many times one was shown, and how
    many pictures there were.

    ``every``: a beat that came too late is made up for, so that what is written plays as fast as it was.
    """
    number, picture = first
    note(f"frames of {picture.shape[1]}x{picture.shape[0]} lie in {stream.memory}")
    status, began, beat, shown, drawn = Status(), time.monotonic(), 0, 0, 1
    try:
        while seconds is None or beat < max(round(seconds * rate), 1):
            found = _picture(stream, number, 0.0)
            if found is not None and found[1].shape == picture.shape:
                (number, picture), drawn = found, drawn + 1
            show(beat, picture)
            beat, shown = beat + 1, shown + 1
            state = stream.live
            took = max(time.monotonic() - began, 1e-3)
            counters = f"{took:6.1f} s, {drawn / took:.1f} of {float(rate):g} frames a second; Ctrl-C ends"
            status.show(stream.error or (state.message if state is not None else "starting"), counters)
            left = began + float(beat / rate) - time.monotonic()
            if left > 0.0:
                time.sleep(left)
            elif not every:
                beat = max(beat, int((time.monotonic() - began) * rate))
    except KeyboardInterrupt:
        pass
    finally:
        status.end()
    return shown, drawn


@contextmanager
def _camera(first: tuple[int, Picture], rate: Fraction, colour: Colour) -> Iterator[Show]:
    try:
        import pyvirtualcam
    except ImportError:
        raise KeywarpError(
            f"a virtual camera needs the package pyvirtualcam: {installing('live')} brings it"
        ) from None
    from keywarp.core.color import over_srgb8

    height, width = first[1].shape[:2]
    try:
        camera: Any = pyvirtualcam.Camera(width, height, float(rate))
    except RuntimeError as error:
        sentence = " ".join(str(error).split())
        raise KeywarpError(
            f"there is no virtual camera: OBS brings one on Windows and macOS, v4l2loopback on Linux ({sentence})"
        ) from None
    with camera:
        note(f"the camera is called {camera.device}")
        yield lambda number, picture: camera.send(over_srgb8(picture, colour))


@contextmanager
def _files(
    out: Path,
    character: str,
    model: str | None,
    first: tuple[int, Picture],
    rate: Fraction,
    colour: Colour | None,
) -> Iterator[Show]:
    from keywarp.core.color import WHITE
    from keywarp.core.render.provenance import provenance_of
    from keywarp.core.render.sinks import Output, open_sink
    from keywarp.core.render.sinks.backed import BackedSink

    who, info = known_character(character, model)
    provenance = provenance_of(who, info)
    height, width = first[1].shape[:2]
    sink = open_sink(out, Output(width, height, rate, provenance, background=colour or WHITE))
    if colour is not None and out.suffix.lower() != ".mp4":
        sink = BackedSink(sink, colour)
    for text in sink.notes:
        note(text)
    with sink:
        yield sink.write
