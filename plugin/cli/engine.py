# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp engine``: the engine in the foreground, for hosts on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import say


def engine(
    address: Annotated[
        Optional[Path],
        typer.Option("--address", metavar="FILE", help="Where hosts find its address; default: a new file."),
    ] = None,
) -> None:
    """Run the engine for Blender, OBS and other hosts until Ctrl-C."""
    from keywarp.core.engine import launch
    from keywarp.core.engine.process import serve

    if address is not None and not address.absolute().parent.is_dir():
        raise KeywarpError(f"{address.absolute().parent} is no folder; --address names a file in one")

    def ready(path: Path) -> None:
        say(f"the engine is ready; hosts reach it with KEYWARP_ENGINE={path}")
        say("Ctrl-C ends it")

    try:
        serve(launch.new_name(), hosted=False, card=address, ready=ready)
    except launch.LaunchError as error:
        raise KeywarpError(str(error)) from None
