# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp new``: a character file from a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import note, notes, say


def new(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="The character's picture.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="NAME.yaml", help="The character file to write.")
    ],
    model: args.ModelOption = None,
    head: Annotated[
        Optional[str],
        typer.Option("--head", metavar="X,Y,W,H", help="The head, crown to chin, in the picture's pixels."),
    ] = None,
    hd: Annotated[
        Optional[Path], typer.Option("--hd", metavar="PICTURE", help="The same artwork at higher resolution.")
    ] = None,
) -> None:
    """Make a character file from a picture."""
    box = args.parse_head(head)
    if out.suffix.lower() not in (".yaml", ".yml") or out.is_dir():
        raise KeywarpError(f"{out}: character files end in .yaml")
    if out.exists():
        raise KeywarpError(f"{out} exists already; choose another name, or delete it first")

    from keywarp.core.character import FRAMED, Character, can_frame, character_text
    from keywarp.core.check import check_picture
    from keywarp.core.framing import Framing
    from keywarp.core.head import THA_HEAD, THA_SIDE, HeadBox, framing_for
    from keywarp.core.models.registry import default_model, find_model
    from keywarp.core.picture import read_picture
    from keywarp.core.registration import register
    from keywarp.core.render.sinks.base import replacing

    read = read_picture(picture)
    chosen, missing = model or "", ""
    if not chosen:
        try:
            chosen = default_model()
        except KeywarpError as error:
            missing = str(error)
    source = find_model(chosen) if chosen else None
    if box is not None and not _touches(box, read.width, read.height):
        raise KeywarpError(
            f"--head {head} lies outside of the picture, which has {read.width}x{read.height} pixels"
        )
    given = None if box is None else HeadBox(*box)
    own = source is not None and source.info.picture is not None and read.width == read.height
    target = THA_HEAD if source is None else source.info.head
    framing = (
        Framing.of_square(0, 0, read.width)
        if own and given is None
        else framing_for(read.pixels, given, target)
    )
    if not can_frame(framing):
        asked = (
            f"{picture}, which has {read.width}x{read.height} pixels," if box is None else f"--head {head}"
        )
        raise KeywarpError(f"{asked} gives the model {framing.side:.3g} pixels to see, not {FRAMED}")
    if hd is not None:
        register(read_picture(hd).pixels, read.pixels, str(hd))  # raises where it is other artwork
    who = Character(
        name=out.stem,
        picture=picture.absolute(),
        model=Path(chosen).absolute() if chosen and Path(chosen).exists() else chosen,
        folder=out.absolute().parent,
        hd_picture=None if hd is None else hd.absolute(),
        framing=framing,
        head=box,
    )
    text = character_text(who, out.absolute())
    side = THA_SIDE if source is None else source.info.side
    findings = check_picture(read, given, framing, target, side, model or "", hd)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    notes(read.warnings)
    for finding in findings:
        note(f"{finding.what}; {finding.remedy}")
    if missing:
        note(missing)
    say(f"{out}: {read.width}x{read.height} pixels, the model's square is {framing.side:.0f} of them wide")


def _touches(box: tuple[float, float, float, float], width: int, height: int) -> bool:
    x, y, w, h = box
    return x < width and y < height and x + w > 0 and y + h > 0
