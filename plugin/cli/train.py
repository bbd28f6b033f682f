# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp train``: a family's networks from shards of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import note, progress, say


def train(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="Which networks, such as atw.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="RUN", help="The run's folder; one that is there goes on.")
    ],
    data: args.DataOption = None,
    preset: Annotated[
        Optional[str],
        typer.Option(
            "--preset", metavar="NAME", help="A preset, or a .yaml recipe of yours; default: small."
        ),
    ] = None,
    part: Annotated[
        Optional[str],
        typer.Option(
            "--part", metavar="NAME", help="Which network, of a family that trains them one at a time."
        ),
    ] = None,
    start: Annotated[
        Optional[Path],
        typer.Option("--start", metavar="FOLDER", help="Weights to begin with, of such a family."),
    ] = None,
    minutes: Annotated[
        Optional[float],
        typer.Option("--minutes", metavar="M", help="End after this time, with a checkpoint."),
    ] = None,
    steps: Annotated[
        Optional[int], typer.Option("--steps", metavar="N", help="Stretch or shorten the recipe's schedule.")
    ] = None,
    space: Annotated[
        Optional[str], typer.Option("--space", metavar="SPACE", help="Another pose space than the preset's.")
    ] = None,
    seed: Annotated[Optional[int], typer.Option("--seed", metavar="N", help="Default: 0.")] = None,
    vgg: Annotated[
        Optional[Path],
        typer.Option(
            "--vgg", metavar="FILE", help="VGG-19's weights as torchvision stores them, for losses."
        ),
    ] = None,
    device: args.DeviceOption = args.Device.auto,
) -> None:
    """Train a family's networks; goes on where the run's folder holds a run."""
    if minutes is not None and not 0 < minutes < 1e6:
        raise KeywarpError(f"--minutes {minutes:g}: give a time above 0")
    if steps is not None and steps < 1:
        raise KeywarpError(f"--steps {steps}: give a number above 0")
    args.need_training()

    from keywarp.core.training.families import trainable
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.recipe import load_recipe
    from keywarp.core.training.run_folder import Run
    from keywarp.core.training.runs import resumable, stretched
    from keywarp.core.training.runs import train as run_training

    known = trainable(family)
    there = resumable(out)
    if there is not None and there.recipe.family != family:
        raise KeywarpError(f"{out} holds a run of {there.recipe.family}, not of {family}")
    if there is not None and part not in (None, there.recipe.part):
        raise KeywarpError(f"{out} holds a run of {there.recipe.part or 'all networks'}, not of {part}")
    if there is not None and preset is None and steps is None and space is None:
        recipe = there.recipe
    else:
        recipe = stretched(load_recipe(known.recipes, family, preset or "small", part or ""), steps, space)
    if data is None and there is None:
        raise KeywarpError("--data is missing: name a folder of shards, as docs/training.md describes them")
    shards = there.data if data is None and there is not None else tuple(str(path) for path in data or ())
    begun = 0 if there is None else there.seed
    run = Run(recipe, shards, begun if seed is None else seed)
    if there is not None:
        note(f"{out} holds a run; it goes on from its newest checkpoint")
    with progress("steps", "steps/s") as advance:
        done = run_training(run, out, Limits(minutes=minutes), device.value, vgg, advance, start)
    say(f"{out}: {' '.join(filter(None, (family, recipe.part)))}, {done} of {recipe.steps} steps")
