# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host gets hold of an engine: one that runs, or a new process, and what to say when that fails.

Standard library only, Python 3.9: hosts load this file.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional, Union

from . import launch, wire

PathLike = Union[str, "os.PathLike[str]"]

DEATHS = 4
"""Ends in a row, without a single answer in between, after which no further engine is tried."""
START_SECONDS = 60.0
"""In which an engine has to write its card; a first start may compile all of its modules."""


class Reach:
    """The engine of one host: at most one process at a time; for one thread at a time."""

    def __init__(
        self,
        command: Optional[Sequence[PathLike]],
        address: Optional[Path],
        log: Path,
        environment: Optional[Mapping[str, Optional[str]]],
    ) -> None:
        self._command, self._address, self.log = command, address, log
        self._environment = environment
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._log_start = 0
        self.deaths = 0
        """How often in a row it has ended without an answer."""

    def connect(self, unwanted: Callable[[], bool]) -> tuple[wire.Link, wire.Message]:
        """A greeted connection to an engine, a new one where none runs, and its greeting.

        Raises ``launch.LaunchError`` or ``wire.WireError`` in a sentence. ``unwanted``: whether nobody waits for it.
        """
        if self._address is not None:
            card = launch.read_card(self._address)
            try:
                return greet(card)
            except (OSError, EOFError, TimeoutError):
                raise launch.LaunchError(
                    f"the engine that {self._address} leads to does not answer"
                ) from None
        if self._command is None:
            raise launch.LaunchError("no engine is installed, and none is running")
        while True:
            try:
                return greet(self._started(self._command, unwanted))
            except wire.WireError:
                self.end(0.0)  # another version, or another program: a further try would end the same way
                raise
            except (OSError, EOFError, TimeoutError):
                self.end(0.0)
                self.deaths += 1
                if unwanted() or self.exhausted:
                    raise launch.LaunchError(self.obituary()) from None

    def _started(self, command: Sequence[PathLike], unwanted: Callable[[], bool]) -> launch.Card:
        """The card of a new engine; raises ``OSError`` where it ends or does not get ready."""
        run = launch.run_folder()
        launch.sweep(run)
        name = launch.new_name()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = process = launch.start(command, name, run, self.log, self._environment)
        path = run / f"{name}.json"
        until = time.monotonic() + START_SECONDS
        while not path.exists():
            if process.poll() is not None or unwanted() or time.monotonic() > until:
                raise OSError("it did not get ready")
            time.sleep(0.005)
        return launch.read_card(path)

    @property
    def exhausted(self) -> bool:
        """Whether it has died too often to go on trying."""
        return self.deaths >= DEATHS

    def obituary(self) -> str:
        """Why engines do not stay alive, in a sentence."""
        if self._address is not None:
            return f"the engine that {self._address} leads to went away {self.deaths} times in a row"
        said = launch.last_lines(self.log, since=self._log_start)
        status = None if self._process is None else self._process.poll()
        how = "" if status is None else f" with status {status}"
        last = f"; its last words: {said}" if said else ""
        return f"the engine ended{how}, {self.deaths} times in a row{last} (log: {self.log})"

    def end(self, patience: float) -> None:
        """See to it that the process, if it is ours, is gone within so many seconds, and nothing of it is left."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(launch.LaunchError, OSError):
            launch.sweep(launch.run_folder())


def greet(card: launch.Card) -> tuple[wire.Link, wire.Message]:
    """Connect, and make sure that both speak the same language; raises ``wire.WireError`` in a sentence."""
    try:
        raw = wire.dial(card.address, card.family, bytes.fromhex(card.key))
    except wire.WireError as error:
        raise wire.WireError(f"the engine of process {card.pid} does not let this host in: {error}") from None
    link = wire.Link(raw, wire.MAX_REPLY)
    try:
        link.send({"do": "hello", "protocol": wire.PROTOCOL})
        answer = link.receive(wire.HANDSHAKE_SECONDS)
        if "error" in answer:
            raise wire.WireError(str(answer["error"]))
        if not isinstance(answer.get("pid"), int) or not isinstance(answer.get("version"), str):
            raise wire.WireError(f"what answers for process {card.pid} is no engine of keywarp")
    except BaseException:
        link.release()
        raise
    return link, answer
