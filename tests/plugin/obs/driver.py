# SPDX-License-Identifier: GPL-3.0-or-later
"""A script for OBS that loads keywarp's as OBS's own window does, and reloads it when a file says so.

Beside it lie ``script.txt`` with the path of keywarp's script and ``orders.txt``, to which the test writes how often
the script is to have been reloaded so far; ``done.txt`` says how often it has been.
"""

import ctypes
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
_over = threading.Event()
_handle = ctypes.c_void_p()


def _scripting():
    """The library by which OBS loads scripts, from among those that it has loaded."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "libobs-scripting" in line:
            library = ctypes.CDLL(line.split()[-1])
            library.obs_script_create.restype = ctypes.c_void_p
            library.obs_script_create.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
            for function in (library.obs_script_reload, library.obs_script_destroy):
                function.restype, function.argtypes = ctypes.c_bool, [ctypes.c_void_p]
            return library
    raise OSError("this OBS has no scripting library")


def _obey() -> None:
    done = 0
    while not _over.wait(0.02):
        try:
            wanted = int((HERE / "orders.txt").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        while done < wanted and not _over.is_set():
            _scripting().obs_script_reload(_handle)
            done += 1
            (HERE / "done.txt").write_text(str(done), encoding="ascii")
            time.sleep(0.05)


def script_load(_settings) -> None:
    path = (HERE / "script.txt").read_text(encoding="utf-8")
    _handle.value = _scripting().obs_script_create(path.encode(), None)
    threading.Thread(target=_obey, daemon=True).start()


def script_unload() -> None:
    _over.set()
    _scripting().obs_script_destroy(_handle)
