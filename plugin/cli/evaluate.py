# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp evaluate``: what a run's networks are worth, on shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import columns, progress, say

_TITLES = {
    "mae": "MAE",
    "rmse": "RMSE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "flow_error": "flow error, pixels",
    "warping_error": "warping error, x1000",
}


def evaluate(
    run: args.RunArgument,
    data: args.DataOption = None,
    device: args.DeviceOption = args.Device.auto,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Score a run on shards: the whole frame and each known region, beside the picture left as it is."""
    if data is None:
        raise KeywarpError(
            "--data is missing: name the shards to score on, best of characters never trained on"
        )
    args.need_training()

    from keywarp.core.training.runs import EVALUATION_FILE, EVALUATION_SHEET
    from keywarp.core.training.runs import evaluate as run_evaluation

    with progress("examples", "examples/s") as advance:
        table = run_evaluation(run, data, device.value, advance)
    if as_json:
        say(json.dumps(table, indent=1))
        return
    rows = [("", "ANSWER", "UNPOSED")]
    for name, value in table["answer"].items():
        unposed = table["unposed"].get(name)
        rows.append((_title(name), f"{value:.4f}", "" if unposed is None else f"{unposed:.4f}"))
    columns(rows)
    worst: Path = run / EVALUATION_SHEET
    say(f"step {table['step']}, {table['examples']} examples; {run / EVALUATION_FILE}, {worst}")


def _title(name: str) -> str:
    if name in _TITLES:
        return _TITLES[name]
    region, _, score = name.partition("_")
    return f"{region}: {_TITLES.get(score, score)}"
