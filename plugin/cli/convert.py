# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp convert``: a recording or motion of another program to a clip file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import notes, say

if TYPE_CHECKING:
    from keywarp.keyframes.importers import Imported


def convert(
    clip: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A motion, a face recording, mouth cues, recorded speech (any sound or video) or a clip.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The clip file to write, .json.")],
    space: Annotated[
        Optional[str],
        typer.Option(
            "--space", metavar="NAME", help="Map it to this pose space; default: the one it came in."
        ),
    ] = None,
) -> None:
    """Convert a file of another program to a clip."""
    if out.suffix.lower() != ".json" or out.is_dir():
        raise KeywarpError(f"{out}: clips are written as .json")

    from keywarp.keyframes.mappings import convert_clip
    from keywarp.keyframes.mappings.losses import losses
    from keywarp.plugin.cli.clips import summary

    args.check_output(out, clip)
    imported = _imported(clip)
    made = imported.clip if space is None else convert_clip(imported.clip, space)
    made = dataclasses.replace(made, source=made.source or clip.name)
    lost = [] if space is None else losses(imported.clip, space)
    args.make_folder(out)
    made.save(out)
    notes([*imported.notes, *lost])
    say(f"{out}: {summary(made)}")


def _imported(path: Path) -> Imported:
    """The clip that a file holds; what no importer knows may have sound."""
    from keywarp.keyframes.importers import UnknownFileError, load

    try:
        return load(path)
    except UnknownFileError:
        from keywarp.core.sound import has_sound, load_speech

        if not has_sound(path):
            raise
        return load_speech(path)
