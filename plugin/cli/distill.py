# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp distill``: a student of one character, from a teacher."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.dataset import Blender, StyleName, exporter
from keywarp.plugin.cli.terminal import note, progress, say


class Variant(str, Enum):
    published = "published"
    single = "single"
    vanilla = "vanilla"


def distill(
    character: Annotated[
        str,
        typer.Argument(
            metavar="CHARACTER",
            help="A character file, its folder, a picture (with --teacher), a 3D character, or generated:SEED.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where the student will be.")],
    teacher: Annotated[
        Optional[str],
        typer.Option(
            "--teacher",
            metavar="WEIGHTS",
            help="The model that animates the character; default: its own. A 3D character is its own teacher.",
        ),
    ] = None,
    preset: Annotated[
        Optional[str],
        typer.Option("--preset", metavar="NAME", help="small (default), paper, or a .yaml file of yours."),
    ] = None,
    minutes: Annotated[
        Optional[float],
        typer.Option("--minutes", metavar="M", help="Fit the schedule into this time, and end with it."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on; a finished student learns on for --minutes.")
    ] = False,
    poses: Annotated[
        Optional[int],
        typer.Option("--poses", metavar="N", min=1, help="How many poses the teacher is asked for."),
    ] = None,
    face_mask: Annotated[
        Optional[Path],
        typer.Option(
            "--face-mask",
            metavar="PICTURE",
            help="White where the face moves, as THA4 takes it; default: found by itself.",
        ),
    ] = None,
    variant: Annotated[
        Variant,
        typer.Option("--variant", help="Of the body rotator, to compare: one resolution, plain SIREN."),
    ] = Variant.published,
    phases: Annotated[
        Optional[str],
        typer.Option("--phases", metavar="LIST", help="Only these phases of the body rotator, as in 1,3."),
    ] = None,
    style: Annotated[StyleName, typer.Option("--style", help="How a 3D character is drawn.")] = StyleName.cel,
    seed: Annotated[Optional[int], typer.Option("--seed", metavar="N", help="Default: 0.")] = None,
    blender: Blender = None,
    device: args.DeviceOption = args.Device.auto,
) -> None:
    """Distil a small, fast student of one character; a folder that Talking Head Anime 4 opens, too."""
    if minutes is not None and not 0 < minutes < 1e6:
        raise KeywarpError(f"--minutes {minutes:g}: give a time above 0")
    args.check_output(out)
    if out.exists() and not out.is_dir():
        raise KeywarpError(f"{out} is a file; the student will be a folder")
    chosen = _parse_phases(phases)
    args.need_training()

    from keywarp.core.models.tha.distill.opening import is_figure, open_teacher
    from keywarp.core.models.tha.distill.plan import Plan
    from keywarp.core.models.tha.distill.preflight import read_face_mask
    from keywarp.core.models.tha.distill.run import TRAINING, Distillation
    from keywarp.core.models.tha.distill.settings import changed, load_preset

    there = (out / TRAINING / Plan.FILE).is_file()
    if there and not resume:
        raise KeywarpError(f"{out} holds a distillation; go on with --resume, or give another folder")
    if not there and out.is_dir() and any(out.iterdir()):
        raise KeywarpError(f"{out} is there already, and holds no distillation; give another name")
    fixed = (preset, poses, seed, chosen, face_mask, None if variant is Variant.published else variant)
    if there and any(value is not None for value in fixed):
        raise KeywarpError(
            "--preset, --poses, --seed, --phases, --variant and --face-mask stay as they are with --resume"
        )
    mask = None if face_mask is None else read_face_mask(face_mask)
    wanted = None if there else changed(load_preset(preset or "small"), variant.value, chosen, poses)
    path = Path(character)
    known = open_teacher(
        character, teacher, style.value, exporter(path, blender) if is_figure(character) else None
    )
    if there:
        plan = Plan.load(out / TRAINING)
        plan.check(known, out)
    else:
        assert wanted is not None
        plan = Plan.of(wanted, known, seed or 0)
    _remark(known.subject.square[..., 3].min())
    student = Distillation(out, plan, known, minutes, device.value)
    outcome = student.run(progress, mask)
    for part, (done, of) in outcome.steps.items():
        if done < of:
            note(f"the {part.replace('_', ' ')} has done {done} of its {of} steps; --resume goes on")
    if not outcome.placed:
        note("this variant only compares: Talking Head Anime 4 and keywarp draw the published architecture")
    answer, unposed = outcome.scores.get("answer", {}), outcome.scores.get("unposed", {})
    told = f", {answer['psnr']:.2f} dB to its teacher (unposed {unposed['psnr']:.2f} dB)" if answer else ""
    say(f"{out}: a student of {known.name}{told}")


def _remark(least_alpha: float) -> None:
    if least_alpha > 0.5:
        note("the picture has no transparent background; the student will move it along with the character")


def _parse_phases(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d(,\d)*", text.strip()):
        raise KeywarpError(f"--phases {text}: give numbers of phases, as in 1,3")
    return tuple(int(number) for number in text.split(","))
