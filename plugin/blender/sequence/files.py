# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames to files by a process beside Blender: ``keywarp render`` of an exported clip, as the engine is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import bpy

from .. import session
from ..setup import preferences

FORMATS = (
    ("PNG", "PNG", "8 bits, straight alpha", ".png", "8"),
    ("PNG16", "PNG, 16 Bits", "16 bits, straight alpha", ".png", "16"),
    ("EXR", "OpenEXR", "Scene-linear, premultiplied alpha", ".exr", "16"),
    ("MOV", "QuickTime", "One video file with alpha", ".mov", "8"),
)
_COUNT = re.compile(r"frames: (\d+) of (\d+)")
_LAST_LINES = 20


@dataclass(frozen=True)
class Order:
    """What is to be rendered, and where to."""

    out: Path
    """A pattern such as ``folder/name_####.png``, or a video."""
    size: tuple[int, int]
    fit: str
    bits: str
    start: int
    end: int


class Rendering:
    """``keywarp render`` as it runs; ends when it is told to, and leaves no half-written file."""

    def __init__(self, source: session.Source, clip: Any, order: Order) -> None:
        """Raises ``SourceError`` where there is no engine's environment, and ``OSError``."""
        self.order = order
        self._folder = Path(tempfile.mkdtemp(prefix="keywarp-"))
        self._lines: list[str] = []
        self._counted = 0
        try:
            command, environment = _program()
            clip.save(self._folder / "clip.json")
            order.out.parent.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                [*command, *_arguments(source, self._folder / "clip.json", order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
            )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._reader = threading.Thread(target=self._read, name="keywarp-render", daemon=True)
        self._reader.start()

    @property
    def total(self) -> int:
        return self.order.end - self.order.start + 1

    @property
    def finished(self) -> int:
        """Frames that are done, as far as is known."""
        if self.order.out.suffix == ".mov":
            return self._counted
        return sum(path.exists() for path in files(self.order))

    @property
    def done(self) -> bool:
        return self._process.poll() is not None and not self._reader.is_alive()

    def wait(self) -> None:
        self._process.wait()
        self._reader.join()

    def cancel(self) -> None:
        """Stop it, and wait until it has tidied up."""
        self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> str:
        """Tidy up after it has ended; why it failed in one sentence, "" where it did not."""
        self._reader.join(5.0)
        if self._process.stderr is not None:
            self._process.stderr.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._process.returncode == 0:
            return ""
        said = [line.removeprefix("keywarp: ") for line in self._lines if line.startswith("keywarp: ")]
        last = said or self._lines or [f"it ended with status {self._process.returncode}"]
        return last[-1]

    def _read(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with suppress(ValueError):  # closed meanwhile
            for line in stream:
                found = _COUNT.search(line)
                if found:
                    self._counted = int(found[1])
                elif line.strip():
                    self._lines = [*self._lines, line.strip()][-_LAST_LINES:]


def files(order: Order) -> list[Path]:
    """The images that an order makes, in order."""
    return [numbered(order.out, number) for number in range(order.start, order.end + 1)]


def numbered(pattern: Path, number: int) -> Path:
    """``folder/name_####.png`` with the frame's number in it."""
    return pattern.with_name(re.sub("#+", lambda marks: f"{number:0{len(marks[0])}d}", pattern.name))


def suffix_of(kind: str) -> str:
    return next(suffix for name, _, _, suffix, _ in FORMATS if name == kind)


def bits_of(kind: str) -> str:
    return next(bits for name, _, _, _, bits in FORMATS if name == kind)


def _program() -> tuple[list[str], dict[str, str]]:
    """What starts the command line in the engine's environment, and its variables."""
    engine, extra = session.engine_command()
    if not engine:
        raise session.SourceError(
            "no engine is installed here: press Install Engine in Keywarp's preferences"
        )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.update(preferences.engine_settings().environment)
    environment.update({**extra, "PYTHONIOENCODING": "utf-8"})
    return [str(engine[0]), "-s", "-u", "-m", "keywarp.plugin.cli"], environment


def _arguments(source: session.Source, clip: Path, order: Order) -> list[str]:
    arguments = ["render", source.character, str(clip), "--out", str(order.out), "--bits", order.bits]
    arguments += ["--size", f"{order.size[0]}x{order.size[1]}", "--fit", order.fit]
    arguments += ["--frames", f"{order.start}-{order.end}"]
    device = preferences.engine_settings().device
    arguments += ["--device", device, *(["--model", source.model] if source.model else [])]
    return [*arguments, *(["--driving", source.video] if source.video else [])]


def default_folder(name: str) -> Path:
    """Beside the .blend file, or in Blender's folder for temporary files while there is none."""
    base = Path(bpy.data.filepath).parent if bpy.data.is_saved else Path(bpy.app.tempdir)
    return base / re.sub(r"[^\w.-]+", "_", f"{name}_frames")


def existing(order: Order) -> Optional[Path]:
    """A file that the order would write over."""
    found = files(order) if order.out.suffix != ".mov" else [order.out]
    return next((path for path in found if path.exists()), None)
