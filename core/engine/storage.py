# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine's files: its lock, its card, and the rings of its streams, in memory where there is room."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from keywarp.core.engine import launch
from keywarp.core.engine.ring import file_size
from keywarp.core.engine.ring_writer import SPARE, RingWriter
from keywarp.keyframes.errors import KeywarpError


class Storage:
    """The files of one engine; gone after ``clear``, or swept by the next engine when this one was killed."""

    def __init__(self, run: Path, name: str) -> None:
        self.run, self.name = run, name
        self._lock_path = run / f"{name}.lock"
        self._lock = self._locked()
        self._changing = threading.Lock()
        self._count = 0
        self._rings: set[Path] = set()
        self._later: set[Path] = set()
        launch.sweep(run)

    def _locked(self) -> IO[bytes]:
        """The open, locked lock file. Between its making and its locking another process may have swept it away."""
        while True:
            file = self._lock_path.open("ab")
            if launch.lock(file):
                with suppress(OSError):
                    if os.path.samestat(os.fstat(file.fileno()), self._lock_path.stat()):
                        return file
            file.close()

    def path(self, suffix: str) -> Path:
        """A file of this engine in the run folder."""
        return self.run / f"{self.name}{suffix}"

    def ring(self, capacity: int) -> RingWriter:
        """A new ring; raises ``KeywarpError`` where there is room for it nowhere."""
        needed = file_size(capacity)
        looked = []
        for folder in launch.frame_folders(self.run):
            free = shutil.disk_usage(folder).free
            looked.append(f"{folder.parent} ({max(free - SPARE, 0) >> 20} MiB)")
            if free - SPARE >= needed:
                with self._changing:
                    self._count += 1
                    path = folder / f"{self.name}-{self._count}.ring"
                    self._rings.add(path)
                return RingWriter(path, capacity)
        where = " nor in ".join(looked) or "any folder for temporary files"
        raise KeywarpError(
            f"frames of this size need {needed >> 20} MiB, for which there is no room in {where}; smaller frames "
            "need less"
        )

    def remove(self, ring: RingWriter) -> None:
        """The ring's file goes; who has it mapped keeps what is in it."""
        with self._changing:
            self._later.add(ring.path)
            for path in list(self._later):
                with suppress(OSError):  # Windows keeps it while a host has it mapped
                    path.unlink(missing_ok=True)
                    self._later.discard(path)
                    self._rings.discard(path)

    def clear(self) -> None:
        """Remove everything, the lock last."""
        with self._changing:
            for path in (*self._rings, *(self.path(suffix) for suffix in (".json", ".sock"))):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            if sys.platform != "win32":
                self._lock_path.unlink(missing_ok=True)
            self._lock.close()
            if sys.platform == "win32":
                with suppress(OSError):
                    self._lock_path.unlink(missing_ok=True)
