# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp evaluate``: what networks are worth, on shards, or on characters that they have never seen."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.dataset import Blender
from keywarp.plugin.cli.heldout import Amount, heldout, show
from keywarp.plugin.cli.terminal import columns, progress, say

_TITLES = {
    "mae": "MAE",
    "rmse": "RMSE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "flow_error": "flow error, pixels",
    "warping_error": "warping error, x1000",
}


class Suite(str, Enum):
    heldout = "heldout"


def evaluate(
    what: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[RUN]",
            help="The folder of a run; with --suite also a model or a student's character, default: what ships.",
        ),
    ] = None,
    data: args.DataOption = None,
    suite: Annotated[
        Optional[Suite],
        typer.Option("--suite", help="heldout: photographs of characters on which nothing is trained."),
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option("-o", "--out", metavar="FOLDER", help="Of the suite's results; default: heldout-NAME."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only a look: 2 characters, 9 poses.")] = False,
    characters: Annotated[
        Optional[int],
        typer.Option("--characters", min=0, help="Generated characters, up to the 50 that are kept apart."),
    ] = None,
    character: Annotated[
        Optional[list[str]],
        typer.Option(
            "--character",
            metavar="FILE",
            help="A 3D character besides; for a student the one that it was distilled from, or generated:SEED.",
        ),
    ] = None,
    poses: Annotated[
        Optional[int], typer.Option("--poses", min=1, help="Of a character; default: 27, of a student 100.")
    ] = None,
    large: Annotated[
        Optional[int],
        typer.Option("--large", min=0, help="Poses in all at 2160x2160, which take long; default: 12."),
    ] = None,
    clips: Annotated[
        Optional[int], typer.Option("--clips", min=0, help="Characters in motion; default: 2.")
    ] = None,
    blender: Blender = None,
    device: args.DeviceOption = args.Device.auto,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Score a run on shards; or whatever can be posed on photographs of characters that it has not learnt from."""
    if suite is not None:
        if data is not None:
            raise KeywarpError("--suite takes photographs of its own; leave --data out")
        amount = Amount(characters, poses, large, clips, quick)
        table, folder = heldout(what, out, amount, character or [], blender, device.value)
        if as_json:
            say(json.dumps(table, indent=1))
        else:
            show(table, folder)
        return
    if what is None or data is None:
        raise KeywarpError(
            "name a run, and with --data the shards to score it on, best of characters never trained on; or --suite"
        )
    _on_shards(Path(what), data, device.value, as_json)


def _on_shards(run: Path, data: list[Path], device: str, as_json: bool) -> None:
    args.need_training()

    from keywarp.core.training.runs import EVALUATION_FILE, EVALUATION_SHEET
    from keywarp.core.training.runs import evaluate as run_evaluation

    with progress("examples", "examples/s") as advance:
        table: dict[str, Any] = run_evaluation(run, data, device, advance)
    if as_json:
        say(json.dumps(table, indent=1))
        return
    rows = [("", "ANSWER", "UNPOSED")]
    for name, value in table["answer"].items():
        unposed = table["unposed"].get(name)
        rows.append((_title(name), f"{value:.4f}", "" if unposed is None else f"{unposed:.4f}"))
    columns(rows)
    worst = run / EVALUATION_SHEET
    say(f"step {table['step']}, {table['examples']} examples; {run / EVALUATION_FILE}, {worst}")


def _title(name: str) -> str:
    if name in _TITLES:
        return _TITLES[name]
    region, _, score = name.partition("_")
    return f"{region}: {_TITLES.get(score, score)}"
