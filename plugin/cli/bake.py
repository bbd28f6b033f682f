# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp bake``: a 3D character becomes a picture that can be posed, with its exact motion."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.dataset import Annotations, Blender, Framing, StyleName, exporter
from keywarp.plugin.cli.terminal import notes, say

if TYPE_CHECKING:
    from keywarp.core.studio.dataset import Character


def bake(
    character: Annotated[
        str,
        typer.Argument(
            metavar="CHARACTER", help="A .pmx, .pmd, .vrm, .glb or .blend file, or generated:SEED."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where the character will be.")],
    style: Annotated[StyleName, typer.Option("--style", help="How it is drawn.")] = StyleName.outline,
    framing: Annotated[Framing, typer.Option("--framing", help="What is seen of it.")] = Framing.bust,
    size: Annotated[
        int, typer.Option("--size", min=128, max=4096, help="Pixels to a side of the picture.")
    ] = 4096,
    side: Annotated[
        int, typer.Option("--side", min=128, max=1024, help="Pixels to a side of its depth and motion.")
    ] = 512,
    layers: Annotated[
        int,
        typer.Option(
            "--layers",
            min=2,
            max=8,
            help="How many surfaces behind each other are kept; what poses reveal comes on top.",
        ),
    ] = 3,
    blender: Blender = None,
    annotations: Annotations = None,
) -> None:
    """Make a character for every host of a 3D one: its picture, with depth, bones and shapes of each pixel."""
    args.check_output(out)
    from keywarp.core.models.ldi.bake import Order
    from keywarp.core.models.ldi.bake import bake as baked

    order = Order(style.value, framing.value, side, size, layers)
    opened = partial(_opened, character, blender, annotations)
    card = baked(opened, out, order)
    say(f"{out}: {card.form}; keywarp render {out} CLIP -o OUT.mp4")


def _opened(word: str, blender: Path | None, annotations: Path | None, side: int) -> Character:
    from keywarp.core.studio.dataset import open_character
    from keywarp.core.studio.generator.source import WORD, generated_character, seeds

    if word.startswith(WORD):
        named = seeds(word)
        if len(named) != 1:
            raise KeywarpError(f"{word} names {len(named)} characters; bake one at a time")
        return generated_character(named[0], side)
    path = Path(word)
    found = open_character(path, exporter(path, blender), annotations)
    notes(found.figure.notes)
    return found
