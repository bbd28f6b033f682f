# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of ``run.py``: one subcommand per module of ``install.commands``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

from install import commands
from install.console import SetupError, say


def command_modules() -> dict[str, ModuleType]:
    """Every subcommand's module by name, sorted."""
    names = sorted(found.name for found in pkgutil.iter_modules(commands.__path__))
    return {name: importlib.import_module(f"install.commands.{name}") for name in names}


def parser_of(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install/run.py", description="Set keywarp up and run it.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in modules.items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        module.add_arguments(subparsers.add_parser(name, help=summary, description=module.__doc__))
    return parser


def main(arguments: list[str]) -> int:
    """Run one subcommand; its exit status, 2 after a sentence on what to put right."""
    modules = command_modules()
    parser = parser_of(modules)
    options, rest = parser.parse_known_args(arguments)
    module = modules[options.command]
    if rest and not getattr(module, "PASSES_ON", ""):
        parser.error(f"{options.command} does not know {' '.join(rest)}")
    options.rest = [argument for argument in rest if argument != "--"]
    try:
        return int(module.run_command(options))
    except SetupError as error:
        say(f"install/run.py {options.command}: {error}", stream=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that may not be written
        say(f"install/run.py {options.command}: {error}.", stream=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped", stream=sys.stderr)
        return 130
