# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of commands, and the one place where errors become sentences and exit statuses.

Status 0: done. 2: the input or the arguments are wrong, in one sentence on stderr. 1: a defect of keywarp.
130: interrupted. 143: told to end.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import complain, quiet_libraries

PROGRAM = "keywarp"
BAD_INPUT, DEFECT, INTERRUPTED, TERMINATED = 2, 1, 130, 143

#: Modules beside this file, in the order of the help; each defines a function, or a group, of its own name.
COMMANDS = (
    *("render", "pose", "new", "check", "info", "convert"),
    *("sheet", "plot", "models", "cache", "bench", "engine"),
    *("listen", "train", "evaluate", "export", "distill", "bake", "posemap"),
    *("live", "record"),
    "dataset",
)

# The vendored or separate Click of each typer has its exceptions elsewhere; what typer passes on derives from them.
_UsageError: Any = typer.BadParameter.__mro__[2]


def _version(wanted: bool) -> None:
    if wanted:
        from keywarp.core.render.provenance import keywarp_version

        typer.echo(f"{PROGRAM} {keywarp_version()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Animate one still picture of a character from keyframed pose curves."""


def _application() -> typer.Typer:
    application = typer.Typer(name=PROGRAM, rich_markup_mode=None, pretty_exceptions_enable=False)
    application.callback()(_root)
    for name in COMMANDS:
        command = getattr(import_module(f"{__package__}.{name}"), name)
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name)
        else:
            application.command(name)(command)
    return application


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status. ``arguments``: without the program's name, the process's own by
    default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given  # wherever it stands: it is typed last, when something has failed
    given = [argument for argument in given if argument != "--debug"] or ["--help"]
    if not debug:
        quiet_libraries()
    try:
        return _run(lambda: get_command(_application()).main(given, PROGRAM, standalone_mode=False))
    except Exception as error:
        if debug:
            traceback.print_exc()
        status, sentence = _explained(error)
        complain(sentence)
        return status


def _stop(*_: object) -> NoReturn:
    """As Ctrl-C does: what is unfinished is taken away."""
    raise SystemExit(TERMINATED)


def _run(command: Callable[[], Any]) -> int:
    with suppress(ValueError):  # not the main thread: it is not our process
        signal.signal(signal.SIGTERM, _stop)
    try:
        status = int(command() or 0)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        # Who read our output has had enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if status == INTERRUPTED:
        complain("interrupted; nothing unfinished was left behind")
    return status


def _explained(error: Exception) -> tuple[int, str]:
    """Exit status and one sentence."""
    if isinstance(error, KeywarpError):
        return BAD_INPUT, str(error)
    if isinstance(error, _UsageError):
        return BAD_INPUT, error.format_message().replace(
            " Value error, ", " "
        )  # pydantic's words, within typer's
    if _is_out_of_memory(error):
        return BAD_INPUT, "the memory does not suffice; a smaller --size or a --region takes less"
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{error.filename}: " if error.filename else ""
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        return BAD_INPUT, f"{where}{what}"
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return DEFECT, f"a defect of keywarp, please report it with what --debug shows ({what})"


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "Insufficient memory" in str(error)
