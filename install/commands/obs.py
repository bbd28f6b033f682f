# SPDX-License-Identifier: GPL-3.0-or-later
"""Set keywarp up for OBS: the engine, and the script that OBS loads.

The script goes into your own folder for programs' data, or where --folder says. What remains are three clicks in
OBS, which are printed. Running this again after an update brings the script up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional

from install import environments, obs_files, torch_build
from install.console import say, section
from install.interpreters import find, main_interpreter

OBS_PYTHONS = ((3, 12), (3, 11), (3, 10), (3, 9))
"""Pythons that OBS can load and the script runs on, the best first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where the script goes")
    parser.add_argument(
        "--cuda", action="store_true", help="install NVIDIA's libraries also without a driver"
    )


def clicks(script: Path, platform: str = sys.platform) -> list[str]:
    """What remains to be done in OBS."""
    lines = [
        f"1. Tools > Scripts, press + and choose {script}",
        "2. In the Sources of your scene press + and choose Keywarp Character",
        "3. In its window choose a character, and what drives it",
    ]
    if platform in ("win32", "darwin"):
        lines.insert(0, _python_settings(platform))
    return lines


def _python_settings(platform: str) -> str:
    """Where OBS's Python is set, which OBS for Windows and macOS does not bring along."""
    newest = ".".join(map(str, OBS_PYTHONS[0]))
    where = _python_folder(platform) or f"the folder of Python {newest}, which python.org has"
    return f"0. Once: in Tools > Scripts > Python Settings choose {where}"


def _python_folder(platform: str) -> Optional[Path]:
    """What OBS wants to be told of a Python that it can load."""
    for minor in OBS_PYTHONS:
        found = find(minor)
        if found is None:
            continue
        path = Path(found.path)
        if platform == "win32":
            return path.parent
        frameworks = [parent for parent in path.parents if parent.name == "Python.framework"]
        if frameworks:
            return frameworks[0].parent
    return None


def run_command(options: argparse.Namespace) -> int:
    section("the engine")
    extras = ("cuda", "live") if options.cuda or torch_build.has_nvidia() else ("live",)
    python = environments.ensure(environments.Recipe("", main_interpreter(), keywarp=True, extras=extras))
    folder = (options.folder or obs_files.default_folder()).expanduser().resolve()
    changed = obs_files.install(folder, python)
    section("in OBS")
    say("\n".join(clicks(folder / obs_files.SCRIPT)))
    if changed:
        say("If OBS runs and has the script already: press the reload button in Tools > Scripts.")
    return 0
