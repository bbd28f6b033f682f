# SPDX-License-Identifier: GPL-3.0-or-later
"""Keywarp in OBS: add this file under Tools > Scripts, and *Keywarp Character* stands in the Add Source menu.

Standard library only. The folder ``keywarp`` beside this file holds the rest; OBS reloads this file alone, so it lets
go of the rest when it is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import obspython

FOLDER = Path(__file__).resolve().parent
PACKAGE = "keywarp"

_script: Any = None
_wrong = ""


def script_description() -> str:
    """What Tools > Scripts shows about this script."""
    text = (
        "<b>Keywarp</b><p>A drawing that moves with your face, your voice, a clip or by itself.</p>"
        "<p>In <i>Sources</i> press <b>+</b> and choose <b>Keywarp Character</b>.</p>"
    )
    return f"{text}<p><b>{_wrong}</b></p>" if _wrong else text


def script_load(_settings: Any) -> None:
    """OBS has loaded the script."""
    global _script, _wrong
    _forget_modules()
    sys.path.insert(0, str(_packages()))
    try:
        from keywarp.plugin.obs import library, script

        try:
            _script = script.Script(FOLDER, _log)
        except library.LibraryError as error:
            _wrong = str(error)
    except ImportError as error:
        _wrong = f"files of keywarp are missing beside this script ({error}): run install/run.py obs again"
    finally:
        sys.path.pop(0)
    if _wrong:
        _log(True, _wrong)


def script_unload() -> None:
    """OBS lets go of the script: it is reloaded, removed, or OBS ends."""
    global _script
    if _script is not None:
        _script.close()
        _script = None


def _packages() -> Path:
    """The folder that holds the package: this file's own."""
    return FOLDER


def _forget_modules() -> None:
    """Have the package read anew: it may be another version."""
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(PACKAGE + ".")]:
        del sys.modules[name]


def _log(fault: bool, line: str) -> None:
    """One line in OBS's script log and log file."""
    level = obspython.LOG_WARNING if fault else obspython.LOG_INFO
    obspython.script_log(level, f"Keywarp: {line}")
