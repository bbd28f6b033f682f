# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script does while OBS has it loaded: the source type's handlers, and the engine that sources share."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable, Optional

from keywarp.core.engine.client import ADDRESS, Engine, EngineError

from . import data, properties
from .engine_place import engine_command
from .frames import Output
from .library import Library
from .registration import Registration, register
from .settings import Settings
from .source import Source
from .status import Status

NOT_INSTALLED = "no engine is installed for OBS: run `python3 install/run.py obs` in keywarp's folder"
JOIN_SECONDS = 2.0

Log = Callable[[bool, str], None]
"""Writes a line to OBS's script log, after whether it is a fault."""


class Script:
    """From the script's loading to its unloading."""

    def __init__(self, folder: Path, log: Log, library: Optional[Library] = None) -> None:
        """``folder``: of the script. Raises ``LibraryError``."""
        self._folder, self._log = folder, log
        self._library = library or Library()
        self._engine: Optional[Engine] = None
        self._engine_lock = threading.Lock()
        self._sources: dict[int, Source] = {}
        self._ended: list[Source] = []
        self._registration: Registration = register(self._library)
        with self._registration.lock:
            self._registration.handlers = self._handlers()
            for address in self._registration.sources:  # that were there before this script
                self._adopt(address)

    def close(self) -> None:
        """Let go of everything; sources keep their last frame, and their calibrated faces for the next script."""
        with self._registration.lock:
            self._registration.handlers = {}
            for source in self._sources.values():
                source.output.keep_neutral(source.neutral)
            sources = [*self._sources.values(), *self._ended]
            self._sources = {}
        for source in sources:
            source.close()
        for source in sources:
            source.join(JOIN_SECONDS)
        with self._engine_lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        return {
            "create": self._create,
            "destroy": self._destroy,
            "show": lambda source: self._show(source, True),
            "hide": lambda source: self._show(source, False),
            "update": self._update,
            "save": self._save,
            "get_defaults": lambda settings: data.set_defaults(self._library, settings),
            "get_properties": self._window,
            "clicked": self._clicked,
            "modified": self._modified,
            "hotkey": self._calibrate,
            "failed": self._failed,
        }

    # Handlers, in OBS's threads

    def _create(self, address: int) -> None:
        self._library.obs_hotkey_register_source(
            address, b"keywarp.calibrate", b"Calibrate the face", self._registration.hotkey, address
        )
        self._adopt(address)

    def _adopt(self, address: int) -> None:
        """Serve a source that has just been made, or was there before this script."""
        output = Output(self._library, address)

        def log(fault: bool, line: str) -> None:
            self._log(fault, f"{output.name}: {line}")

        showing = bool(self._library.obs_source_showing(address))
        status = Status(log, output.news)
        self._sources[address] = Source(output, status, self._shared_engine, output.settings(), showing)

    def _destroy(self, address: int) -> None:
        source = self._sources.pop(address, None)
        if source is not None:
            source.close()
            self._ended = [ended for ended in self._ended if ended.is_alive]
            self._ended.append(source)

    def _show(self, address: int, showing: bool) -> None:
        source = self._sources.get(address)
        if source is not None:
            source.show(showing)

    def _update(self, address: int, settings: int) -> None:
        source = self._sources.get(address)
        if source is not None:
            source.update(data.read(self._library, settings))

    def _save(self, address: int, settings: int) -> None:
        """OBS is saving its scenes: keep the calibrated faces with them."""
        source = self._sources.get(address)
        if source is not None and source.neutral:
            data.write_neutral(self._library, settings, source.neutral)

    def _window(self, address: Optional[int]) -> int:
        source = self._sources.get(address or 0)
        if source is None:
            return properties.window(self._library, self._registration, address, Settings({}), "", False)
        status, settings = source.status, source.output.settings()
        return properties.window(
            self._library, self._registration, address, settings, status.text, status.failed
        )

    def _clicked(self, address: int, button: int) -> bool:
        name, source = self._library.obs_property_name(button), self._sources.get(address)
        if source is not None and name == properties.CALIBRATE.encode():
            source.calibrate()
        if source is not None and name == properties.UNCALIBRATE.encode():
            source.uncalibrate()
        return False

    def _modified(self, rows: int, _changed: int, settings: int) -> bool:
        properties.show_rows(self._library, rows, data.read(self._library, settings))
        return True

    def _calibrate(self, address: int) -> None:
        source = self._sources.get(address)
        if source is not None:
            source.calibrate()

    def _failed(self, name: str, error: Exception) -> None:
        self._log(True, f"keywarp has a defect, please report it ({name}: {type(error).__name__}: {error})")

    # The engine

    def _shared_engine(self) -> Engine:
        """The one engine's client; nothing is started before it is asked for something. Raises ``EngineError``."""
        with self._engine_lock:
            if self._engine is None:
                command = engine_command(self._folder)
                if command is None and not os.environ.get(ADDRESS):
                    raise EngineError(NOT_INSTALLED)
                self._engine = Engine(command)
            return self._engine
