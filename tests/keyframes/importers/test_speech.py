# SPDX-License-Identifier: GPL-3.0-or-later
"""WAV files in every usual form as curves of the mouth."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load
from keywarp.keyframes.importers import speech as importer
from keywarp.keyframes.spaces import space
from keywarp.keyframes.vowels import CHANNELS

RATE = 16_000
SPACE = space("tha45")


def speech() -> np.ndarray:
    """Two open vowels with silence around and between."""
    time = np.arange(RATE // 2) / RATE
    vowel = sum(
        gain * np.sin(2 * np.pi * 120 * k * time)
        for k in range(1, 40)
        for gain in [1.0 / k / (1 + ((120 * k - 900) / 500) ** 2)]
    )
    vowel *= 0.3 / np.abs(vowel).max() * np.minimum(1, np.minimum(time, 0.5 - time) / 0.05)
    quiet = np.zeros(RATE // 2)
    return np.concatenate([quiet, vowel, quiet, vowel, quiet])


def pcm(sound: np.ndarray, bits: int, channels: int = 1) -> bytes:
    """By the standard library's writer."""
    whole = np.round(sound * (2 ** (bits - 1) - 1)).astype(np.int64) + (128 if bits == 8 else 0)
    raw = b"".join(int(v).to_bytes(bits // 8, "little", signed=bits > 8) * channels for v in whole)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(bits // 8)
        out.setframerate(RATE)
        out.writeframes(raw)
    return file.getvalue()


def riff(code: int, bits: int, raw: bytes, extra: bytes = b"", before: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", code, 1, RATE, RATE * bits // 8, bits // 8, bits) + extra
    chunks = before + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(raw)) + raw
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def test_stretches_of_a_file_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is not mixed at once: an hour would take gigabytes."""
    given: list = []
    monkeypatch.setattr(importer, "imported", lambda sound, rate, source: given.append(sound))
    importer.read(pcm(speech(), 24, 2) + b"end of it")
    (sound,) = given
    assert not isinstance(sound, np.ndarray) and len(sound) == len(speech())
    np.testing.assert_allclose(sound[:], speech(), atol=1e-6)
    np.testing.assert_array_equal(sound[9000:9100], sound[:][9000:9100])
    assert len(sound[len(sound) - 3 : len(sound) + 9]) == 3 and len(sound[5:2]) == 0


def forms() -> dict[str, bytes]:
    sound = speech()
    listed = b"LIST" + struct.pack("<I", 5) + b"words" + b"\0"  # of odd length, and padded
    guid = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    sixteen = (sound * 32767).astype("<i2").tobytes()
    return {
        "8 bit": pcm(sound, 8),
        "16 bit": pcm(sound, 16),
        "16 bit stereo": pcm(sound, 16, 2),
        "24 bit": pcm(sound, 24),
        "32 bit": pcm(sound, 32),
        "float": riff(3, 32, sound.astype("<f4").tobytes()),
        "double": riff(3, 64, sound.astype("<f8").tobytes()),
        "extensible": riff(0xFFFE, 16, sixteen, guid),
        "with other chunks": riff(1, 16, sixteen, before=listed),
        "cut off": riff(1, 16, sixteen)[:-1001],
    }


@pytest.mark.parametrize("name", forms())
def test_every_usual_form_is_heard(tmp_path: Path, name: str) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(forms()[name])
    found = load(path)
    clip = found.clip
    assert (clip.space, clip.fps, clip.start) == ("tha45", 30.0, 0.0) and clip.end == pytest.approx(75, abs=2)
    assert found.notes == () and clip.animated <= set(CHANNELS)
    # 0.5 s of silence, 0.5 s of voice, and so on
    said = clip.sample([7, 22, 37, 52, 67])[:, SPACE.index("mouth_aaa")]
    assert (said[[1, 3]] > 0.5).all() and (said[[0, 2, 4]] < 0.05).all()
    everything = clip.sample(np.arange(clip.end + 1))[:, [SPACE.index(name) for name in CHANNELS]]
    assert everything.min() > -0.05 and everything.max() < 1.05
    keys = sum(len(curve) for curve in clip.curves.values())
    assert keys < 60, "a person can edit it"


def test_silence_is_said(tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    path.write_bytes(pcm(np.zeros(RATE), 16))
    found = load(path)
    assert "shut" in found.notes[0]
    assert found.clip.sample([15.0])[0, SPACE.index("mouth_aaa")] == 0.0, "tha45's own rest is an open mouth"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (riff(1, 16, b""), "missing"),
        (riff(0x55, 16, b"\0" * 400), "format 85"),
        (riff(1, 12, b"\0" * 400), "12 bit"),
        (riff(1, 16, b"\0" * 40), "no sound"),
        (b"RIFF\0\0\0\0WAVE", "missing"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0\1\0\1\0", "cut off"),
        (riff(1, 16, b"\0" * 400).replace(struct.pack("<I", RATE), struct.pack("<I", 11)), "11 samples"),
        (riff(1, 16, b"\0" * 400).replace(b"\1\0\1\0", b"\1\0\0\0"), "0 channels"),
    ],
)
def test_what_is_no_speech_is_refused_in_a_sentence(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(data)
    with pytest.raises(KeywarpError, match=word) as told:
        load(path)
    assert str(path) in str(told.value) and len(str(told.value).splitlines()) == 1
