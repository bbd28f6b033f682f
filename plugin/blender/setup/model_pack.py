# SPDX-License-Identifier: GPL-3.0-or-later
"""The second file of the extension, keywarp-models-VERSION.zip: models that ship. Standard library only.

It holds one folder per model, and ``keywarp-models.json`` with the list of them.
"""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Optional

LIST = "keywarp-models.json"
ANIMATOR = "animator"
"""The model of the pack that the engine takes for a picture for which none is named."""
BUTTON = "Install Models"
"""What unpacks a pack."""
_LARGEST = 8_000_000_000
"""Bytes; a pack that says it unpacks to more is refused."""


class PackError(Exception):
    """One sentence: what is wrong with a pack, and what would be right."""


def file_name(version: str) -> str:
    """The name of the pack that belongs to a version of the extension, whatever sources that was built of."""
    return f"keywarp-models-{version.partition('+')[0] or 'VERSION'}.zip"


def beside(extension: Path, version: str) -> Optional[Path]:
    """The pack, where it lies in the extension's folder or next to it."""
    places = (extension / file_name(version), extension.parent / file_name(version))
    return next((place for place in places if place.is_file()), None)


def missing_message(model: str, version: str) -> str:
    """What to say where a model is not there."""
    return (
        f"the model {model} is not installed: download {file_name(version)}, and pick it with {BUTTON} in "
        "Keywarp's preferences"
    )


def installed_models(folder: Path) -> list[str]:
    """The models that are there, by name."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def demo(folder: Path) -> Optional[Path]:
    """The file of the demo character, where the folder of models has it."""
    file = folder / "demo" / "character.yaml"
    return file if file.is_file() else None


def install(pack: Path, folder: Path) -> list[str]:
    """Unpack a pack into the folder of models, whole or not at all; the models' names."""
    try:
        with zipfile.ZipFile(pack) as file:
            names = _names(pack, file)
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as unfinished:
                file.extractall(unfinished, _members(file, names))
                for name in names:
                    shutil.rmtree(folder / name, ignore_errors=True)
                    (Path(unfinished) / name).replace(folder / name)
    except (zipfile.BadZipFile, EOFError):
        raise PackError(f"{pack} is damaged or no .zip file: download it again") from None
    except OSError as error:
        raise PackError(f"{pack} could not be unpacked to {folder}: {error.strerror or error}") from None
    return names


def _names(pack: Path, file: zipfile.ZipFile) -> list[str]:
    """The models that a pack lists; raises where it is none of ours, too large, or reaches outside."""
    try:
        if file.getinfo(LIST).file_size > 1_000_000:
            raise ValueError
        names = json.loads(file.read(LIST))["models"]
    except (KeyError, ValueError, TypeError):
        raise PackError(f"{pack} holds no models: pick the file keywarp-models-VERSION.zip") from None
    if not (
        isinstance(names, list) and names and all(isinstance(name, str) and _plain(name) for name in names)
    ):
        raise PackError(f"{pack} lists no models that have plain names: download it again")
    members = file.infolist()
    if sum(member.file_size for member in members) > _LARGEST:
        raise PackError(
            f"{pack} says that it unpacks to more than {_LARGEST / 1e9:.0f} GB: download it again"
        )
    for member in members:
        parts = PurePosixPath(member.filename).parts
        if not all(map(_plain, parts)) or stat.S_ISLNK(member.external_attr >> 16):
            raise PackError(f"{pack} holds {member.filename!r}, which would land outside: download it again")
    there = {PurePosixPath(member.filename).parts[0] for member in members}
    if not there.issuperset(names):
        raise PackError(f"{pack} lacks a model that it lists: download it again")
    return names


def _members(file: zipfile.ZipFile, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [name for name in file.namelist() if PurePosixPath(name).parts[0] in wanted]


def _plain(part: str) -> bool:
    """Whether a name is one folder's or file's on every system."""
    return part not in ("", ".", "..") and part[0] != "." and not any(sign in part for sign in '/\\:*?"<>|\0')
