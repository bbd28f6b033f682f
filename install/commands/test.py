# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up all that the tests need, and run them: linters, types, and the suite in each supported world.

Arguments that this does not know go to pytest, which then runs once, in the main environment only.
"""

from __future__ import annotations

import argparse
import os

from install import suite, torch_build
from install.console import REPOSITORY, SetupError, say
from install.interpreters import main_interpreter

PASSES_ON = "pytest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="every count and soak at its full number")
    parser.add_argument("--cuda", action="store_true", help="take torch's CUDA build also without a driver")
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        default=os.environ.get("KEYWARP_TORCH_INDEX", ""),
        help="the package index for torch alone, such as PyTorch's own for CPU builds",
    )


def run_command(options: argparse.Namespace) -> int:
    if not (REPOSITORY / "tests").is_dir():
        raise SetupError(f"{REPOSITORY} has no tests: run this in a checkout of the repository.")
    cuda = options.cuda or torch_build.has_nvidia()
    run = suite.Suite(main_interpreter(), options.full, "cuda" if cuda else "cpu", options.torch_index)
    if options.rest:
        run.main_environment()
        run.pytest_with(options.rest)
    else:
        run.everything()
    say(run.summary())
    return run.status()
