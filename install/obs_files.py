# SPDX-License-Identifier: GPL-3.0-or-later
"""What OBS needs of keywarp, as plain files in a folder of their own."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from install.console import REPOSITORY, SetupError

SCRIPT = "keywarp_obs.py"
PLACE = "keywarp_engine.json"
"""Names the engine's Python for the script, and for the next installation the files of this one."""
_OBS = REPOSITORY / "plugin" / "obs"
_ENGINE = REPOSITORY / "core" / "engine"


def default_folder(
    platform: str = sys.platform, environment: Mapping[str, str] = os.environ, home: Path = Path("~")
) -> Path:
    """The user's own folder for data of programs."""
    home = home.expanduser()
    if platform == "win32":
        return Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "keywarp" / "obs"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "keywarp" / "obs"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "keywarp" / "obs"


def host_half() -> tuple[str, ...]:
    """The engine's modules that hosts load, as ``core/engine/__init__.py`` lists them."""
    tree = ast.parse((_ENGINE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "HOST_HALF":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    raise SetupError(f"{_ENGINE / '__init__.py'} does not say which modules hosts load.")


def files() -> Iterator[tuple[str, Path]]:
    """What is copied: (name in the folder, file of the repository)."""
    yield SCRIPT, _OBS / SCRIPT
    for package in ("core", "plugin"):
        yield f"keywarp/{package}/__init__.py", REPOSITORY / package / "__init__.py"
    for name in ("__init__", *host_half()):
        yield f"keywarp/core/engine/{name}.py", _ENGINE / f"{name}.py"
    for path in sorted(_OBS.glob("*.py")):
        if path.name != SCRIPT:
            yield f"keywarp/plugin/obs/{path.name}", path


def install(folder: Path, python: Path) -> bool:
    """Put the files into the folder, with where the engine's Python is; whether anything was changed.

    Nothing is touched that an earlier installation has not put there. Raises ``SetupError`` where something else has
    one of the names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _record(folder)
    mine = {*before.get("files", ()), PLACE} if before else set()
    wanted = {name: path.read_bytes() for name, path in files()}
    for name in (*wanted, PLACE):
        if (folder / name).exists() and name not in mine:
            raise SetupError(
                f"{folder / name} is there already, and is not of an earlier installation: choose another folder "
                "with --folder."
            )
    changed = [_write(folder / name, content) for name, content in wanted.items()]
    changed += [_remove(folder / name) for name in mine - set(wanted) - {PLACE}]
    record = json.dumps({"python": str(python), "files": sorted(wanted)}, indent=1)
    changed.append(_write(folder / PLACE, record.encode()))
    return any(changed)


def _record(folder: Path) -> dict[str, Any]:
    """What an earlier installation has left; empty where there is none."""
    try:
        record = json.loads((folder / PLACE).read_text(encoding="utf-8"))
        names = record["files"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        raise SetupError(
            f"{folder / PLACE} is not one of keywarp's: choose another folder with --folder."
        ) from None
    known = {f"keywarp/{part}" for part in ("core", "plugin")}
    inside = [name for name in names if name == SCRIPT or any(str(name).startswith(part) for part in known)]
    return {"files": [name for name in inside if ".." not in name]}


def _write(path: Path, content: bytes) -> bool:
    """Write a file unless it is as wanted; it is never half there."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _remove(path: Path) -> bool:
    """Remove what an earlier version had and this one has not."""
    if not path.is_file():
        return False
    path.unlink()
    return True
