# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the Pythons of this machine, and choosing among them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from install.console import SetupError, capture

SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The Pythons that keywarp itself runs on."""
HOST = (3, 9)
"""The oldest Python among the hosts that load ``keyframes``."""

_PROBE = """
import json, os, platform, struct, sys, sysconfig
path = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps([list(sys.version_info[:3]), path, platform.python_implementation(),
    sys.version_info[3], struct.calcsize("P") * 8, bool(sysconfig.get_config_var("Py_GIL_DISABLED"))]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that has been started and has said what it is."""

    path: str
    """Its own file, without links and not one of a virtual environment, so that it has one name only."""
    version: tuple[int, int, int]

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"


def parse_probe(answer: str) -> Optional[Interpreter]:
    """What a probed Python answered; None where the packages that we need have no wheels for it.

    Those are other implementations than CPython, pre-releases, 32 bit and builds without the GIL.
    """
    try:
        version, path, implementation, level, bits, no_gil = json.loads(answer)
    except ValueError:
        return None
    if implementation != "CPython" or level != "final" or bits != 64 or no_gil:
        return None
    return Interpreter(path, (version[0], version[1], version[2]))


def probe(command: list[str]) -> Optional[Interpreter]:
    """Ask a Python what it is; None where it does not start (a shim without its version) or does not suit."""
    answer = capture([*command, "-I", "-c", _PROBE], timeout=30)
    return parse_probe(answer.stdout) if answer.returncode == 0 else None


def _version_folders(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """The folders in which version managers keep one folder per Python."""
    roots = [environment["PYENV_ROOT"]] if environment.get("PYENV_ROOT") else []
    # A shim's folder stands beside the folder of versions, also when HOME is not the user's own.
    shims = (Path(entry) for entry in environment.get("PATH", "").split(os.pathsep) if entry)
    roots += [str(folder.parent) for folder in shims if folder.name == "shims"]
    roots += [str(home / ".pyenv"), str(home / ".asdf" / "installs" / "python")]
    for root in roots:
        yield Path(root) / "versions"
        yield Path(root)
    yield home / ".local" / "share" / "uv" / "python"
    if environment.get("APPDATA"):
        yield Path(environment["APPDATA"]) / "uv" / "python"
    if environment.get("LOCALAPPDATA"):
        yield Path(environment["LOCALAPPDATA"]) / "Programs" / "Python"


def _named(folder: Path, minor: tuple[int, int]) -> bool:
    """Whether a version manager's folder holds this Python: 3.11.7, cpython-3.11.9-linux, Python311."""
    pattern = rf"(^|[^0-9.]){minor[0]}\.?{minor[1]}([^0-9]|$)"
    return re.search(pattern, folder.name) is not None


def candidates(
    minor: tuple[int, int], environment: Mapping[str, str], home: Path, platform: str
) -> Iterator[list[str]]:
    """Commands that might start a Python of this version, likeliest first."""
    dotted = f"{minor[0]}.{minor[1]}"
    if platform == "win32":
        yield ["py", f"-{dotted}"]
    yield [f"python{dotted}"]
    program = Path("python.exe") if platform == "win32" else Path("bin") / "python3"
    for parent in _version_folders(environment, home):
        if parent.is_dir():
            for folder in sorted(parent.iterdir(), reverse=True):
                if _named(folder, minor) and (folder / program).is_file():
                    yield [str(folder / program)]
    if platform == "darwin":
        for prefix in (
            f"/Library/Frameworks/Python.framework/Versions/{dotted}",
            "/opt/homebrew",
            "/usr/local",
        ):
            yield [f"{prefix}/bin/python{dotted}"]


def find(minor: tuple[int, int]) -> Optional[Interpreter]:
    """A Python of this version on this machine: the running one if it is that, or None."""
    if sys.version_info[:2] == minor:
        running = probe([sys.executable])
        if running is not None:
            return running
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (Path.home() raises where there is none)
    for command in candidates(minor, os.environ, home, sys.platform):
        found = probe(command)
        if found is not None and found.minor == minor:
            return found
    return None


def choose(running: Optional[Interpreter], others: Iterable[Optional[Interpreter]]) -> Optional[Interpreter]:
    """The running Python if keywarp runs on it, else the first suitable one of the others."""
    for interpreter in (running, *others):
        if interpreter is not None and interpreter.minor in SUPPORTED:
            return interpreter
    return None


def main_interpreter() -> Interpreter:
    """The Python for ``.venv``: the one that runs this, else the newest suitable one found."""
    running = probe([sys.executable]) if sys.version_info[:2] in SUPPORTED else None
    chosen = choose(running, (find(minor) for minor in reversed(SUPPORTED)) if running is None else ())
    if chosen is None:
        raise SetupError(
            f"keywarp needs a 64-bit CPython 3.11, 3.12, 3.13 or 3.14, this is {sys.version.split()[0]} "
            "and no other was found: install one, and run this again with it."
        )
    return chosen
