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

NAME_LENGTH = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an engine that a host has started; does not return."""
    parser = argparse.ArgumentParser(prog="keywarp.core.engine", description="An engine, as hosts start it.")
    parser.add_argument(
        "--hosted", metavar="NAME", required=True, help="The name that the host has given it."
    )
    parser.add_argument("--log", metavar="FILE", type=Path, help="The file that its output goes to.")
    given = parser.parse_args(arguments)
    name = given.hosted
    if len(name) != NAME_LENGTH or set(name) - set("0123456789abcdef"):
        parser.error("a name is twelve hexadecimal digits")
    serve(name, hosted=True, log_path=given.log)
    return 0


def serve(
    name: str,
    hosted: bool,
    card: Path | None = None,
    log_path: Path | None = None,
    ready: Callable[[Path], None] = lambda path: None,
) -> None:
    """Run an engine until it is over, then end the process.

    ``card``: where its address file goes, in the run folder by default. ``log_path``: the file that standard error
    leads to, which is kept short. ``ready`` hears of the address file when hosts can come in.
    """
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO if hosted else logging.WARNING,
        format=f"%(asctime)s engine {os.getpid()} %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    from keywarp.core.engine.server import Server
    from keywarp.core.engine.storage import Storage

    storage = Storage(launch.run_folder(), name)
    path = storage.path(".json") if card is None else card.absolute()
    try:
        server = Server(storage, hosted, log_path)
        for number in _endings():
            signal.signal(number, lambda number, frame: server.end(signal.Signals(number).name))
        server.run(path, lambda: ready(path))
    finally:
        storage.clear()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads in native code would hold it up, and there is nothing left to do


def _endings() -> list[signal.Signals]:
    """What asks a process to end, on this system."""
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
    return [signal.Signals[name] for name in names if name in signal.Signals.__members__]
