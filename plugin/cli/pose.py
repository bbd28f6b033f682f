# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp pose``: one pose, or a table of them, to pictures."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
from keywarp.plugin.cli.terminal import notes, progress, say

if TYPE_CHECKING:
    from keywarp.core.render.performer import Performer
    from keywarp.core.render.stage import Stage
    from keywarp.keyframes.channels import Poses

NATIVE = "native"


def pose(
    character: args.CharacterArgument,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="A .png or .exr; with #### for many poses.")
    ],
    model: args.ModelOption = None,
    values: Annotated[
        Optional[list[str]],
        typer.Option("--set", metavar="CHANNEL=VALUE", help="A channel's value; repeatable."),
    ] = None,
    pose_file: Annotated[
        Optional[Path],
        typer.Option(
            "--pose", metavar="FILE", help="JSON or YAML of channels and values, or .npy of the whole pose."
        ),
    ] = None,
    size: Annotated[
        Optional[str],
        typer.Option(
            "--size", metavar="WxH|native", help="The frame's size, or the model's own square as it is."
        ),
    ] = None,
    fit: args.FitOption = args.Fit.contain,
    region: args.RegionOption = None,
    driving: args.DrivingOption = None,
    device: args.DeviceOption = args.Device.auto,
    quality: args.QualityOption = args.Quality.full,
    bits: args.BitsOption = args.Bits.eight,
) -> None:
    """Show a character in a pose."""
    native = size is not None and size.strip().lower() == NATIVE
    wanted_size = None if native else args.parse_size(size)
    wanted_region = args.parse_region(region)
    spoken = args.parse_values(values or [])

    from keywarp.core.render.job import region_box
    from keywarp.core.render.performer import Performer, foreign
    from keywarp.core.render.stage import Stage
    from keywarp.plugin.cli.detail import true_detail
    from keywarp.plugin.cli.poses import assembled, read_poses

    who, info = known_character(character, model, driving)
    args.check_frames(out, character, pose_file, who.picture, who.hd_picture, who.move_mask)
    rows = read_poses(pose_file, info.space) if pose_file is not None else None
    try:
        poses, remarks = assembled(info.space, who.resting, rows, spoken)
    except KeywarpError as error:  # a channel that is not there, and resembles none that is
        hint = (
            ""
            if "did you mean" in str(error)
            else f"; `keywarp info {shlex.quote(character)}` lists its channels"
        )
        raise KeywarpError(f"{error}{hint}") from None
    files = _files(out, len(poses))
    if native:
        _check_square(wanted_region, info.side)
    performer = Performer(who, device.value)
    write: Callable[[Poses, Path], None]
    if native:
        detail = f"the model draws {info.side}x{info.side} pixels"
        write = partial(_write_native, performer, wanted_region, int(bits.value))
    else:
        stage = Stage(performer, size=wanted_size, fit=fit.value, draft=quality is args.Quality.draft)
        region_box(stage, wanted_region)
        canvas = stage.artwork.canvas
        detail = true_detail(canvas.shape[1], canvas.shape[0], stage.view.scale)
        write = partial(_write_frame, stage, wanted_region, int(bits.value))
    notes([*remarks, *filter(None, [foreign(who, performer.artwork, info)]), detail])
    with progress("poses") as advance:
        for done, (file, one) in enumerate(zip(files, poses, strict=True), 1):
            write(one, file)
            advance(done, len(files))
    say(
        str(files[0])
        if len(files) == 1
        else f"{out}: {len(files)} poses, {files[0].name} to {files[-1].name}"
    )


def _check_square(region: args.Region | None, side: int) -> None:
    if region is None:
        return
    x, y, w, h = region
    if w <= 0 or h <= 0 or x < 0 or y < 0 or x + w > side or y + h > side:
        raise KeywarpError(f"the region {x},{y},{w},{h} is not inside the model's {side}x{side} pixels")


def _files(out: Path, count: int) -> list[Path]:
    from keywarp.core.render.sinks.naming import IMAGE_SUFFIXES, frame_path, frame_pattern

    if out.suffix.lower() not in IMAGE_SUFFIXES or out.is_dir():
        raise KeywarpError(f"{out}: poses are written as pictures, {' or '.join(IMAGE_SUFFIXES)}")
    if "#" not in out.name and count == 1:
        return [out]
    pattern = frame_pattern(out)
    return [frame_path(pattern, number) for number in range(count)]


def _write_frame(stage: Stage, region: args.Region | None, bits: int, one: Poses, file: Path) -> None:
    from keywarp.core.render.job import region_box, with_margin
    from keywarp.core.render.sinks import Output
    from keywarp.core.render.sinks.images import write_image

    box = region_box(stage, region)
    wide, margin = with_margin(stage, box)
    frame = stage.frame(one, window=wide)[wide[1] : wide[3], wide[0] : wide[2]]
    width, height = box[2] - box[0], box[3] - box[1]
    output = Output(
        width, height, Fraction(1), stage.provenance, bits, origin=(wide[0], wide[1]), margin=margin
    )
    write_image(file, frame, output)


def _write_native(
    performer: Performer, region: args.Region | None, bits: int, one: Poses, file: Path
) -> None:
    from keywarp.core.render.provenance import provenance_of
    from keywarp.core.render.sinks import write_picture

    image = performer.motion(one).image
    if region is not None:
        x, y, w, h = region
        image = image[y : y + h, x : x + w]
    write_picture(file, image, bits, provenance_of(performer.character, performer.model))
