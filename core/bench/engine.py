# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts wait for, beyond the drawing itself: the engine's start, and the way of a frame to them."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from keywarp.core.bench.measure import Row
from keywarp.core.engine.client import Engine

START_SIZE = (1280, 720)
FRAME_SIZE = (3840, 2160)
STARTS, FRAMES = 3, 8
COMMAND = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]


def engine_rows(character: Path, device: str) -> Iterator[Row]:
    """Rows of a real engine with this character."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "engine.log"
        _first_frame(character, device, log)  # exports and finds what it keeps from then on
        starts = [_first_frame(character, device, log) for _ in range(STARTS)]
        yield Row("engine: start to first frame, 1280x720", statistics.median(starts), target="<= 3 s")
        yield from _ways(character, device, log)


def _engine(device: str, log: Path) -> Engine:
    return Engine(COMMAND, device=device, log=log, environment={"PYTHONPATH": path_of_ours()})


def path_of_ours() -> str:
    """Where an engine finds the keywarp that measures it."""
    return str(Path(__file__).absolute().parents[3])


def _first_frame(character: Path, device: str, log: Path) -> float:
    start = time.perf_counter()
    engine = _engine(device, log)
    engine.stream(character.absolute(), size=START_SIZE).exact({"head_y": 0.5}).release()
    took = time.perf_counter() - start
    engine.close()
    return took


def _ways(character: Path, device: str, log: Path) -> Iterator[Row]:
    """What a 4K frame costs its host beyond the engine's own time, until it can read the pixels."""
    engine = _engine(device, log)
    for pixels in ("rgba32f_linear", "rgba8_srgb"):
        stream = engine.stream(character.absolute(), size=FRAME_SIZE, pixels=pixels)
        extra, drawing = [], []
        for i in range(FRAMES + 2):
            start = time.perf_counter()
            with stream.exact({"head_y": i / FRAMES - 0.5}) as frame:
                if i >= 2:  # every slot has been written once by then
                    extra.append(time.perf_counter() - start - frame.seconds)
                    drawing.append(frame.seconds)
        note = f"the engine's own time: {statistics.median(drawing) * 1e3:.0f} ms"
        yield Row(f"engine: a 4K frame's way to its host, {pixels}", statistics.median(extra), note=note)
        stream.close()
    engine.close()
