# SPDX-License-Identifier: GPL-3.0-or-later
"""Vowels sung by a synthesiser of our own and spoken by eSpeak NG; loudness in rooms with noise."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.voice import FRAME_SECONDS, HOP_SECONDS, Listener, listen, mouths
from keywarp.keyframes.vowels import CHANNELS

Array = npt.NDArray[np.float64]

A, I, U, E, O = range(5)  # noqa: E741

#: F1, F2, F3 of Peterson and Barney's men, women and children, and the mouth that says it.
FORMANTS = {
    "heed": (((270, 2290, 3010), (310, 2790, 3310), (370, 3200, 3730)), I),
    "head": (((530, 1840, 2480), (610, 2330, 2990), (690, 2610, 3570)), E),
    "hod": (((730, 1090, 2440), (850, 1220, 2810), (1030, 1370, 3170)), A),
    "hud": (((640, 1190, 2390), (760, 1400, 2780), (850, 1590, 3360)), A),
    "hawed": (((570, 840, 2410), (590, 920, 2710), (680, 1060, 3180)), O),
    "who'd": (((300, 870, 2240), (370, 950, 2670), (430, 1170, 3260)), U),
}
PITCHES = ((85.0, 110.0, 140.0), (180.0, 210.0, 250.0), (240.0, 280.0, 330.0))


def sung(formants: tuple[float, ...], pitch: float, rate: int, rng: np.random.Generator) -> Array:
    """Rosenberg's glottal pulses (JASA 49, 1971) through five digital resonators in a row (Klatt, JASA 67, 1980),
    0.6 s with vibrato, a quarter of a second of room before and after."""
    signal = pytest.importorskip("scipy.signal")
    seconds = 0.6
    time = np.arange(int(rate * seconds)) / rate
    phase = np.cumsum(pitch * (1 + 0.02 * np.sin(2 * np.pi * 5 * time))) / rate % 1
    opening, closing = 0.5 * (1 - np.cos(np.pi * phase / 0.4)), np.cos(np.pi / 2 * (phase - 0.4) / 0.16)
    sound = np.diff(np.where(phase < 0.4, opening, np.where(phase < 0.56, closing, 0.0)), prepend=0.0)
    for centre in (*formants, formants[2] * 1.3, formants[2] * 1.6):
        if centre < 0.47 * rate:
            radius = np.exp(-np.pi * (60 + 0.04 * centre) / rate)
            poles = [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
            sound = signal.lfilter([sum(poles)], poles, sound)
    sound *= 0.2 / np.abs(sound).max() * np.minimum(1, np.minimum(time, seconds - time) / 0.05)
    whole = np.concatenate([np.zeros(rate // 4), sound, np.zeros(rate // 4)])
    return np.asarray(whole + 1e-4 * rng.normal(size=len(whole)))


def middle(rows: Array) -> Array:
    return np.asarray(rows[len(rows) // 2 - 10 : len(rows) // 2 + 10].mean(axis=0))


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("who", range(3), ids=["men", "women", "children"])
def test_vowels_of_men_women_and_children(who: int, rate: int) -> None:
    rng = np.random.default_rng(3)
    right = count = 0
    for voices, mouth in FORMANTS.values():
        for pitch in PITCHES[who]:
            for _ in range(2):
                formants = np.array(voices[who]) * rng.uniform(0.94, 1.06, 3) * rng.uniform(0.95, 1.05)
                shown = middle(mouths(sung(tuple(formants), pitch, rate, rng), rate))
                right, count = right + (int(shown.argmax()) == mouth), count + 1
                assert shown.max() > 0.4 and shown.sum() <= 1.0 + 1e-9
    assert right / count > 0.9


@pytest.mark.parametrize("vowel", FORMANTS)
def test_the_same_as_it_comes(vowel: str) -> None:
    """In small blocks, without knowing what comes: open while it sounds, shut a moment later."""
    rng = np.random.default_rng(4)
    rate = 16_000
    voices, mouth = FORMANTS[vowel]
    listener, shown = Listener(rate), []
    sound = np.concatenate([1e-4 * rng.normal(size=rate), sung(voices[1], 210.0, rate, rng)])
    for block in np.array_split(sound, len(sound) // 100):
        shown.append(listener.feed(block))
    at = np.linspace(0, len(sound) / rate, len(shown))
    rows = np.array(shown)
    assert np.abs(rows[at < 1.2]).max() < 0.05
    loud = rows[(at > 1.5) & (at < 1.8)].mean(axis=0)
    assert loud.argmax() == mouth and loud.max() > 0.4
    assert rows[at > 2.05].max() < 0.1
    assert rows.min() >= 0.0 and rows.max() <= 1.0


@pytest.mark.parametrize(
    ("gain", "noise"),
    # A voice of 0.03 drowns in a noise of 3e-3.
    [(0.03, 0.0), (0.03, 1e-4), *((gain, noise) for gain in (0.3, 3.0) for noise in (0.0, 1e-4, 3e-3))],
)
def test_quiet_and_loud_voices_open_the_mouth_in_quiet_and_noisy_rooms(noise: float, gain: float) -> None:
    rng = np.random.default_rng(5)
    rate = 16_000
    clean = sung(FORMANTS["hod"][0][0], 120.0, rate, rng)
    sound = gain * clean + noise * rng.normal(size=len(clean))
    rows = mouths(sound, rate)
    assert middle(rows)[A] > 0.6
    assert rows[:15].max() < 0.1 and rows[-15:].max() < 0.1


def test_hissing_parts_the_lips_only() -> None:
    rng = np.random.default_rng(6)
    rate = 16_000
    noise = np.diff(rng.normal(size=rate // 2), prepend=0.0) * 0.05
    sound = np.concatenate([np.zeros(rate // 2), noise, np.zeros(rate // 2)])
    shown = middle(mouths(sound + 1e-5 * rng.normal(size=len(sound)), rate))
    assert shown.max() < 0.5 and shown.argmax() == I


@pytest.mark.parametrize("sound", [np.zeros(16_000), np.full(16_000, 0.5), 1e-6 * np.ones(300), np.zeros(0)])
def test_silence_is_a_shut_mouth(sound: Array) -> None:
    assert not mouths(sound, 16_000.0).any()
    assert not Listener(16_000.0).feed(sound).any()


def test_damaged_sound_does_no_harm() -> None:
    listener = Listener(16_000.0)
    for value in (np.nan, np.inf, -np.inf, 1e300):
        shown = listener.feed(np.full(1000, value))
        assert np.isfinite(shown).all() and (shown >= 0).all() and (shown <= 1).all()


def test_a_long_recording_is_never_looked_at_as_a_whole() -> None:
    sound = 0.1 * np.random.default_rng(3).normal(size=48_011)
    longest = 0

    class Tape:
        def __len__(self) -> int:
            return len(sound)

        def __getitem__(self, stretch: slice, /) -> Array:
            nonlocal longest
            longest = max(longest, len(sound[stretch]))
            return sound[stretch]

    heard = listen(Tape(), 8000.0)
    length, hop = round(FRAME_SECONDS * 8000), round(HOP_SECONDS * 8000)
    assert len(heard.level) == (len(sound) - length) // hop + 1
    assert 0 < longest < 3 * 8000, "some seconds at a time"
    for place in (0, 300, len(heard.level) - 1):  # each frame is where it was
        alone = listen(sound[place * hop : place * hop + length], 8000.0)
        for column, one in zip(heard, alone):
            np.testing.assert_allclose(column[place], one[0], atol=1e-9)


def test_rates_that_speech_cannot_have() -> None:
    for rate in (0.0, 4000.0, 1e9, float("nan")):
        with pytest.raises(KeywarpError, match="samples a second"):
            listen(np.zeros(100), rate)


# --- a speech synthesiser that others wrote -----------------------------------------------------------

_CLASSES = {
    **dict.fromkeys(("a", "\u0251", "\u028c", "\u0250", "\u00e6"), A),
    **dict.fromkeys(("i", "\u026a"), I),
    **dict.fromkeys(("u", "\u028a", "y"), U),
    **dict.fromkeys(("e", "\u025b"), E),
    **dict.fromkeys(("o", "\u0254", "\u0252"), O),
}
_SAID = {
    "en-us": "She sees three green trees. Father parked the car. Who knew you would choose blue shoes too? "
    "They all saw tall walls. Get the red bed ready, Ted.",
    "de": "Der Vater sah den Mann am Abend. Die Biene sieht viele Lieder. Du musst gut, Bruder. "
    "Der See, der Tee und der Schnee. Oma holt rote Rosen vom Hof.",
    "it": "La casa della mamma. Il vino e i libri. Tutti i buchi sono bui. Dove sono le mele e le pere?",
}


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("type", "unique", "text", "length", "milliseconds", "sample")),
        ("user", ctypes.c_void_p),
        ("id", _Id),
    ]


class Espeak:
    """What eSpeak NG says, with the times of its phonemes."""

    def __init__(self) -> None:
        found = ctypes.util.find_library("espeak-ng")
        if found is None:
            pytest.skip("eSpeak NG is not installed")
        self._library = ctypes.CDLL(found)
        retrieval, phonemes_in_ipa = 1, 3
        self.rate = self._library.espeak_Initialize(retrieval, 0, None, phonemes_in_ipa)
        self._sound: list[Array] = []
        self._events: list[tuple[float, str]] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
        )
        self._callback = kind(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def _hear(self, sound: object, count: int, events: object) -> int:
        if sound and count:
            self._sound.append(np.ctypeslib.as_array(sound, (count,)) / 32768.0)  # type: ignore[call-overload]
        place = 0
        while events[place].type:  # type: ignore[index]
            event = events[place]  # type: ignore[index]
            if event.type == 7:
                self._events.append((event.milliseconds / 1000, event.id.string.decode("utf-8", "replace")))
            place += 1
        return 0

    def say(self, text: str, voice: str) -> tuple[Array, list[tuple[float, str]]]:
        self._sound, self._events = [], []
        assert self._library.espeak_SetVoiceByName(voice.encode()) == 0, voice
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._sound), self._events


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    yield Espeak()


def test_most_vowels_of_a_speech_synthesiser_are_known(espeak: Espeak) -> None:
    """By its own timing: the mouth in the middle of each single vowel that lasts 50 ms or more."""
    table = np.zeros((5, 5), int)
    for language, text in _SAID.items():
        for variant in ("", "+f2"):
            sound, events = espeak.say(text, language + variant)
            rows = mouths(sound, espeak.rate)
            times = FRAME_SECONDS / 2 + HOP_SECONDS * np.arange(len(rows))
            for (begin, sign), (end, _) in zip(events, events[1:]):
                plain = sign.strip("\u02c8\u02cc\u02d0")
                if plain not in _CLASSES or end - begin < 0.05:
                    continue
                inside = (times >= begin + 0.3 * (end - begin)) & (times <= begin + 0.8 * (end - begin))
                if inside.any():
                    table[_CLASSES[plain], rows[inside].mean(axis=0).argmax()] += 1
    assert (table.sum(axis=1) >= 8).all(), "each mouth is asked for often enough"
    assert np.trace(table) / table.sum() > 0.9, table
    assert (np.diag(table) / table.sum(axis=1) > 0.75).all(), dict(zip(CHANNELS, table.tolist()))
