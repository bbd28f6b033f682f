# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion: what a living character does by itself. Blinks, breath, and a slow sway.

A pure function of a seed and of the time in seconds: any moment may be asked for, in any order, and
is the same on every machine. Random numbers are hashes of the seed and of where they stand in time.

Blinks. 17 a minute, the mean of 150 people who sit at rest (26 in conversation, 4.5 when reading;
Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", Movement Disorders 12, 1997).
Intervals are log-normal, skewed towards the short ones, with a standard deviation of 0.6 of their mean
(5.2 s, deviation 3.1 s, in Garcia et al., "Spontaneous interblink time distributions in patients with
Graves' orbitopathy and normal subjects", IOVS 52, 2011). A lid takes 0.1 s to close (Stern, Walrath and
Goldstein, "The endogenous eyeblink", Psychophysiology 21, 1984) and opens more slowly, which is what
people find natural (Trutoiu et al., "Modeling and animating eye blinks", ACM TAP 8, 2011). One blink in
ten is at once followed by another: an animator's habit.

Breath. 15 a minute, within the 12 to 20 of a resting adult, breathing out for longer than in.

Sway. Smooth noise (Perlin, "Improving noise", SIGGRAPH 2002, in one dimension) of two octaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import number
from keywarp.keyframes.spaces import tha45

Array = npt.NDArray[np.float64]

SPACE = tha45.SPACE
BLINK_CHANNELS = ("eye_wink_left", "eye_wink_right")
BREATH_CHANNEL = "breathing"

#: Seconds: one stretch of blinks is drawn as a whole. Stretches join without a blink on the seam.
_STRETCH = 60.0
_INTERVAL_DEVIATION = 0.6
_CLOSING, _CLOSED, _OPENING = 0.10, 0.03, 0.22
_BLINK = _CLOSING + _CLOSED + _OPENING
#: From one blink to the next at least; from the first of a double blink to the second.
_LEAST_INTERVAL, _DOUBLE_INTERVAL = 0.45, 0.36
_DOUBLE_SHARE = 0.1
_INHALING = 0.4
#: Breaths are up to this share of their length early or late.
_BREATH_DRIFT = 0.12

#: The second octave of sway, as a share of the first.
_DETAIL = 0.35
#: By channel: how far it sways at most at amount 1, and how many times a second, about. What is large is slow.
SWAY = {
    "head_x": (0.25, 0.17),
    "head_y": (0.40, 0.13),
    "neck_z": (0.32, 0.11),
    "body_y": (0.28, 0.08),
    "body_z": (0.36, 0.07),
}
#: The channels that idle motion touches.
CHANNELS = (*BLINK_CHANNELS, BREATH_CHANNEL, *SWAY)

MAX_SEED = 2**31 - 1
MAX_SECONDS = 1e8
#: By setting: its least and its greatest value.
LIMITS = {
    "blink": (0.0, 1.0),
    "blinks_per_minute": (1.0, 60.0),
    "breath": (0.0, 1.0),
    "breaths_per_minute": (2.0, 60.0),
    "sway": (0.0, 3.0),
    "sway_speed": (0.05, 5.0),
}


@dataclass(frozen=True)
class Idle:
    """The settings of idle motion; raises ``KeywarpError`` for one beyond its limits (``LIMITS``)."""

    seed: int = 0
    blink: float = 1.0
    """How far the lids close: 1 is shut, 0 no blinks."""
    blinks_per_minute: float = 17.0
    breath: float = 1.0
    """How deep the breath goes, as a share of the channel's range."""
    breaths_per_minute: float = 15.0
    sway: float = 1.0
    """How far head and body sway; 0: not at all."""
    sway_speed: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise KeywarpError(f"the seed of idle motion must be a whole number from 0 to {MAX_SEED}")
        for field in fields(self)[1:]:
            low, high = LIMITS[field.name]
            value = number(getattr(self, field.name), f"idle motion's {field.name}", high)
            if value < low:
                raise KeywarpError(f"idle motion's {field.name} is from {low:g} to {high:g}, not {value:g}")

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it moves, in the order of ``CHANNELS``."""
        moved = {BREATH_CHANNEL: self.breath, **dict.fromkeys(BLINK_CHANNELS, self.blink)}
        return tuple(name for name in CHANNELS if moved.get(name, self.sway))

    def over(self, poses: npt.ArrayLike, seconds: npt.ArrayLike) -> Poses:
        """``poses`` of ``tha45``, (N, C), moved by what idle motion does at ``seconds``, (N,): (N, C).

        Eyes that are closed already do not close further, a breath that is keyed is only filled up,
        and swayed channels are held to their ranges.
        """
        times = _checked(seconds)
        moved = np.array(poses, np.float64)
        if moved.shape != (len(times), len(SPACE)):
            raise KeywarpError(
                f"idle motion moves poses of shape ({len(times)}, {len(SPACE)}), not {moved.shape}"
            )
        if self.blink:
            self._blink_over(moved, times)
        if self.breath:
            column = moved[:, SPACE.index(BREATH_CHANNEL)]
            column += self.breaths(times) * np.clip(1.0 - column, 0.0, 1.0)
        if self.sway:
            for name in SWAY:
                i = SPACE.index(name)
                limit = np.maximum(1.0, np.abs(moved[:, i]))
                moved[:, i] = np.clip(moved[:, i] + self.swaying(name, times), -limit, limit)
        return moved

    def _blink_over(self, moved: Poses, times: Array) -> None:
        lids = self.blinks(times)
        for name in BLINK_CHANNELS:
            side = name[len("eye_wink") :]
            shut = sum(
                moved[:, SPACE.index(f"{stem}{side}")]
                for stem in ("eye_wink", "eye_happy_wink", "eye_relaxed")
            )
            moved[:, SPACE.index(name)] += lids * np.clip(1.0 - shut, 0.0, 1.0)

    def blinks(self, seconds: npt.ArrayLike) -> Array:
        """How far the lids are closed by blinks, (N,), in 0..``blink``."""
        times = _checked(seconds)
        lids = np.zeros(len(times))
        stretch = np.floor(times / _STRETCH).astype(np.int64)
        for index in np.unique(stretch).tolist():
            at = np.flatnonzero(stretch == index)
            starts = np.array(blink_starts(self.seed, self.blinks_per_minute, index))
            before = np.searchsorted(starts, times[at], side="right") - 1
            began = before >= 0
            lids[at[began]] = _lid(times[at[began]] - starts[before[began]])
        return lids * self.blink

    def breaths(self, seconds: npt.ArrayLike) -> Array:
        """How full the chest is, (N,), in 0..``breath``."""
        times = _checked(seconds)
        beats = times * (self.breaths_per_minute / 60.0)
        phase = (beats + _BREATH_DRIFT * _noise(self.seed, "breath", beats / 3.0) + _first(self.seed)) % 1.0
        full = np.where(phase < _INHALING, phase / _INHALING, 1.0 - (phase - _INHALING) / (1.0 - _INHALING))
        return self.breath * _smooth(full)

    def swaying(self, channel: str, seconds: npt.ArrayLike) -> Array:
        """What sway adds to ``channel``, one of ``SWAY``, (N,)."""
        reach, rate = SWAY[channel]
        beats = _checked(seconds) * (rate * self.sway_speed)
        wave = _noise(self.seed, channel, beats) + _DETAIL * _noise(self.seed, channel + "+", 2.7 * beats)
        return self.sway * reach * wave / (1.0 + _DETAIL)


def _checked(seconds: npt.ArrayLike) -> Array:
    times = np.atleast_1d(np.asarray(seconds, np.float64))
    if times.ndim != 1 or not np.all(np.abs(times) <= MAX_SECONDS):
        raise KeywarpError(f"idle motion is asked for in a row of seconds, each at most {MAX_SECONDS:g}")
    return times


@lru_cache(maxsize=512)
def blink_starts(seed: int, per_minute: float, stretch: int) -> tuple[float, ...]:
    """When the lids begin to close, in seconds, within one minute of time: ``stretch`` 0 begins at 0.

    Every blink ends within its own minute.
    """
    begin, end = stretch * _STRETCH, (stretch + 1) * _STRETCH - _LEAST_INTERVAL
    mean = (1.0 + _DOUBLE_SHARE) * 60.0 / per_minute
    variance = math.log(1.0 + _INTERVAL_DEVIATION**2)
    draws = _Draws(seed, stretch)
    starts = []
    # Somewhere within an interval, as though the blinks had always gone on.
    time = begin + mean * draws.uniform()
    while time < end:
        starts.append(time)
        if draws.uniform() < _DOUBLE_SHARE and time + _DOUBLE_INTERVAL < end:
            time += _DOUBLE_INTERVAL
            starts.append(time)
        interval = math.exp(math.log(mean) - variance / 2.0 + math.sqrt(variance) * draws.normal())
        time += max(interval, _LEAST_INTERVAL)
    return tuple(starts)


def _lid(since: Array) -> Array:
    """How far the lid is closed so many seconds after it began to close, in 0..1."""
    opening = np.clip((_BLINK - since) / _OPENING, 0.0, 1.0)
    closing = np.clip(since / _CLOSING, 0.0, 1.0)
    return np.asarray(_smooth(closing) * _smooth(opening))


def _smooth(share: Array) -> Array:
    return np.asarray(share * share * (3.0 - 2.0 * share))


class _Draws:
    """Random numbers one after another, of one seed and one stretch of time."""

    def __init__(self, seed: int, stretch: int) -> None:
        self._key = _key(seed, "blink")
        self._place = stretch * 4096

    def uniform(self) -> float:
        self._place += 1
        return float(_uniform(self._key, np.array([self._place]))[0])

    def normal(self) -> float:
        """Of mean 0 and variance 1, by Box and Muller."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())


def _first(seed: int) -> float:
    return float(_uniform(_key(seed, "breath phase"), np.array([0]))[0])


def _noise(seed: int, what: str, x: Array) -> Array:
    """Gradient noise along one axis, (N,), within -1..1, with two continuous derivatives."""
    cell = np.floor(x)
    u = x - cell
    key, place = _key(seed, what), cell.astype(np.int64)
    left = (2.0 * _uniform(key, place) - 1.0) * u
    right = (2.0 * _uniform(key, place + 1) - 1.0) * (u - 1.0)
    fade = u * u * u * (u * (6.0 * u - 15.0) + 10.0)
    return np.asarray(2.0 * (left + (right - left) * fade))


@lru_cache(maxsize=512)
def _key(seed: int, what: str) -> int:
    """A number for what is drawn, by the seed (FNV-1a over its bytes)."""
    value = 0xCBF29CE484222325
    for byte in f"{seed}:{what}".encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _uniform(key: int, place: npt.NDArray[np.int64]) -> Array:
    """A number in [0, 1) for every place, (N,) (the output function of SplitMix64)."""
    with np.errstate(over="ignore"):
        z = place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53)
