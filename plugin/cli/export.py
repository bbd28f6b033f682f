# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp export``: a model that any machine runs, of a run's averaged weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import say


def export(
    run: args.RunArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The model's new folder.")],
    licence: Annotated[
        str, typer.Option("--licence", help="The weights' licence, for the model's card.")
    ] = "",
    credit: Annotated[str, typer.Option("--credit", help="Whom to name.")] = "",
) -> None:
    """Make a model of a run, for `render --model` and everything else."""
    args.need_training()

    from keywarp.core.training.runs import export as run_export

    card = run_export(run, out, licence, credit)
    say(
        f"{out}: {card.form}, {card.parameters:,} parameters, {card.side}x{card.side}, pose space {card.space}"
    )
