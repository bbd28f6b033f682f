# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the system that the tests use, installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from install.console import run

OBS = {"obs": "obs-studio", "Xvfb": "xvfb"}
"""What the tests with a real OBS need: program and Debian package. OBS's plugins come as recommended packages."""


def missing(programs: Mapping[str, str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def may_install() -> bool:
    """Whether this is a system with apt, and its administrator runs this."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(programs: Mapping[str, str]) -> int:
    """Have apt install the programs' packages; its exit status."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "--quiet", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
    command = [*apt, "install", "--yes", *programs.values()]
    status = run(command, quiet)
    if status != 0:  # the list of packages may be old, or not there
        run([*apt, "update"], quiet)
        status = run(command, quiet)
    return status
