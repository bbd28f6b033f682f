# SPDX-License-Identifier: GPL-3.0-or-later
"""Where engines and their hosts find each other, how a host starts one, and how traces of dead ones go.

Standard library only, Python 3.9: hosts load this file. In the run folder, which only the user can enter, every
engine has a name of twelve hexadecimal digits and these files: ``<name>.lock``, locked for as long as the process
lives; ``<name>.json``, its card, with address and key; ``<name>.sock``, its socket. Its rings, ``<name>-*.ring``, lie
in memory where the system has a folder for that (see ``frame_folders``).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Optional, Union

MAX_LOG_BYTES = 1 << 20
"""Of an engine's log; as much again is kept of what was before."""
MAX_CARD_BYTES = 1 << 16
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONEXECUTABLE")

_PATHS = ("PYTHONPATH", "KEYWARP_MODELS", "KEYWARP_CACHE")
"""Variables that may name folders beside the host's, which is not the engine's."""


class LaunchError(Exception):
    """Why an engine could not be started or found, in one sentence."""


@dataclass(frozen=True)
class Card:
    """What an engine says about itself to those who may read its file."""

    name: str
    pid: int
    protocol: int
    version: str
    family: str
    address: Union[str, tuple[str, int]]
    key: str
    """Hexadecimal."""

    def write(self, path: Path) -> None:
        """Readable for the user alone, and never half there."""
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            unfinished.unlink()
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(asdict(self), file)
        unfinished.replace(path)


def read_card(path: Union[str, os.PathLike[str]]) -> Card:
    """The card of a running engine; raises ``LaunchError``."""
    file = Path(path)
    try:
        if file.stat().st_size > MAX_CARD_BYTES:
            raise ValueError
        content = json.loads(file.read_text(encoding="ascii"))
        address = content["address"]
        content["address"] = address if isinstance(address, str) else (str(address[0]), int(address[1]))
        card = Card(**{key: content[key] for key in Card.__dataclass_fields__})
        bytes.fromhex(card.key)
        return card
    except OSError as error:
        raise LaunchError(
            f"{file}: there is no running engine's address file ({error.strerror or error})"
        ) from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise LaunchError(f"{file} is not the address file of a running engine") from None


def _user() -> int:
    if sys.platform == "win32":
        return 0
    return os.getuid()


def _private_folder(path: Path) -> Path:
    """``path``, made if need be; raises ``LaunchError`` where others could look or write into it."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = os.lstat(path)
    except OSError as error:
        raise LaunchError(f"the folder {path} cannot be made ({error.strerror or error})") from None
    if not stat.S_ISDIR(status.st_mode):
        raise LaunchError(f"{path} should be a folder")
    if sys.platform != "win32" and (status.st_uid != _user() or status.st_mode & 0o077):
        raise LaunchError(f"{path} should belong to you, with access for nobody else (chmod 700)")
    return path


def run_folder() -> Path:
    """``$KEYWARP_RUN``, or the platform's folder for what lives as long as a session of the user."""
    chosen = os.environ.get("KEYWARP_RUN")
    if chosen:
        return _private_folder(Path(chosen))
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return _private_folder(Path(local) / "keywarp" / "run")
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and Path(session).is_dir() and os.access(session, os.W_OK):
        return _private_folder(Path(session) / "keywarp")
    return _private_folder(Path(tempfile.gettempdir()) / f"keywarp-{_user()}")


def frame_folders(run: Path) -> Iterator[Path]:
    """Where the rings of this run folder's engines may lie, the best place first."""
    mark = hashlib.sha256(str(run.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    user = _user()
    roots = [Path("/dev/shm")] if sys.platform == "linux" else []
    for root in (*roots, Path(tempfile.gettempdir())):
        if root.is_dir() and os.access(root, os.W_OK):
            with suppress(LaunchError):
                yield _private_folder(root / f"keywarp-{user}-{mark}")


def log_file() -> Path:
    """Where engines write their log when their host names no file."""
    home = Path.home()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "keywarp" / "log"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Logs" / "keywarp"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "keywarp"
    return folder / "engine.log"


def new_name() -> str:
    return secrets.token_hex(6)


def lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed or the process ends; ``False`` where another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sweep(run: Path) -> list[Path]:
    """Remove what dead engines have left, in the run folder and in those of the frames; what was removed."""
    removed: list[Path] = []
    for path in run.glob("*.lock"):
        with suppress(OSError):
            removed += _remove_if_dead(run, path)
    for folder in frame_folders(run):
        for ring in folder.glob("*.ring"):
            if not (run / f"{ring.name.split('-')[0]}.lock").exists():
                removed += _removed([ring])
    return removed


def _remove_if_dead(run: Path, path: Path) -> list[Path]:
    with path.open("r+b") as file:
        if not lock(file):
            return []
        gone = _removed([run / f"{path.stem}.json", run / f"{path.stem}.sock"])
        if (
            sys.platform != "win32"
        ):  # while it is locked: an engine that starts looks whether its lock is still there
            return gone + _removed([path])
    return gone + _removed([path])  # Windows removes no open file, so never one that an engine has opened


def _removed(paths: Sequence[Path]) -> list[Path]:
    gone = []
    for path in paths:
        with suppress(OSError):
            path.unlink()
            gone.append(path)
    return gone


def start(
    command: Sequence[Union[str, os.PathLike[str]]],
    name: str,
    run: Path,
    log: Path,
    environment: Optional[Mapping[str, Optional[str]]] = None,
) -> subprocess.Popen[bytes]:
    """Start an engine that ends when its last client has gone, and with its host at the latest.

    It watches its standard input, whose other end this process holds: however a host ends, the system closes that.
    The host's own Python settings are not handed on; ``environment`` adds variables, or removes those that are
    ``None``. Raises ``LaunchError``.
    """
    surroundings = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
    for key, value in (environment or {}).items():
        surroundings.pop(key, None)
        if value is not None:
            surroundings[key] = value
    for key in _PATHS:
        if key in surroundings:
            each = (path for path in surroundings[key].split(os.pathsep) if path)
            surroundings[key] = os.pathsep.join(map(os.path.abspath, each))
    surroundings["KEYWARP_RUN"] = str(run.absolute())
    words = [*(os.fspath(word) for word in command), "--hosted", name, "--log", str(log.absolute())]
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        options = {"creationflags": flags}
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        shorten_log(log)
        with log.open("ab") as output:
            # Not in the host's folder, which may be a stranger's: Python would look there for modules, and a
            # character for a model of a bare name.
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=surroundings,
                cwd=log.parent,
                **options,
            )
    except OSError as error:
        what = error.filename or words[0]
        raise LaunchError(f"the engine cannot be started: {what}: {error.strerror or error}") from None


def shorten_log(log: Path) -> None:
    """Put a log that has grown too long aside, in place of what was put aside before.

    The file itself stays, because processes have it open; they append, so they go on at its new end.
    """
    try:
        if log.stat().st_size <= MAX_LOG_BYTES:
            return
        with log.open("r+b") as file:
            file.seek(-MAX_LOG_BYTES, os.SEEK_END)
            log.with_name(log.name + ".old").write_bytes(file.read(MAX_LOG_BYTES))
            file.truncate(0)
    except OSError:
        pass  # a log is a help, never a reason to fail


def last_lines(log: Path, count: int = 3, since: int = 0) -> str:
    """The last lines of a log in one, from the byte ``since`` on; empty where there is nothing."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start_at = since if since <= size else 0  # it was put aside since
            file.seek(max(start_at, size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-count:])
