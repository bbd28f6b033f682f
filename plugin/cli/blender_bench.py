# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp bench --blender``: what a frame costs inside a Blender, measured there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keywarp.core
import keywarp.keyframes
import keywarp.plugin
from keywarp.core.bench.engine import COMMAND, path_of_ours
from keywarp.core.bench.measure import Row
from keywarp.keyframes.errors import KeywarpError

FRAMES = 8
SECONDS = 900
PACKAGES = (keywarp.core, keywarp.keyframes, keywarp.plugin)


def blender_rows(python: Path, character: Path) -> Iterator[Row]:
    """Rows of the Blender that this Python has as its package ``bpy``; raises ``KeywarpError``."""
    with tempfile.TemporaryDirectory() as folder:
        # A copy: what is installed beside keywarp here is for another Python.
        for package in PACKAGES:
            source = Path(package.__path__[0])
            unwanted = shutil.ignore_patterns("__pycache__", "shipped")
            shutil.copytree(source, Path(folder, "keywarp", source.name), ignore=unwanted)
        answer = _answer(python, character, Path(folder))
    for stage in answer["stages"]:
        yield Row(
            stage["name"].replace("Blender", f"Blender {answer['version']}", 1),
            stage["seconds"],
            "an engine that only begins, fills and ends a result" if stage["bare"] else "",
            stage["bare"],
            stage["target"],
        )


def _answer(python: Path, character: Path, folder: Path) -> dict[str, list[dict[str, object]]]:
    engine = {"command": COMMAND, "environment": {"PYTHONPATH": path_of_ours()}, "frames": FRAMES}
    command = [str(python), "-s", "-m", "keywarp.plugin.blender.benchmark"]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "KEYWARP_ENGINE")}
    try:
        done = subprocess.run(
            [*command, str(character.absolute()), json.dumps(engine)],
            env={**kept, "PYTHONPATH": str(folder), "BLENDER_USER_RESOURCES": str(folder / "user")},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeywarpError(f"{python} could not measure anything ({error})") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise KeywarpError(
            f"{python} could not measure: it needs Blender as its package bpy, of 4.2 or later ({last})"
        )
    answer: dict[str, list[dict[str, object]]] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
