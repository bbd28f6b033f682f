# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's F-modifier Cycles: the keys' own range repeated before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import MAX_FRAME, number, one_of, shown

Array = npt.NDArray[np.float64]

CYCLE_MODES = ("NONE", "REPEAT", "REPEAT_OFFSET", "MIRROR")
MAX_CYCLES = 32767

#: A time this near to a whole number of cycles, in frames, is one: rounding must not choose the side.
_ON_SEAM = 1e-6


@dataclass(frozen=True)
class Cycles:
    """How a curve repeats. ``REPEAT_OFFSET`` adds the rise of one cycle each time, ``MIRROR`` plays
    every other cycle backwards.
    """

    mode_before: str = "REPEAT"
    mode_after: str = "REPEAT"
    cycles_before: int = 0
    """How many times; 0: for ever."""
    cycles_after: int = 0
    frame_start: Optional[float] = None
    """The modifier acts from this frame; ``None``: from the beginning of time."""
    frame_end: Optional[float] = None

    def __post_init__(self) -> None:
        for mode in (self.mode_before, self.mode_after):
            one_of(mode, CYCLE_MODES, "cycle mode")
        for count in (self.cycles_before, self.cycles_after):
            if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_CYCLES:
                raise KeywarpError(
                    f"a number of cycles is whole and from 0 to {MAX_CYCLES}, not {shown(count)}"
                )
        for name in ("frame_start", "frame_end"):
            frame = getattr(self, name)
            if frame is not None:
                object.__setattr__(self, name, number(frame, "a frame of the range of cycles", MAX_FRAME))

    @property
    def smooth_seam(self) -> bool:
        """Whether the curve goes on for ever both ways, so that handles are smooth over the seam."""
        bounded = self.cycles_before or self.cycles_after
        restricted = self.frame_start is not None or self.frame_end is not None
        modes = {self.mode_before, self.mode_after}
        return modes <= {"REPEAT", "REPEAT_OFFSET"} and not bounded and not restricted

    def fold(self, times: Array, first: float, last: float, rise: float) -> tuple[Array, Array]:
        """The times, (N,), at which the keys are to be evaluated instead, and what is to be added.

        ``first``, ``last``: the keys' range in frames; ``rise``: the last key's value less the first's.
        """
        folded, added = times.copy(), np.zeros_like(times)
        if last <= first:
            return folded, added
        active = self._in_range(times)
        before = self.mode_before, self.cycles_before, times < first, first
        after = self.mode_after, self.cycles_after, times > last, last
        for mode, most, beyond, end in (before, after):
            if mode == "NONE":
                continue
            at = np.flatnonzero(active & beyond)
            distance = np.abs(times[at] - end)
            cycle = distance / (last - first)
            near = np.rint(cycle)
            cycle = np.where(np.abs(distance - near * (last - first)) <= _ON_SEAM, near, cycle)
            if most:
                within = cycle <= most
                at, cycle = at[within], cycle[within]
            folded[at] = self._fold_side(cycle, mode, first, last, backwards=end == first)
            if mode == "REPEAT_OFFSET":
                added[at] = np.ceil(cycle) * (-rise if end == first else rise)
        # Blender asks again, with the folded time, whether the modifier acts when it adds the offset.
        return folded, np.where(self._in_range(folded), added, 0.0)

    def _in_range(self, times: Array) -> npt.NDArray[np.bool_]:
        start = -np.inf if self.frame_start is None else self.frame_start
        end = np.inf if self.frame_end is None else self.frame_end
        return np.asarray((times >= start) & (times <= end))

    @staticmethod
    def _fold_side(cycle: Array, mode: str, first: float, last: float, backwards: bool) -> Array:
        """``cycle``, (N,): how many cycles beyond the end; a whole number is the far end of a cycle."""
        number_of_cycle = np.ceil(cycle) - 1
        share = cycle - number_of_cycle  # above 0, up to 1: from the near end of this cycle
        if backwards:
            share = 1.0 - share
        if mode == "MIRROR":
            share = np.where(number_of_cycle % 2 == 0, 1.0 - share, share)
        return np.where(share >= 1.0, last, first + share * (last - first))
