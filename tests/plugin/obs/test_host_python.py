# SPDX-License-Identifier: GPL-3.0-or-later
"""The files for OBS in the oldest Python of a host: they load without numpy, and without OBS they say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from install import obs_files

OLD = os.environ.get("KEYWARP_HOST_PYTHON")

LOAD = """
import sys, types
lines = []
obs = types.ModuleType("obspython")
obs.LOG_INFO, obs.LOG_WARNING, obs.script_log = 300, 200, lambda level, line: lines.append((level, line))
sys.modules["obspython"] = obs
sys.path.insert(0, sys.argv[1])
import keywarp_obs
keywarp_obs.script_load(None)
assert sys.path[0] == sys.argv[1]
assert "numpy" not in sys.modules
[(level, line)] = lines
assert level == 200 and "Tools > Scripts" in line, line
assert "Tools > Scripts" in keywarp_obs.script_description()
keywarp_obs.script_unload()
import keywarp.plugin.obs.source, keywarp.plugin.obs.pointer
"""


def load(python: str, folder: Path) -> None:
    done = subprocess.run(
        [python, "-I", "-c", LOAD, str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_installed_files_are_all_that_it_needs(tmp_path: Path) -> None:
    obs_files.install(tmp_path, Path(sys.executable))
    for python in filter(None, (sys.executable, OLD)):
        load(python, tmp_path)
