# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing PyTorch's build: CUDA where there is an NVIDIA driver or ``--cuda`` asks, else one without.

On Linux the default package index carries CUDA builds, which pull gigabytes. CPU builds bear a label in
their version, and are on an index of PyTorch's own: pip's configuration, ``--torch-index`` or
``KEYWARP_TORCH_INDEX`` says where.
"""

from __future__ import annotations

import ctypes
import sys

CPU_BUILD = "torch==2.13.0+cpu"
"""Asked for by its whole name, since pip takes a label only in an exact version."""
ANY_BUILD = "torch>=2.6"
NO_CPU_BUILD = (
    "pip finds no CPU build of torch for this Python: name PyTorch's CPU index (its installation page shows "
    "the address) with --torch-index URL, or take the CUDA build, gigabytes large, with --cuda."
)


def has_nvidia() -> bool:
    """Whether an NVIDIA driver with at least one device answers on this machine."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def pip_arguments(cuda: bool, index: str, platform: str = sys.platform) -> list[str]:
    """What to hand to ``pip install`` for torch."""
    if cuda:
        return [ANY_BUILD]
    if index:
        return [ANY_BUILD, "--index-url", index]
    if platform == "linux":
        return [CPU_BUILD]
    return [ANY_BUILD]  # the default builds of Windows and macOS hold no CUDA
