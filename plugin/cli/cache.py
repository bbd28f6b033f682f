# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp cache``: what is kept between runs, and its removal."""

from __future__ import annotations

from typing import Annotated

import typer

from keywarp.plugin.cli.terminal import columns, megabytes, say


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove it all; it is made again when needed.")
    ] = False,
) -> None:
    """Show what is kept between runs, or remove it."""
    from keywarp.core.runtime.cache import cache_entries, cache_folder, clear_cache

    folder = cache_folder()
    if clear:
        say(f"{folder}: {megabytes(clear_cache())} freed")
        return
    sizes: dict[str, int] = {}
    for path, size in cache_entries():
        top = path.relative_to(folder).parts[0]
        sizes[top] = sizes.get(top, 0) + size
    say(f"{folder}: {megabytes(sum(sizes.values()))}")
    if sizes:
        columns([(name, megabytes(size)) for name, size in sizes.items()], indent="  ")
