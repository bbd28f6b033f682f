# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine's process from its arguments to its end."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from keywarp.core.engine import launch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an engine that a host has started; the exit status."""
    parser = argparse.ArgumentParser(prog="keywarp.core.engine", description=__doc__)
    parser.add_argument(
        "--hosted", metavar="NAME", required=True, help="The name that the host has given it."
    )
    given = parser.parse_args(arguments)
    name = given.hosted
    if len(name) != 12 or not all(c in "0123456789abcdef" for c in name):
        parser.error("a name is twelve hexadecimal digits")
    return serve(name, hosted=True)


def serve(
    name: str,
    hosted: bool,
    card: Path | None = None,
    ready: Callable[[Path], None] = lambda path: None,
) -> int:
    """Run an engine until it is over; ``card``: where its address file goes, in the run folder by default."""
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO if hosted else logging.WARNING,
        format=f"%(asctime)s engine {os.getpid()} %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    from keywarp.core.engine.server import Server
    from keywarp.core.engine.storage import Storage

    storage = Storage(launch.run_folder(), name)
    server = Server(storage, hosted)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: server.end(f"signal {number}"))
    path = card or storage.path(".json")
    ready(path)
    server.run(path)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)  # threads in native code would hold it up, and there is nothing left to do
