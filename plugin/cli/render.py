# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp render``: a clip to an image sequence or a video."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
from keywarp.plugin.cli.terminal import note, notes, progress, say

if TYPE_CHECKING:
    from keywarp.core.render.job import Timeline
    from keywarp.core.render.sinks import Output, Sink
    from keywarp.keyframes.clip import Clip


def render(
    character: args.CharacterArgument,
    clip: Annotated[
        Path,
        typer.Argument(metavar="CLIP", help="A clip, a recording that `convert` reads, or a driving video."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            parser=args.parse_out,
            help="A folder, frame_####.png or .exr, or .mp4 .mov .webm .webp.",
        ),
    ],
    model: args.ModelOption = None,
    size: args.SizeOption = None,
    fit: args.FitOption = args.Fit.contain,
    frames: Annotated[
        Optional[str],
        typer.Option("--frames", metavar="A-B", help="Only these output frames, both included."),
    ] = None,
    fps: Annotated[
        Optional[str], typer.Option("--fps", metavar="F", help="Output frames a second; default: the clip's.")
    ] = None,
    background: Annotated[
        Optional[str],
        typer.Option(
            "--background", metavar="COLOUR", help="Behind the character; default: nothing, .mp4: white."
        ),
    ] = None,
    region: args.RegionOption = None,
    audio: Annotated[
        Optional[Path],
        typer.Option("--audio", metavar="FILE", help="Sound for a video, from the clip's start."),
    ] = None,
    driving: args.DrivingOption = None,
    driving_mode: args.DrivingModeOption = None,
    best_frame: args.BestFrameOption = False,
    device: args.DeviceOption = args.Device.auto,
    quality: args.QualityOption = args.Quality.full,
    bits: args.BitsOption = args.Bits.eight,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the images that are there already.")] = False,
) -> None:
    """Render a clip, or the motion of a driving video, to frames or a video."""
    wanted_size, wanted_frames = args.parse_size(size), args.parse_frames(frames)
    wanted_region, rate = args.parse_region(region), args.parse_rate(fps)

    from keywarp.core.color import WHITE, parse_colour
    from keywarp.core.driving import is_video
    from keywarp.core.render.job import Timeline, region_box, with_margin, work_of
    from keywarp.core.render.job import render as run_job
    from keywarp.core.render.performer import foreign
    from keywarp.core.render.sinks import Output
    from keywarp.core.render.sinks.naming import is_sequence
    from keywarp.core.render.stage import Stage
    from keywarp.keyframes.mappings.losses import losses
    from keywarp.plugin.cli.detail import true_detail

    if audio is not None and not audio.is_file():
        raise KeywarpError(
            f"--audio {audio}: {'it is no file' if audio.exists() else 'there is no such file'}"
        )
    colour = WHITE if background is None else parse_colour(background)
    video = clip if is_video(clip) else driving
    mode = None if driving_mode is None else driving_mode.value
    who, network = known_character(character, model, video, mode, best_frame)
    args.check_frames(out, character, clip, audio, driving, who.picture, who.hd_picture, who.move_mask)
    if resume:
        _check_resumable(out)
    motion, remarks = _motion(clip)
    timeline = Timeline.of(motion, rate)
    numbers = timeline.numbers(wanted_frames)
    lost = losses(motion, network.space)
    stage = Stage(
        who, size=wanted_size, fit=fit.value, device=device.value, draft=quality is args.Quality.draft
    )
    box = region_box(stage, wanted_region)
    wide, margin = with_margin(stage, box)
    behind = colour if background is not None else None
    # Of a video, which cannot be resumed, nobody asks.
    work = work_of(stage, motion, timeline, box, behind, quality.value) if is_sequence(out) else ""
    sink = _sink(
        out,
        Output(
            box[2] - box[0],
            box[3] - box[1],
            timeline.fps,
            replace(stage.provenance, work=work),
            int(bits.value),
            colour,
            audio,
            _offset(timeline, numbers),
            (wide[0], wide[1]),
            margin,
        ),
        background is not None,
    )
    canvas = stage.artwork.canvas
    note(true_detail(canvas.shape[1], canvas.shape[0], stage.view.scale))
    notes([*filter(None, [foreign(who, stage.artwork, network)]), *remarks, *lost, *sink.notes])

    began = time.monotonic()
    with progress("frames") as advance:
        run_job(
            stage,
            motion,
            sink,
            numbers,
            timeline,
            wide,
            resume=resume,
            progress=lambda number: advance(number - numbers[0] + 1, len(numbers)),
        )
    took = max(time.monotonic() - began, 1e-6)
    seconds = float(len(numbers) / timeline.fps)
    say(
        f"{out}: frames {numbers[0]}-{numbers[-1]}, {box[2] - box[0]}x{box[3] - box[1]}, {seconds:.2f} s at "
        f"{float(timeline.fps):g} fps, made in {took:.1f} s ({len(numbers) / took:.1f} a second)"
    )


def _motion(path: Path) -> tuple[Clip, Sequence[str]]:
    """The clip in a file, or the one that plays a driving video; and what was to be said about it."""
    from keywarp.core.driving import is_video

    if is_video(path):
        from keywarp.core.driving_video import whole_video

        return whole_video(path), ()
    from keywarp.keyframes.importers import load

    imported = load(path)
    return imported.clip, imported.notes


def _offset(timeline: Timeline, numbers: range) -> Fraction:
    """Seconds of the sound before the first frame that is rendered."""
    start = Fraction(timeline.clip_start).limit_denominator(100_000)
    return (numbers[0] - start) / timeline.fps


def _check_resumable(out: Path) -> None:
    from keywarp.core.render.sinks.naming import is_sequence

    if not is_sequence(out):
        raise KeywarpError(
            f"{out}: only image sequences can be resumed; render to frame_####.png, or leave out --resume"
        )


def _sink(out: Path, output: Output, backed: bool) -> Sink:
    """``backed``: whether the background was asked for; formats without alpha have one of themselves."""
    from keywarp.core.render.sinks import open_sink
    from keywarp.core.render.sinks.backed import BackedSink

    sink = open_sink(out, output)
    return BackedSink(sink, output.background) if backed and out.suffix.lower() != ".mp4" else sink
