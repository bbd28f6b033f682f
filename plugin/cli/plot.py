# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp plot``: a chart of a clip's curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import notes, say


def plot(
    clip: args.ClipArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="A .png file.")],
) -> None:
    """Draw a clip's curves, group by group."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise KeywarpError(f"{out}: the chart is written as .png")

    from keywarp.core.render.drawing import write_drawing
    from keywarp.core.render.plot import plotted
    from keywarp.core.render.provenance import Provenance
    from keywarp.keyframes.importers import load

    args.check_output(out, clip)
    imported = load(clip)
    read = imported.clip
    pixels = plotted(read, read.title or clip.name)
    write_drawing(out, pixels, Provenance(licence=read.licence, credit=read.credit))
    notes(imported.notes)
    say(f"{out}: {pixels.shape[1]}x{pixels.shape[0]}")
