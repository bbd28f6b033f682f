# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing two things in turn, so that what else the machine does falls on both."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    seconds: float
    """Median of one call."""
    reference: str = ""
    """What it is compared with."""
    reference_seconds: float = 0.0
    target: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """``seconds`` as a multiple of the reference's."""
        return self.seconds / self.reference_seconds if self.reference_seconds else None


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(
    name: str,
    work: Callable[[], object],
    reference: str,
    other: Callable[[], object],
    repeats: int,
    target: str = "",
    note: str = "",
) -> Row:
    """``work`` and ``other`` called in turn; both medians, after one call of each that does not count."""
    work(), other()
    mine, theirs = [], []
    for _ in range(repeats):
        theirs.append(seconds_of(other))
        mine.append(seconds_of(work))
    return Row(name, statistics.median(mine), reference, statistics.median(theirs), target, note)


def peak_memory() -> int:
    """Bytes of memory that this process has held at most; 0 where the system does not say."""
    try:  # Linux: the other answer would hold what its parent had when it started this process
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
