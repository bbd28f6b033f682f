# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``run.py`` says, and how it starts other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional, TextIO

REPOSITORY = Path(__file__).resolve().parents[1]

# Variables that would make a child's Python or pip look outside its own environment.
_LEAKS = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_CONSTRAINT",
)


class SetupError(Exception):
    """One sentence: what is wrong, and what would be right."""


def say(text: str, stream: Optional[TextIO] = None) -> None:
    """Print one line at once, whatever the terminal's encoding can show."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def section(title: str, stream: Optional[TextIO] = None) -> None:
    say(f"\n== {title}", stream)


def clean_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment for children: nothing in it leads Python or pip out of the repository.

    The user's pip configuration stays in force. An empty HOME is dropped, since programs would take
    the file system's root for the home folder.
    """
    environment = {name: value for name, value in base.items() if name not in _LEAKS}
    if not environment.get("HOME"):
        environment.pop("HOME", None)
    environment.update(
        PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_REQUIRE_VIRTUALENV="0"
    )
    environment["PYTHONNOUSERSITE"] = "1"
    return environment


def run(
    command: Sequence[object],
    extra: Optional[Mapping[str, str]] = None,
    cwd: Optional[Path] = None,
    log: Optional[TextIO] = None,
) -> int:
    """Run a program to its end with no input, and with our output or a log for it; its exit status."""
    environment = {**clean_environment(os.environ), **(extra or {})}
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        cwd=cwd,
        check=False,
    ).returncode


def capture(command: Sequence[object], timeout: Optional[float] = None) -> subprocess.CompletedProcess[str]:
    """Run a program quietly; status 127 where it cannot be started or takes too long."""
    texts = [str(part) for part in command]
    try:
        return subprocess.run(
            texts,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environment(os.environ),
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(texts, 127, "", str(error))
