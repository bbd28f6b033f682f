# SPDX-License-Identifier: GPL-3.0-or-later
"""Making virtual environments beside the sources, and seeing in a moment that nothing is to be done.

A stamp in each environment says what it was made from. It reads "making" until the last step is done,
so an interrupted environment is noticed and made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from install import torch_build
from install.console import REPOSITORY, SetupError, capture, run, say
from install.interpreters import Interpreter

SOURCES = ("core", "keyframes", "plugin")
_STAMP = "keywarp-environment.json"
# A pip that reads what packages need without downloading them, and what builds keywarp itself.
_TOOLS = ("pip>=24", "setuptools>=77")
_WHEELS = ("--only-binary=:all:",)
# Strict: type checkers follow, and only what a wheel would hold can be imported.
_EDITABLE = ("--no-build-isolation", "--config-settings", "editable_mode=strict", "--editable")


@dataclass(frozen=True)
class Recipe:
    """What an environment holds."""

    name: str
    """"" for ``.venv`` itself; "blender-4.5" makes ``.venv-blender-4.5``."""
    interpreter: Interpreter
    requirements: tuple[str, ...] = ()
    """Handed to pip as they are; with keywarp they bound the versions of its dependencies."""
    keywarp: bool = False
    """Whether keywarp is installed, editable."""
    extras: tuple[str, ...] = ()
    torch: str = ""
    """"", "cpu" or "cuda"."""
    torch_index: str = ""

    @property
    def folder(self) -> Path:
        return REPOSITORY / (f".venv-{self.name}" if self.name else ".venv")


def python_of(folder: Path, platform: str = sys.platform) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if platform == "win32" else "bin/python")


def source_digest(repository: Path, platform: str = sys.platform) -> str:
    """A digest of which source files there are.

    Their content is left out, for the installation links to it. Windows links hard, and an editor that
    replaces a file breaks such a link, so there sizes and times count too.
    """
    digest = hashlib.sha256()
    for top in SOURCES:
        for path in sorted((repository / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                status = path.stat()
                times = (status.st_size, status.st_mtime_ns) if platform == "win32" else ()
                digest.update(f"\0{path.relative_to(repository).as_posix()}{times}".encode())
    return digest.hexdigest()


def stamp_of(recipe: Recipe) -> dict[str, Any]:
    """What the stamp of a finished environment says."""
    return {
        "state": "ready",
        "python": [recipe.interpreter.path, list(recipe.interpreter.version)],
        "folder": str(recipe.folder),
        "requirements": list(recipe.requirements),
        "extras": sorted(recipe.extras),
        "torch": recipe.torch,
        "project": (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8") if recipe.keywarp else "",
        "sources": source_digest(REPOSITORY) if recipe.keywarp else "",
    }


def read_stamp(folder: Path) -> Optional[dict[str, Any]]:
    """The stamp of an environment of ours; None where there is none, or it cannot be read."""
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def _write_stamp(folder: Path, stamp: dict[str, Any]) -> None:
    temporary = folder / (_STAMP + ".new")
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    temporary.replace(folder / _STAMP)


def grown(recipe: Recipe, stamp: Optional[dict[str, Any]]) -> Recipe:
    """The recipe with what earlier commands have added to the environment, so that nothing is undone."""
    if not stamp:
        return recipe
    extras = tuple(sorted({*recipe.extras, *stamp.get("extras", ())}))
    torch = recipe.torch or stamp.get("torch", "")
    return replace(recipe, extras=extras, torch=torch)


def must_remake(stamp: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether an environment cannot be brought up to date, only made anew."""
    if stamp.get("state") != "ready":
        return True
    if stamp.get("python") != wanted["python"] or stamp.get("folder") != wanted["folder"]:
        return True  # another Python, or the repository was moved: the scripts in it name the old place
    return bool(stamp.get("torch")) and stamp["torch"] != wanted["torch"]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second ``run.py`` from changing the same environment; the lock ends with its process."""
    with folder.with_name(f"{folder.name}.lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    """Delete an environment: under another name first, so that half of one is never found under its own."""
    if folder.exists():
        folder.replace(folder.with_name(f"{folder.name}.old-{os.getpid()}"))
    for doomed in folder.parent.glob(f"{folder.name}.old-*"):
        shutil.rmtree(doomed, ignore_errors=True)


def _create(folder: Path, interpreter: Interpreter) -> None:
    """An empty environment with pip, also on systems that keep ``ensurepip`` in a package of its own."""
    say(f"making {folder.name} with {interpreter}")
    base = [interpreter.path, "-m"]
    if capture([*base, "ensurepip", "--version"]).returncode == 0:
        done = run([*base, "venv", folder])
    elif capture([*base, "virtualenv", "--version"]).returncode == 0:
        done = run([*base, "virtualenv", "--quiet", folder])
    else:
        done = run([*base, "venv", "--without-pip", folder])
        pip = [*base, "pip", "--python", python_of(folder), "install", "--quiet", "pip"]
        if done == 0 and capture(pip).returncode != 0:
            dotted = f"{interpreter.minor[0]}.{interpreter.minor[1]}"
            raise SetupError(
                f"{interpreter} has neither ensurepip nor virtualenv nor a pip new enough to do without: "
                f"install python{dotted}-venv (Debian and Ubuntu call it so) and run this again."
            )
    if done != 0:
        raise SetupError(
            f"{interpreter} could not make a virtual environment in {folder}; it says why above."
        )


def _pip(python: Path, arguments: list[str], what: str, failure: str = "") -> None:
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    # setuptools warns of strict mode at length; its advice is what our stamp sees to.
    silent = {"PYTHONWARNINGS": "ignore"}
    if run([python, "-m", "pip", "install", *quiet, *arguments], silent, REPOSITORY) != 0:
        raise SetupError(failure or f"pip could not install {what}; it says why above.")


def _install(recipe: Recipe, python: Path) -> None:
    """Install all that the recipe lists, but torch."""
    names = [*recipe.requirements, *(_TOOLS if recipe.keywarp else ())]
    if names:
        say(f"installing {', '.join(names)}")
        _pip(python, [*_WHEELS, *names], f"{', '.join(names)} in {recipe.folder.name}")
    if recipe.keywarp:
        extras = f"[{','.join(sorted(recipe.extras))}]" if recipe.extras else ""
        say(f"installing keywarp{extras}")
        _pip(
            python,
            [*_WHEELS, *recipe.requirements, *_EDITABLE, f"{REPOSITORY}{extras}"],
            f"keywarp in {recipe.folder.name}",
        )


def _link_sources(recipe: Recipe, python: Path) -> None:
    """Link files that have come or gone; this needs no network."""
    say("installing keywarp's new set of files")
    _pip(python, ["--no-deps", *_EDITABLE, str(REPOSITORY)], f"keywarp in {recipe.folder.name}")


def _starts(recipe: Recipe) -> bool:
    """Whether the environment's Python starts and finds what was installed."""
    imports = "import keywarp.core, keywarp.keyframes, keywarp.plugin" if recipe.keywarp else "import pip"
    return capture([python_of(recipe.folder), "-I", "-c", imports]).returncode == 0


def _without(stamp: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in stamp.items() if name not in names}


def ensure(recipe: Recipe) -> Path:
    """Make the environment as its recipe says, or leave it where it is so; its Python.

    An environment whose torch cannot be had is left whole, but without it.
    """
    folder, python = recipe.folder, python_of(recipe.folder)
    with _locked(folder):
        stamp = read_stamp(folder)
        if stamp is None and folder.exists() and any(folder.iterdir()):
            raise SetupError(f"{folder} was not made by install/run.py: move it out of the way first.")
        if not (stamp and _starts(recipe)):
            stamp = None
        recipe = grown(recipe, stamp)
        wanted = stamp_of(recipe)
        if stamp is None or must_remake(stamp, wanted):
            _remove(folder)
            folder.mkdir()
            _write_stamp(folder, {"state": "making"})
            _create(folder, recipe.interpreter)
            stamp = {}
        if _without(stamp, "torch") != _without(wanted, "torch"):
            with _changing(folder, stamp):
                if _without(stamp, "torch", "sources") == _without(wanted, "torch", "sources"):
                    _link_sources(recipe, python)
                else:
                    _install(recipe, python)
            stamp = {**wanted, "torch": stamp.get("torch", "")}
            _write_stamp(folder, stamp)
        if stamp != wanted:
            with _changing(folder, stamp):
                _add_torch(recipe, python)
            _write_stamp(folder, wanted)
    return python


@contextlib.contextmanager
def _changing(folder: Path, stamp: dict[str, Any]) -> Iterator[None]:
    """Have the stamp say that pip is at work; where pip fails, it has put back what was there before."""
    _write_stamp(folder, {"state": "making"})
    try:
        yield
    except SetupError:
        if stamp:
            _write_stamp(folder, stamp)
        raise


def _add_torch(recipe: Recipe, python: Path) -> None:
    arguments = torch_build.pip_arguments(recipe.torch == "cuda", recipe.torch_index)
    say(f"installing {arguments[0]}")
    # An index of torch's own has torch and what it needs, not the versions that bound the rest.
    bounds = () if recipe.torch_index else recipe.requirements
    failure = torch_build.NO_CPU_BUILD if arguments[0] == torch_build.CPU_BUILD else ""
    _pip(python, [*_WHEELS, *arguments, *bounds], "torch", failure)
