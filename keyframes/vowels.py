# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vowel a short stretch of speech sounds like, whoever speaks.

By analysis and synthesis: a frame's spectrum in bands is compared with those that a vocal tract of known
resonances gives, for each vowel, for tracts from a large man's to a small child's, and for the pitch of the
voice, since a high voice has few harmonics that could show where the resonances lie.

Resonances: the means of 33 men, 28 women and 15 children of Peterson and Barney, "Control methods used in a
study of the vowels", JASA 24, 1952, table II; the close e and o, y and the unrounded u of other languages lie
between them, as in Catford, "A practical introduction to phonetics", 1988. The tract's transfer function is
Fant's product of resonances ("Acoustic theory of speech production", 1960), the voice falls by 6 dB an octave
at the lips.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: The mouth's channels of tha45 that vowels move, in the order of all weights here.
CHANNELS = ("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo")


class Vowel(NamedTuple):
    """F1, F2, F3 in hertz of men, women and children, and the mouth by ``CHANNELS``."""

    men: tuple[float, float, float]
    women: tuple[float, float, float]
    children: tuple[float, float, float]
    mouth: tuple[float, float, float, float, float]


#: By the sign of X-SAMPA.
VOWELS: Mapping[str, Vowel] = {
    "i": Vowel((270, 2290, 3010), (310, 2790, 3310), (370, 3200, 3730), (0, 1, 0, 0, 0)),
    "I": Vowel((390, 1990, 2550), (430, 2480, 3070), (530, 2730, 3600), (0, 0.6, 0, 0.4, 0)),
    "e": Vowel((400, 2100, 2650), (450, 2550, 3100), (530, 2950, 3600), (0, 0.2, 0, 0.8, 0)),
    "E": Vowel((530, 1840, 2480), (610, 2330, 2990), (690, 2610, 3570), (0, 0, 0, 1, 0)),
    "{": Vowel((660, 1720, 2410), (860, 2050, 2850), (1010, 2320, 3320), (0.6, 0, 0, 0.4, 0)),
    "a": Vowel((730, 1300, 2450), (880, 1500, 2830), (1030, 1680, 3250), (1, 0, 0, 0, 0)),
    "A": Vowel((730, 1090, 2440), (850, 1220, 2810), (1030, 1370, 3170), (1, 0, 0, 0, 0)),
    "V": Vowel((640, 1190, 2390), (760, 1400, 2780), (850, 1590, 3360), (1, 0, 0, 0, 0)),
    "O": Vowel((570, 840, 2410), (590, 920, 2710), (680, 1060, 3180), (0.1, 0, 0, 0, 0.9)),
    "o": Vowel((440, 800, 2400), (480, 880, 2700), (560, 1000, 3180), (0, 0, 0, 0, 1)),
    "U": Vowel((440, 1020, 2240), (470, 1160, 2680), (560, 1410, 3310), (0, 0, 0.6, 0, 0.4)),
    "u": Vowel((300, 870, 2240), (370, 950, 2670), (430, 1170, 3260), (0, 0, 1, 0, 0)),
    "M": Vowel((330, 1250, 2250), (380, 1450, 2700), (440, 1700, 3260), (0, 0, 1, 0, 0)),
    "y": Vowel((270, 1750, 2150), (310, 2050, 2500), (370, 2400, 3000), (0, 0, 1, 0, 0)),
}
#: (V, 5).
MOUTHS: Array = np.array([vowel.mouth for vowel in VOWELS.values()])

#: Speakers from 0, men, over 1, women, to 2, children, and a little beyond.
SPEAKERS: Array = np.linspace(-0.4, 2.2, 9)
#: Pitches in hertz for which there are spectra; 0: a whisper.
PITCHES: Array = np.concatenate([[0.0], 75.0 * 2.0 ** (np.arange(17) / 6.0)])

#: The bands' centres lie evenly on the mel scale between these, in hertz.
_LOWEST, _HIGHEST, _BANDS = 100.0, 5200.0, 26
#: No band is narrower, in hertz: the harmonics of a low voice are not told apart.
_LEAST_WIDTH = 90.0
#: Decibels below the strongest band, under which nothing is looked at.
_DEPTH = 42.0
#: What is above the second resonance tells little about the vowel.
_FAR, _FAR_WEIGHT = 3600.0, 0.35
#: Decibels: how far a true vowel's bands are off, and its slope over an octave.
_SPREAD, _TILT_SPREAD = 6.0, 2.5
#: Of the bands, how many are independent of one another.
_INDEPENDENT = 7.0


def _mel(hertz: npt.ArrayLike) -> Array:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0))


def _hertz(mel: npt.ArrayLike) -> Array:
    return np.asarray(700.0 * np.expm1(np.asarray(mel, np.float64) / 1127.0))


def resonances(speaker: float) -> Array:
    """F1 to F5, (V, 5), in hertz, of a speaker (see ``SPEAKERS``)."""
    table = np.log([[vowel.men, vowel.women, vowel.children] for vowel in VOWELS.values()])
    step = min(max(int(np.floor(speaker)), 0), 1)
    three = np.exp(table[:, step] + (speaker - step) * (table[:, step + 1] - table[:, step]))
    length = three[:, 2].mean() / np.exp(table[:, 0, 2]).mean()
    upper = np.maximum(np.array([3500.0, 4500.0]) * length, three[:, 2:] * [1.12, 1.35])
    return np.concatenate([three, upper], axis=1)


def transfer(formants: Array, hertz: Array) -> Array:
    """Power, (..., F), that a tract with these resonances, (..., R), lets through at ``hertz``, (F,)."""
    centre = formants[..., :, None]
    half = (50.0 + centre / 20.0) / 2.0
    gain = (centre**2 + half**2) ** 2
    at = ((hertz - centre) ** 2 + half**2) * ((hertz + centre) ** 2 + half**2)
    return np.asarray(np.prod(gain / at, axis=-2))


class Bands:
    """Spectra of frames in bands, and the vowels' at the same rate."""

    def __init__(self, rate: float, length: int) -> None:
        """``rate``: samples a second; ``length``: samples of a frame, under a Hann window."""
        self.size = 1 << (length - 1).bit_length()
        hertz = np.arange(self.size // 2 + 1, dtype=np.float64) * (rate / self.size)
        hertz = hertz[hertz < _HIGHEST + 600.0]
        centres = _hertz(np.linspace(_mel(_LOWEST), _mel(_HIGHEST), _BANDS + 2))
        width = np.maximum(np.gradient(centres), _LEAST_WIDTH)
        inside = centres + width < rate / 2
        self._filters = np.maximum(0.0, 1.0 - np.abs(hertz - centres[inside, None]) / width[inside, None])
        self._octaves = np.log2(centres[inside] / 1000.0)
        self._weights = np.where(centres[inside] > _FAR, _FAR_WEIGHT, 1.0)
        self._weights /= self._weights.sum()
        self._octaves -= (self._weights * self._octaves).sum()
        self._templates = np.array(
            [self._levels(self._sung(pitch, hertz, rate, length)) for pitch in PITCHES]
        )

    def _sung(self, pitch: float, hertz: Array, rate: float, length: int) -> Array:
        """Power spectra, (V * S, F), of all vowels and speakers at this pitch."""
        tracts = np.stack([resonances(speaker) for speaker in SPEAKERS], axis=1)  # (V, S, 5)
        tracts = tracts.reshape(-1, tracts.shape[-1])
        if pitch == 0.0:
            return transfer(tracts, hertz)
        lines = pitch * np.arange(1, int(min(rate / 2, _HIGHEST + 500.0) / pitch) + 1, dtype=np.float64)
        power = transfer(tracts, lines) / (1.0 + (lines / 100.0) ** 2)
        return np.asarray(power @ _hann(lines[:, None] - hertz, length / rate))

    def _levels(self, power: Array) -> Array:
        """Decibels in the bands, (N, B), not deeper than ``_DEPTH`` below the strongest."""
        levels = 10.0 * np.log10(power[:, : self._filters.shape[1]] @ self._filters.T + 1e-30)
        return np.asarray(np.maximum(levels, levels.max(axis=1, keepdims=True) - _DEPTH))

    def likelihoods(self, power: Array, pitch: Array) -> Array:
        """How well each vowel of each speaker explains frames: logarithms, (N, V, S).

        ``power``: (N, F), spectra of frames; ``pitch``: (N,), in hertz, 0 where there is no voice.
        """
        levels = self._levels(power)
        nearest = np.abs(np.log(np.maximum(pitch, 1e-9))[:, None] - np.log(PITCHES[1:])).argmin(axis=1) + 1
        nearest[pitch <= 0.0] = 0
        found = np.empty((len(levels), len(VOWELS) * len(SPEAKERS)))
        for place in np.unique(nearest).tolist():
            rows = np.flatnonzero(nearest == place)
            off = levels[rows, None, :] - self._templates[place]
            off -= (off * self._weights).sum(axis=-1, keepdims=True)
            # The microphone's and the voice's own slope: as much as is likely of it.
            steep = (self._weights * self._octaves**2).sum()
            likely = (_SPREAD / _TILT_SPREAD) ** 2 / _INDEPENDENT
            slope = (off * (self._weights * self._octaves)).sum(axis=-1, keepdims=True) / (steep + likely)
            rest = ((off - slope * self._octaves) ** 2 * self._weights).sum(axis=-1)
            penalty = (slope[..., 0] / _TILT_SPREAD) ** 2
            found[rows] = -0.5 * (_INDEPENDENT * rest / _SPREAD**2 + penalty)
        return found.reshape(len(levels), len(VOWELS), len(SPEAKERS))


def _hann(offset: Array, seconds: float) -> Array:
    """Power that a line shows ``offset`` hertz beside itself under a Hann window of this length."""
    x = np.abs(offset * seconds)
    pole = np.abs(x - 1.0) < 1e-6
    return np.asarray(np.where(pole, 0.5, np.sinc(x) / np.where(pole, 1.0, 1.0 - x**2)) ** 2)


@lru_cache(maxsize=4)
def bands(rate: float, length: int) -> Bands:
    """``Bands`` for this rate and length; they take a moment to make."""
    return Bands(rate, length)
