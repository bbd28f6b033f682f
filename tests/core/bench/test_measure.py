# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rows of the benchmark rest on."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from keywarp.core.bench.measure import peak_memory


def test_the_most_memory_is_the_process_s_own() -> None:
    """And not that of the one which started it."""
    if not peak_memory():
        pytest.skip("this system does not say")
    held = np.ones(300 << 20, np.uint8)
    program = "from keywarp.core.bench.measure import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert peak_memory() > held.nbytes > int(done.stdout) > 1 << 20
