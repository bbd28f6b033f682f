# SPDX-License-Identifier: GPL-3.0-or-later
"""A voice as the mouth that speaks it: how loud it is opens the mouth, which vowel it sounds like shapes it.

Sound is mono, float64, -1 to 1. Frames of 32 ms begin every 10 ms; a mouth is (5,) in the order of
``vowels.CHANNELS``, each from 0 to 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.vowels import MOUTHS, SPEAKERS, Bands, bands

Array = npt.NDArray[np.float64]

FRAME_SECONDS = 0.032
HOP_SECONDS = 0.010
LEAST_RATE, MOST_RATE = 8000.0, 192_000.0

#: Pitches of voices, in hertz.
_LOWEST_PITCH, _HIGHEST_PITCH = 70.0, 520.0
#: How periodic a voice is at least.
_VOICED = 0.45
#: Decibels of full scale: quieter than any room.
_SILENCE = -85.0
#: Decibels: above the room by so much, the mouth begins to open; speech is louder than that by so much at least.
_GATE, _RANGE = 8.0, 12.0
#: Consonants without a voice part the lips by this much.
_HISS = np.array([0.0, 0.3, 0.0, 0.0, 0.0])
#: How long a mouth takes to open and to close, in seconds.
OPENING, CLOSING = 0.030, 0.080
#: Frames together say no more about who speaks than so many independent ones.
_TRUST = 12.0
_AT_ONCE = 256


class Sound(Protocol):
    """Samples, (n,): an array, or what gives one for each stretch, so that no long recording lies in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, stretch: slice, /) -> Any: ...


class Heard(NamedTuple):
    """N frames."""

    level: Array
    """(N,), decibels of full scale."""
    voiced: Array
    """(N,), 0 to 1: how periodic the sound is."""
    likelihood: Array
    """(N, V, S): see ``vowels.Bands.likelihoods``."""


def frame_sizes(rate: float) -> tuple[int, int]:
    """Samples of a frame, and from one to the next. Raises ``KeywarpError`` for a rate that speech cannot have."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise KeywarpError(
            f"sound has {rate:g} samples a second, where {LEAST_RATE:g} to {MOST_RATE:g} are needed"
        )
    return round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)


def listen(sound: Sound, rate: float) -> Heard:
    """Every whole frame of ``sound``, (n,)."""
    length, hop = frame_sizes(rate)
    spectrum = bands(float(rate), length)
    if len(sound) < length:
        return Heard(np.zeros(0), np.zeros(0), np.zeros((0, len(MOUTHS), len(SPEAKERS))))
    count = (len(sound) - length) // hop + 1
    parts = []
    for first, last in _stretches(count):
        samples = np.asarray(sound[first * hop : (last - 1) * hop + length], np.float64)
        samples = np.clip(np.nan_to_num(samples), -8.0, 8.0)
        frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
        parts.append(_heard(frames, rate, spectrum))
    return Heard(*(np.concatenate(column) for column in zip(*parts)))


def _stretches(count: int) -> list[tuple[int, int]]:
    """The first frames and the ends of what is looked at in one go."""
    return [(first, min(first + _AT_ONCE, count)) for first in range(0, count, _AT_ONCE)]


def _heard(frames: Array, rate: float, spectrum: Bands) -> Heard:
    length = frames.shape[1]
    centred = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(length + 1)[:-1]
    level = 10.0 * np.log10((centred**2 * window).sum(axis=1) / window.sum() + 1e-12)
    power = np.abs(np.fft.rfft(centred * window, 2 * spectrum.size)) ** 2
    pitch, voiced = _pitch(power, window, rate)
    likelihood = spectrum.likelihoods(power[:, ::2], np.where(voiced > _VOICED, pitch, 0.0))
    return Heard(level, voiced, likelihood)


def _pitch(power: Array, window: Array, rate: float) -> tuple[Array, Array]:
    """Pitch in hertz and how periodic each frame is, by the autocorrelation over that of the window (Boersma,
    "Accurate short-term analysis of the fundamental frequency", IFA Proceedings 17, 1993)."""
    first, last = int(rate / _HIGHEST_PITCH), int(rate / _LOWEST_PITCH) + 1
    size = 2 * (power.shape[1] - 1)
    # What lies above hardly tells the pitch, and hissing hides it.
    low = power * (np.arange(power.shape[1]) * (rate / size) < 1200.0)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[: last + 1]
    same = np.fft.irfft(low, axis=1)[:, : last + 1]
    whole = np.fft.irfft(power, axis=1)[:, :1]
    periodic = same / np.maximum(same[:, :1], 1e-20) / (own / own[0])
    # Of peaks that are nearly as high, the one of the highest pitch: a period is also two of half the length.
    lags = np.arange(first, last + 1)
    score = periodic[:, first:] - 0.12 * np.log2(lags / first) / np.log2(last / first)
    best = score.argmax(axis=1)
    voiced = np.clip(periodic[np.arange(len(best)), first + best], 0.0, 1.0)
    voiced = voiced * np.clip(3.0 * same[:, 0] / np.maximum(whole[:, 0], 1e-20), 0.0, 1.0)
    return rate / lags[best], voiced


def shapes(heard: Heard, speaker: Array) -> Array:
    """Mouths, (N, 5), that speak fully loud; ``speaker``: (S,) logarithms of how likely each is."""
    count = len(heard.level)
    if count > _AT_ONCE:
        parts = [shapes(Heard(*(column[a:b] for column in heard)), speaker) for a, b in _stretches(count)]
        return np.concatenate(parts)
    joint = heard.likelihood + speaker
    top = joint.max(axis=(1, 2), keepdims=True)
    share = np.exp(joint - top).sum(axis=2)
    share /= share.sum(axis=1, keepdims=True)
    voice = np.clip((heard.voiced - 0.25) / (_VOICED - 0.25), 0.0, 1.0)[:, None]
    return np.asarray(voice * (share @ MOUTHS) + (1.0 - voice) * _HISS)


def speakers(heard: Heard, openness: Array) -> Array:
    """(S,): the logarithms of how likely each speaker is after these frames, of which loud and voiced ones count."""
    weight = openness * (heard.voiced > _VOICED)
    total = weight.sum()
    if total == 0.0:
        return np.zeros(len(SPEAKERS))
    each = np.concatenate([_each_speaker(heard.likelihood[a:b]) for a, b in _stretches(len(weight))])
    mean = (weight[:, None] * each).sum(axis=0) / total
    return np.asarray((mean - mean.max()) * min(_TRUST, total))


def _each_speaker(likelihood: Array) -> Array:
    """(N, S): the logarithms of how likely each speaker is after each frame alone."""
    top = likelihood.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.log(np.exp(likelihood - top).sum(axis=1) + 1e-30) + top[:, :, 0])


def openness(level: Array, room: npt.ArrayLike, speech: npt.ArrayLike) -> Array:
    """How far a mouth is open, 0 to 1, at these levels, where the room and speech are so loud (decibels)."""
    low = np.asarray(room) + _GATE
    share = np.clip((level - low) / np.maximum(np.asarray(speech) - low, 6.0), 0.0, 1.0)
    return np.asarray(np.where(level > _SILENCE + _GATE, share * (2.0 - share), 0.0))


def mouths(sound: Sound, rate: float) -> Array:
    """The mouths, (N, 5), of a whole recording, (n,), every ``HOP_SECONDS`` from half a frame on; what comes later
    is known, so that nothing comes late."""
    heard = listen(sound, rate)
    if not len(heard.level):
        return np.zeros((0, MOUTHS.shape[1]))
    speech = max(float(np.percentile(heard.level, 95)), _SILENCE)
    room = max(min(float(np.percentile(heard.level, 10)), speech - _RANGE - _GATE), _SILENCE)
    opened = openness(heard.level, room, speech)
    shown = shapes(heard, speakers(heard, opened)) * opened[:, None]
    return _smoothed(shown)


def _smoothed(rows: Array) -> Array:
    """Over about the time that a mouth takes, ahead as well as behind."""
    deviation = (OPENING + CLOSING) / 4.0 / HOP_SECONDS
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    columns = [np.convolve(column, weights / weights.sum(), mode="valid") for column in padded.T]
    return np.asarray(np.stack(columns, axis=1))


class Listener:
    """Sound as it comes to the mouth of the moment. It learns how loud the room and the voice are, and who speaks."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._length, self._hop = frame_sizes(rate)
        bands(float(rate), self._length)
        self._kept = np.zeros(0)
        self._room, self._speech = -60.0, -24.0
        self._speaker = np.zeros(len(SPEAKERS))
        self._mouth = np.zeros(MOUTHS.shape[1])
        self.level = _SILENCE
        """Decibels of full scale, of the newest frame."""

    def feed(self, sound: npt.ArrayLike) -> Array:
        """The mouth, (5,), after this sound, (n,), of any length."""
        self._kept = np.concatenate([self._kept, np.asarray(sound, np.float64)])
        heard = listen(self._kept, self._rate)
        count = len(heard.level)
        self._kept = self._kept[count * self._hop :]
        for i in range(count):
            self._hear(Heard(*(column[i : i + 1] for column in heard)))
        return self._mouth.copy()

    def _hear(self, frame: Heard) -> None:
        self.level = max(float(frame.level[0]), _SILENCE)
        voiced = float(frame.voiced[0]) > _VOICED
        # The room: at once where it is quieter, slowly where it is louder, hardly while somebody speaks.
        rise = (0.3 if voiced else 3.0) * HOP_SECONDS
        self._room += min(0.2 * (self.level - self._room), rise)
        # Speech: within a syllable where it is louder, over a minute where it is quieter.
        change = self.level - self._speech
        if change > 0.0:
            self._speech += 0.08 * change
        elif voiced:
            self._speech += max(0.002 * change, -2.0 * HOP_SECONDS)
        self._speech = max(self._speech, self._room + _GATE + _RANGE)
        opened = openness(frame.level, self._room, self._speech)
        if voiced and opened[0] > 0.3:
            one = frame.likelihood[0]
            each = np.log(np.exp(one - one.max()).sum(axis=0) + 1e-30)
            self._speaker = np.maximum(
                (1.0 - 1.0 / 400.0) * self._speaker + 0.05 * (each - each.max()), -_TRUST
            )
        goal = (shapes(frame, self._speaker - self._speaker.max()) * opened[:, None])[0]
        share = 1.0 - np.exp(-HOP_SECONDS / np.where(goal > self._mouth, OPENING, CLOSING))
        self._mouth += share * (goal - self._mouth)
