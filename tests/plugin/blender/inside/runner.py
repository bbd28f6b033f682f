# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside a Python that has bpy: ``runner.py ANSWERS.jsonl FOLDER < CHECKS`` runs checks of files beside it.

``CHECKS`` has a line for each, ``rendering/engine check_frames_are_keywarp_poses``. Each starts from factory settings
with the extension registered and no models unpacked, in ``FOLDER/<file>-<check>`` as current folder. The process ends
without Blender's own clean-up, which hangs in some releases after a render.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def answer(file: Path, check: str, trouble: str | None) -> None:
    """Write down that a check begins (``None``), or how it ended: its traceback, "" where it passed."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({check: trouble}) + "\n")


def load(file: str) -> ModuleType:
    """The module ``file.py``; its name has its folder's, since many folders have files of one name."""
    name = f"inside_{file.replace('/', '_')}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{file}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def run_check(file: str, check: str, folder: Path) -> str:
    import bpy
    from blender_side import set_engine

    from keywarp.plugin.blender.setup.preferences import models_folder

    folder.mkdir()
    os.chdir(folder)
    try:
        bpy.ops.wm.read_factory_settings()
        shutil.rmtree(models_folder(), ignore_errors=True)
        set_engine()
        getattr(load(file), check)()
    except BaseException:
        return traceback.format_exc()
    return ""


def main(answers: Path, folder: Path) -> None:
    sys.path.insert(0, str(HERE))
    import bpy  # noqa: F401  (as a package it brings Blender's other modules with it)

    import keywarp.plugin.blender as extension

    extension.register()
    for line in sys.stdin.read().splitlines():
        file, check = line.split()
        sys.stdout.write(f"--- {line}\n")
        sys.stdout.flush()
        answer(answers, line, None)
        answer(answers, line, run_check(file, check, folder / f"{file.replace('/', '-')}-{check}"))
    sys.modules[extension.__name__].unregister()  # a check may have loaded it anew


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:3]))
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
