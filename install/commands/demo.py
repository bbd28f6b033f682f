# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a short clip of a character to a 4K video, and a contact sheet of its channels.

Everything is set up first where it is not yet. The results go to out/demo in the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Optional

from install import environments, torch_build
from install.console import REPOSITORY, SetupError, capture, run, say, section
from install.interpreters import main_interpreter

OUT = REPOSITORY / "out" / "demo"
CLIPS = REPOSITORY / "keyframes" / "clips"
CHARACTER = REPOSITORY / "core" / "models" / "shipped" / "demo"
"""The character that comes with keywarp."""
_SIZE = "3840x2160"
_NEEDED = """
import sys
from keywarp.core.character import load_character
from keywarp.keyframes.errors import KeywarpError, MissingExtraError
try:
    load_character(sys.argv[1]).find_model().open("cpu")
except MissingExtraError as error:
    print(error.extra)
except KeywarpError:
    pass  # rendering will say it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "character",
        nargs="?",
        type=Path,
        metavar="CHARACTER",
        help="a character file or folder (default: the one that comes with keywarp)",
    )
    parser.add_argument(
        "--clip", type=Path, metavar="FILE", help="the clip to render (default: one that ships)"
    )
    parser.add_argument(
        "--cuda", action="store_true", help="install NVIDIA's libraries also without a driver"
    )


def chosen_character(character: Optional[Path], shipped: Path = CHARACTER) -> Path:
    """The character asked for, or the one that comes with keywarp; raises ``SetupError`` where there is none."""
    if character is None:
        if not (shipped / "character.yaml").is_file():
            raise SetupError(
                f"the demo character is missing from {shipped}: name yours, as in `install/run.py demo "
                "path/to/character`."
            )
        return shipped
    if not character.exists():
        raise SetupError(f"{character} does not exist: name a character file, or a folder with one.")
    return character.resolve()


def chosen_clip(clip: Optional[Path], folder: Path = CLIPS) -> Path:
    """The clip asked for, or the first that ships; raises ``SetupError`` where there is none."""
    if clip is not None:
        if not clip.is_file():
            raise SetupError(f"{clip} is not a file: name a clip, or leave --clip out for one that ships.")
        return clip.resolve()
    shipped = sorted(folder.glob("*.json"))
    if not shipped:
        raise SetupError("no clip ships with this version: name one with --clip FILE.")
    return shipped[0]


def results(character: Path, clip: Path) -> tuple[Path, Path]:
    """Where the video and the contact sheet go; the character's name is its file's or folder's."""
    folder = character.parent if character.name in ("character.yaml", "character_model.yaml") else character
    name = folder.name if folder.is_dir() else folder.stem
    return OUT / f"{name}-{clip.stem}.mp4", OUT / f"{name}-sheet.png"


def _digest(paths: list[Path]) -> str:
    """A digest of files, and of all files in folders, by name and content."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\0{file}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _work(python: Path, character: Path, clip: Path, video: Path, sheet: Path) -> int:
    """Render both files, unless they were made from just these inputs; the exit status."""
    OUT.mkdir(parents=True, exist_ok=True)
    record = video.with_suffix(".made-from.json")
    # A character file names other files beside it.
    inputs = [character if character.is_dir() else character.parent, clip]
    digest = _digest([*inputs, *(REPOSITORY / top for top in environments.SOURCES)])
    made = record.is_file() and json.loads(record.read_text(encoding="utf-8")) == digest
    if made and video.is_file() and sheet.is_file():
        say("nothing has changed since these were made:")
        return 0
    record.unlink(missing_ok=True)
    keywarp = [python, "-m", "keywarp.plugin.cli"]
    section(f"{clip.stem}, {_SIZE}")
    status = run([*keywarp, "render", character, clip, "-o", video, "--size", _SIZE])
    if status == 0:
        section("contact sheet")
        status = run([*keywarp, "sheet", character, "-o", sheet])
    if status == 0:
        record.write_text(json.dumps(digest), encoding="utf-8")
    return status


def run_demo(character: Path, clip: Path, cuda: bool) -> int:
    """Set up, render, and say where the files are; the exit status."""
    section("setting up")
    extras = ("cuda",) if cuda or torch_build.has_nvidia() else ()
    recipe = environments.Recipe("", main_interpreter(), keywarp=True, extras=extras)
    python = environments.ensure(recipe)
    if capture([python, "-c", _NEEDED, character]).stdout.strip() == "torch":
        section("PyTorch, to turn this model's weights into graphs once")
        build = "cuda" if "cuda" in extras else "cpu"
        index = os.environ.get("KEYWARP_TORCH_INDEX", "")
        python = environments.ensure(replace(recipe, torch=build, torch_index=index))
    video, sheet = results(character, clip)
    status = _work(python, character, clip, video, sheet)
    if status == 0:
        say(f"\nvideo:         {video}\ncontact sheet: {sheet}")
    return status


def run_command(options: argparse.Namespace) -> int:
    return run_demo(chosen_character(options.character), chosen_clip(options.clip), options.cuda)
