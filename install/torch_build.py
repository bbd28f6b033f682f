# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing PyTorch's build: CUDA where there is an NVIDIA driver or ``--cuda`` asks, else one without.

On Linux the default package index carries CUDA builds, which pull gigabytes. PyTorch's own index has
CPU builds; which index that is, is for pip's configuration, ``--torch-index`` or ``KEYWARP_TORCH_INDEX``.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from install.console import SetupError, capture

CPU_BUILD = "torch==2.13.0+cpu"
"""Asked for by its exact name: pip takes a build label only in an exact version."""
ANY_BUILD = "torch>=2.6"
_CUDA_PACKAGE = re.compile(r"(nvidia|cuda|triton)(-|$)")


def has_nvidia() -> bool:
    """Whether an NVIDIA driver with at least one device answers on this machine."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def pulls_cuda(packages: Iterable[str]) -> bool:
    """Whether a list of packages that pip would install has any of NVIDIA's."""
    return any(_CUDA_PACKAGE.match(name.lower().replace("_", "-")) for name in packages)


def _plan(python: Path, arguments: list[str]) -> Optional[list[str]]:
    """The names of what pip would install, read from metadata; None where it finds no way."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        answer = capture([*command, "--only-binary=:all:", "--report", report, *arguments])
        if answer.returncode != 0:
            return None
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [item["metadata"]["name"] for item in installs]


def pip_arguments(python: Path, cuda: bool, index: str, platform: str = sys.platform) -> list[str]:
    """What to hand to ``pip install`` for torch in the environment of ``python``.

    Raises ``SetupError`` where only builds with CUDA can be found and ``cuda`` is not wanted.
    """
    if cuda:
        return [ANY_BUILD]
    if index:
        return [ANY_BUILD, "--index-url", index]
    if platform != "linux":
        return [ANY_BUILD]  # the default builds of Windows and macOS hold no CUDA
    if _plan(python, ["--no-deps", CPU_BUILD]) is not None:
        return [CPU_BUILD]
    packages = _plan(python, [ANY_BUILD])
    if packages is not None and not pulls_cuda(packages):
        return [ANY_BUILD]
    raise SetupError(
        "pip finds no CPU build of torch for this Python: name PyTorch's CPU index (its installation page "
        "shows the address) with --torch-index URL, or take the CUDA build, gigabytes large, with --cuda."
    )
