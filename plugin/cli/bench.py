# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp bench``: speed and memory on this machine, as ratios."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args


def bench(
    character: Annotated[
        Optional[Path],
        typer.Argument(metavar="[CHARACTER]", help="Without one, only what needs no model is measured."),
    ] = None,
    clip: Annotated[
        Optional[Path],
        typer.Option("--clip", metavar="CLIP", help="A real motion; default: a clip that ships."),
    ] = None,
    blender: Annotated[
        Optional[list[Path]],
        typer.Option(
            "--blender",
            metavar="PYTHON",
            envvar="KEYWARP_BLENDER_PYTHONS",
            help="A Python with Blender as its package bpy: measure a 4K frame in it too; may be given again.",
        ),
    ] = None,
    systems: Annotated[
        bool,
        typer.Option(
            "--systems",
            help="Instead: what a pose costs each system on the CPU, at its published size.",
        ),
    ] = False,
    device: args.DeviceOption = args.Device.auto,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Measure a character's model, ResWarp and encoding, each against a known operation in the same run."""
    if systems:
        if character is not None or clip is not None:
            raise KeywarpError("--systems measures every system, and takes no character or clip")
        _systems(as_json)
        return
    from rich.console import Console
    from rich.table import Table

    from keywarp.core.bench.engine import engine_rows
    from keywarp.core.bench.rows import devices, measured
    from keywarp.core.character import load_character
    from keywarp.core.render.provenance import keywarp_version
    from keywarp.keyframes.clips import shipped
    from keywarp.keyframes.importers import load
    from keywarp.plugin.cli.blender_bench import blender_rows

    who = None if character is None else load_character(character)
    motion = load(clip or next(iter(shipped().values()))).clip
    console = Console(stderr=as_json)
    table = Table(title=f"keywarp {keywarp_version()} on {devices()}")
    for name in ("what", "ms", "compared with", "ms", "ratio", "target", "note"):
        table.add_column(name)
    found = []
    rows = [measured(who, motion, device.value)]
    if character is not None:
        rows.append(engine_rows(character, device.value))
        rows += [blender_rows(python, character) for python in blender or ()]
    for row in chain(*rows):
        ratio = row.ratio
        table.add_row(
            row.name,
            f"{row.seconds * 1e3:.1f}",
            row.reference,
            f"{row.reference_seconds * 1e3:.1f}" if row.reference else "",
            "" if ratio is None else f"{ratio:.3f}",
            row.target,
            row.note,
        )
        found.append({**vars(row), "ratio": ratio})
    if as_json:
        typer.echo(json.dumps({"version": keywarp_version(), "devices": devices(), "rows": found}, indent=1))
    else:
        console.print(table)


def _systems(as_json: bool) -> None:
    """The table of ``core.bench.systems``, a row as soon as it is known."""
    args.need_training()
    from keywarp.core.bench.rows import devices
    from keywarp.core.bench.systems import costs
    from keywarp.core.render.provenance import keywarp_version

    found = []
    if not as_json:
        typer.echo(
            f"keywarp {keywarp_version()} on {devices()}; a pose that differs in every channel, medians"
        )
    for cost in costs():
        found.append(vars(cost))
        if not as_json:
            typer.echo(
                f"{cost.name}: {cost.side}x{cost.side} pixels, {cost.parameters / 1e6:.2f} million parameters, "
                f"{cost.multiply_adds / 1e9:.1f} G multiply-adds, {cost.processor_seconds * 1e3:.0f} ms of the "
                f"processor, {cost.seconds * 1e3:.0f} ms by the clock"
            )
    if as_json:
        typer.echo(
            json.dumps({"version": keywarp_version(), "devices": devices(), "systems": found}, indent=1)
        )
