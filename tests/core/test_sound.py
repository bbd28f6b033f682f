# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound in files of other kinds, and in videos, speaks as the same sound in a WAV file does."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from keywarp.core.sound import has_sound, load_speech
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load
from keywarp.keyframes.spaces import space

RATE = 16_000


def speech() -> np.ndarray:
    """An open vowel with silence before and after, 16 bit."""
    time = np.arange(RATE // 2) / RATE
    vowel = sum(
        np.sin(2 * np.pi * 120 * k * time) / k / (1 + ((120 * k - 900) / 500) ** 2) for k in range(1, 40)
    )
    quiet = np.zeros(RATE // 2)
    return (np.concatenate([quiet, vowel / np.abs(vowel).max() * 0.3, quiet]) * 32767).astype(np.int16)


def encode(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(speech()[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in (*resampler.resample(frame), None):
            container.mux(stream.encode(part))


@pytest.mark.parametrize(("suffix", "codec"), [(".flac", "flac"), (".m4a", "aac"), (".mkv", "aac")])
def test_the_same_mouth_as_from_a_wav_file(tmp_path: Path, suffix: str, codec: str) -> None:
    plain, other = tmp_path / "speech.wav", tmp_path / f"speech{suffix}"
    with wave.open(str(plain), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(speech().tobytes())
    encode(other, codec)
    assert has_sound(other)
    expected, found = load(plain).clip, load_speech(other).clip
    frames = np.arange(44)
    column = space("tha45").index("mouth_aaa")
    np.testing.assert_allclose(found.sample(frames)[:, column], expected.sample(frames)[:, column], atol=0.15)
    assert expected.sample([22])[0, column] > 0.6
    assert found.source == other.name


def test_what_has_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "none.bin"
    path.write_bytes(b"no sound" * 100)
    assert not has_sound(path) and not has_sound(tmp_path / "missing")
    with pytest.raises(KeywarpError, match=r"none\.bin"):
        load_speech(path)
