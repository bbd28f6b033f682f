# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Blender extension: dist/keywarp-VERSION.zip.

Models that ship go into dist/keywarp-models-VERSION.zip. Blender's own check runs where an environment has
Blender as a Python package, as after `run.py test`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from install import blender_package, environments
from install.console import REPOSITORY, SetupError, say
from install.interpreters import main_interpreter

DIST = REPOSITORY / "dist"
BUILDERS = ("pip>=24", "setuptools>=77")
"""What builds keywarp's wheel; an environment with these is made in seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=DIST, metavar="FOLDER", help="where the files go")


def blender_pythons() -> list[Path]:
    """Pythons that have Blender: those that ``$KEYWARP_BLENDER_PYTHONS`` names, and those of the tests."""
    named = [Path(path) for path in os.environ.get("KEYWARP_BLENDER_PYTHONS", "").split(os.pathsep) if path]
    made = (
        environments.python_of(folder) for folder in sorted(REPOSITORY.glob(".venv-blender-*"), reverse=True)
    )
    return [*named, *(python for python in made if python.is_file())]


def run_command(options: argparse.Namespace) -> int:
    recipe = environments.Recipe("build", main_interpreter(), BUILDERS)
    python = environments.ensure(recipe)
    extension = blender_package.build_extension(python, options.out.resolve())
    status = blender_package.validate(extension, blender_pythons())
    if status is None:
        say(
            "Blender's own check is left out: no environment here has Blender (`install/run.py test` makes some)"
        )
    elif status != 0:
        extension.unlink()
        raise SetupError("Blender refuses the extension; it says why above.")
    models = blender_package.build_models(extension)
    say(f"extension: {extension} ({extension.stat().st_size / 1e6:.2f} MB)")
    say(f"models:    {models or 'none ship yet, so there is no second file'}")
    return 0
