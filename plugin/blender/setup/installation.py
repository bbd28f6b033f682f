# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of Install Engine: its steps in order, in a thread, with progress, a log, and an end at any moment.

Standard library only. A run that fails or is cancelled leaves the engine that was there before as it was.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Optional

from . import environment
from .environment import Installed, InstallError, Order
from .failures import explain

PACKAGES = 26
"""About how many packages pip fetches; only the progress bar rests on it."""
_TOO_LONG = 3600.0


class CancelledError(Exception):
    """The user stopped it."""


class Installation:
    """Makes the environment that an ``Order`` describes; started once, read from any thread."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.log = order.root / environment.LOG
        self.progress = 0.0
        """0 to 1."""
        self.step = "Starting"
        """What is being done, as the user reads it."""
        self.error = ""
        """One sentence when it has failed; "cancelled" after ``cancel``."""
        self.result: Optional[Installed] = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._process: Optional[subprocess.Popen[str]] = None
        self._collected = 0
        self._thread = threading.Thread(target=self.run, name="keywarp-install", daemon=True)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def start(self) -> None:
        self._thread.start()

    def wait(self, seconds: Optional[float] = None) -> None:
        self._thread.join(seconds)

    def cancel(self) -> None:
        """Stop it; what it has made so far is deleted."""
        self._cancelled.set()
        with self._lock:
            if self._process is not None:
                _end(self._process)

    def run(self) -> None:
        """All steps; the outcome is in ``result`` or ``error``."""
        try:
            environment.check_before(self.order)
            with self.log.open("w", encoding="utf-8", errors="replace") as log:
                log.write(f"{datetime.datetime.now().isoformat(timespec='seconds')} {self.order}\n")
                try:
                    self._steps(log)
                except (InstallError, OSError) as error:
                    log.write(f"\nfailed: {error}\n")
                    raise
                except CancelledError:
                    log.write("\ncancelled\n")
                    raise
                log.write("\nfinished\n")
        except InstallError as error:
            self.error = str(error)
        except CancelledError:
            self.error = "cancelled"
        except OSError as error:  # a full disk, a folder that may not be written
            self.error = explain(self.order, "writing to disk", [str(error)])

    def _steps(self, log: IO[str]) -> None:
        order = self.order
        self._say("Looking at Python", 0.01)
        status, lines = self._call(environment.probe_command(order), log)
        version = environment.check_python(order, status, lines[-1] if lines else "")
        folder = environment.new_folder(order.root)
        try:
            self._fill(folder, log)
            if self._cancelled.is_set():
                raise CancelledError
            found = Installed(
                folder.name, environment.version_of(order.wheel), "{}.{}".format(*version), order.cuda
            )
            environment.put_in_use(order.root, found)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._say("Ready", 1.0)
        self.result = found

    def _fill(self, folder: Path, log: IO[str]) -> None:
        order = self.order
        self._say("Making an environment", 0.03)
        self._make(folder, log)
        self._say("Collecting packages", 0.10)
        self._run("installing the packages", environment.pip_command(order, folder), log, folder)
        shutil.rmtree(_scratch(folder), ignore_errors=True)
        self._say("Trying the engine", 0.94)
        self._run("the engine's test", environment.test_command(order, folder), log)

    def _make(self, folder: Path, log: IO[str]) -> None:
        with_pip, without_pip = environment.venv_commands(self.order, folder)
        status, first = self._call(with_pip, log)
        if status != 0:
            status, lines = self._call(without_pip, log)
            if status == 0:
                _scratch(folder).mkdir(exist_ok=True)
                borrowed = environment.borrowed_pip_command(self.order, folder)
                status, lines = self._call(borrowed, log, folder)
            if status != 0:
                raise InstallError(explain(self.order, "making an environment", [*first, *lines]))
        _scratch(folder).mkdir(exist_ok=True)

    def _run(self, step: str, command: list[str], log: IO[str], folder: Optional[Path] = None) -> None:
        """Run a program that must succeed."""
        status, lines = self._call(command, log, folder)
        if status != 0:
            raise InstallError(explain(self.order, step, lines))

    def _call(self, command: list[str], log: IO[str], folder: Optional[Path] = None) -> tuple[int, list[str]]:
        """Run a program to its end; its exit status and what it printed, which goes to the log as well."""
        log.write(f"\n> {' '.join(command)}\n")
        log.flush()
        try:
            process = self._start(command, _scratch(folder) if folder else None)
        except OSError as error:
            log.write(f"{error}\n")
            return 127, [str(error)]
        lines = []
        timer = threading.Timer(_TOO_LONG, _end, [process])
        timer.daemon = True
        timer.start()
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                log.write(line)
                log.flush()
                self._follow(lines[-1])
        status = process.wait()
        timer.cancel()
        with self._lock:
            self._process = None
        if self._cancelled.is_set():
            raise CancelledError
        return status, lines

    def _start(self, command: list[str], scratch: Optional[Path]) -> subprocess.Popen[str]:
        clean = environment.clean_environment(dict(os.environ), scratch)
        with self._lock:
            if self._cancelled.is_set():
                raise CancelledError
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env=clean,
                cwd=self.order.root,
                creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
                start_new_session=sys.platform != "win32",
            )
            return self._process

    def _say(self, step: str, progress: float) -> None:
        self.step, self.progress = step, progress

    def _follow(self, line: str) -> None:
        """Move the progress with what pip prints."""
        said = pip_step(line)
        if said is None:
            return
        step, kind = said
        if kind == "install":
            self._say(step, 0.80)
        else:
            self._collected += kind == "collect"
            self._say(step, 0.10 + 0.70 * min(1.0, self._collected / PACKAGES))


def pip_step(line: str) -> Optional[tuple[str, str]]:
    """What a line of pip's output says is being done: (text for the user, "collect", "download" or "install")."""
    found = re.match(r"\s*Downloading (\S+?)-\d\S*\.whl(?:\.metadata)? \(([\d.]+ \wB)\)", line)
    if found:
        return f"Downloading {found[1]} ({found[2]})", "download"
    found = re.match(r"(?:Collecting ([\w.\-]+)|Processing \S*?([\w.]+)-\d[^/\\]*\.whl)", line)
    if found:
        return f"Collecting {found[1] or found[2]}", "collect"
    if line.startswith("Installing collected packages"):
        return "Unpacking the packages", "install"
    return None


def _scratch(folder: Path) -> Path:
    """Where pip unpacks: on the disk whose space was looked at."""
    return folder / "scratch"


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and what it has started."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            end = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(end, capture_output=True, creationflags=subprocess.CREATE_NO_WINDOW, check=False)
        else:
            import signal

            os.killpg(process.pid, signal.SIGKILL)
