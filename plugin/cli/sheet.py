# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp sheet``: a contact sheet of every channel at its extremes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
from keywarp.plugin.cli.terminal import progress, say


def sheet(
    character: args.CharacterArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="A .png file.")],
    model: args.ModelOption = None,
    driving: args.DrivingOption = None,
    device: args.DeviceOption = args.Device.auto,
) -> None:
    """Draw a contact sheet: every channel at its extremes."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise KeywarpError(f"{out}: the contact sheet is written as .png")

    from keywarp.core.render.drawing import write_drawing
    from keywarp.core.render.sheet import contact_sheet

    who, _ = known_character(character, model, driving)
    args.check_output(out, character, who.picture, who.hd_picture, who.move_mask)
    with progress("poses") as advance:
        pixels, stage = contact_sheet(who, device.value, advance)
    write_drawing(out, pixels, stage.provenance)
    say(f"{out}: {pixels.shape[1]}x{pixels.shape[0]}")
