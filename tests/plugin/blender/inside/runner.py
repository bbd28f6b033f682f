# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside a Python that has bpy: ``runner.py CHECKS.py ANSWERS.jsonl FOLDER`` runs every ``check_*`` of a file.

Each starts from factory settings with the extension registered, in ``FOLDER/<check>`` as current folder. The process
ends without Blender's own clean-up, which hangs in some releases after a render.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType


def answer(file: Path, check: str, trouble: str) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({check: trouble}) + "\n")


def run_check(module: ModuleType, check: str, folder: Path) -> str:
    import bpy
    from blender_side import set_engine

    folder.mkdir()
    os.chdir(folder)
    try:
        bpy.ops.wm.read_factory_settings()
        set_engine()
        getattr(module, check)()
    except BaseException:
        return traceback.format_exc()
    return ""


def main(file: Path, answers: Path, folder: Path) -> None:
    sys.path.insert(0, str(file.parent))
    import bpy  # noqa: F401  (as a package it brings Blender's other modules with it)

    import keywarp.plugin.blender as extension

    extension.register()
    module = importlib.import_module(file.stem)
    for check in [name for name in vars(module) if name.startswith("check_")]:
        sys.stdout.write(f"--- {check}\n")
        sys.stdout.flush()
        answer(answers, check, run_check(module, check, folder / check))
    extension.unregister()
    answer(answers, "", "")


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:4]))
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
