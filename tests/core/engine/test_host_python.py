# SPDX-License-Identifier: GPL-3.0-or-later
"""The part that hosts load, copied as plain files into Pythons that have nothing but the standard library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keywarp.core import engine

HOST = """
import json, sys, time
from copied.client import Engine, EngineError
command, environment, log, character = map(json.loads, sys.argv[1:])
engine = Engine(command, environment=environment, log=log)
stream = engine.stream(character, size=(64, 48), pixels="bgra8_srgb")
with stream.exact({"head_y": 0.5}, crop=(0, 0, 16, 8)) as frame:
    buffer = bytearray(frame.stride * frame.height)
    frame.copy_to(buffer)
    assert (frame.width, frame.height, len(buffer)) == (16, 8, 512)
number = stream.latest({"head_y": 0.1})
while stream.newest(number - 1) is None:
    assert stream.error is None, stream.error
    time.sleep(0.01)
try:
    engine.ask("info", character="/nowhere")
except EngineError as error:
    sentence = str(error)
engine.close()
foreign = [name for name in sys.modules if name.split(".")[0] in ("keywarp", "numpy")]
print(json.dumps([list(sys.version_info[:2]), foreign, sentence, engine.state.phase]))
"""


def pythons() -> list[str]:
    """This Python, and the oldest that a host has, where the test run names one."""
    return [sys.executable, *filter(None, [os.environ.get("KEYWARP_HOST_PYTHON")])]


@pytest.mark.parametrize("python", pythons())
def test_a_host_needs_nothing_but_these_files(
    python: str, run: Path, environment: dict[str, str | None], tmp_path: Path, character: Path
) -> None:
    folder = tmp_path / "host" / "copied"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    for name in engine.HOST_HALF:
        shutil.copy(Path(engine.__file__).with_name(f"{name}.py"), folder)
    (folder.parent / "host.py").write_text(HOST)
    command = [sys.executable, "-s", "-u", "-m", "keywarp.core.engine"]
    values = (command, environment, str(tmp_path / "engine.log"), str(character))
    arguments = [python, "-S", str(folder.parent / "host.py"), *map(json.dumps, values)]
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, env=surroundings, check=False
    )
    assert done.returncode == 0, done.stderr
    version, foreign, sentence, phase = json.loads(done.stdout)
    assert foreign == [] and "/nowhere" in sentence and phase == "off"
    assert python == sys.executable or tuple(version) < (3, 11)
