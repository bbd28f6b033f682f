# SPDX-License-Identifier: GPL-3.0-or-later
"""Video files, decoded again: colours, tags, times, alpha, sound, and equal bytes."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from keywarp.core.color import from_srgb8, over_srgb8, parse_colour, to_srgb8
from keywarp.core.render.provenance import Provenance
from keywarp.core.render.sinks import Output, open_sink
from keywarp.keyframes.errors import KeywarpError

PROVENANCE = Provenance("Eileen", "tha4 lambda_00", "CC BY 4.0", "初音")
FILM = Fraction(24000, 1001)
VIDEOS = (".mp4", ".mov", ".webm")


def smooth_frame(number: int, width: int = 144, height: int = 96) -> np.ndarray:
    """A soft disc of soft colours that moves, and nothing around it."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    canvas = np.zeros((height, width, 4), np.float32)
    canvas[..., 0] = 40 + 180 * x / width
    canvas[..., 1] = 200 - 150 * y / height
    canvas[..., 2] = 128 + 100 * np.sin((x + y) / 40)
    distance = np.hypot(x - width / 2 - 3 * number, y - height / 2)
    canvas[..., 3] = np.clip((0.4 * height - distance) * 40 + 128, 0, 255)
    return from_srgb8(np.rint(canvas).astype(np.uint8))


def write(path: Path, frames: list[np.ndarray], **options: object) -> list[str]:
    height, width = frames[0].shape[:2]
    settings = {"fps": FILM, "provenance": PROVENANCE, **options}
    with open_sink(path, Output(width, height, **settings)) as sink:
        for number, frame in enumerate(frames, 100):
            sink.write(number, frame)
    return sink.notes


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Y, U, V and perhaps A as floats of 0..1 of their full code range, chroma enlarged."""
    bits = frame.format.components[0].bits
    found = []
    for plane in frame.planes:
        kind = np.uint8 if bits == 8 else np.uint16
        data = np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width]
        data = (
            cv2.resize(data.astype(np.float32), (frame.width, frame.height))
            if plane.width != frame.width
            else data
        )
        found.append(data / float(2**bits - 1) * 255 * (2**bits - 1) / (2**bits - 2 ** (bits - 8)))
    return found


def decode(path: Path) -> list[np.ndarray]:
    """Frames as (H, W, 3 or 4) float levels of 0..255, by BT.709's own equations (limited range)."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = (
            av.CodecContext.create("libvpx-vp9", "r") if path.suffix == ".webm" else stream.codec_context
        )
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                y, u, v, *alpha = planes(frame)
                y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
                rgb = np.stack([y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u], -1) * 255
                frames.append(np.concatenate([rgb, *(a[..., None] for a in alpha)], -1))
    return frames


@pytest.mark.parametrize("background", ["white", "#2060a0"])
def test_mp4_colours_survive_over_the_background(tmp_path: Path, background: str) -> None:
    frames = [smooth_frame(n) for n in range(5)]
    colour = parse_colour(background)
    write(tmp_path / "v.mp4", frames, background=colour)
    decoded = decode(tmp_path / "v.mp4")
    assert len(decoded) == 5
    for got, frame in zip(decoded, frames, strict=True):
        difference = got - over_srgb8(frame, colour)
        assert np.abs(difference).mean() <= 2
        # A flat background may be off by half a step of 8-bit chroma: 1.06 levels of blue.
        assert np.abs(difference.mean(axis=(0, 1))).max() <= 1.06


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_alpha_and_colours_survive(tmp_path: Path, suffix: str) -> None:
    frames = [smooth_frame(n) for n in range(5)]
    write(tmp_path / f"v{suffix}", frames)
    decoded = decode(tmp_path / f"v{suffix}")
    assert len(decoded) == 5
    for got, frame in zip(decoded, frames, strict=True):
        want = to_srgb8(frame)
        assert got.shape == want.shape
        difference = np.abs(got - want)
        assert difference[..., 3].mean() <= 1
        assert difference[want[..., 3] == 255][:, :3].mean() <= 2


@pytest.mark.parametrize("suffix", VIDEOS)
def test_tags_rate_and_times(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"v{suffix}", [smooth_frame(n) for n in range(7)])
    with av.open(str(tmp_path / f"v{suffix}")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)  # BT.709
        assert context.color_range == 1  # limited
        assert stream.average_rate == FILM
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["comment"] == PROVENANCE.comment()
        assert "creation_time" not in tags
        if suffix == ".webm":
            assert stream.metadata["ALPHA_MODE"] == "1"
        decoded = list(container.decode(stream))
    for frame in decoded:
        assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (1, 1, 1)
    times = [frame.pts * frame.time_base for frame in decoded]
    assert len(times) == 7
    for number, time in enumerate(times):
        # Matroska stores milliseconds.
        tolerance = Fraction(1, 2000) if suffix == ".webm" else 0
        assert abs(time - number / FILM) <= tolerance


def test_codecs(tmp_path: Path) -> None:
    expected = {".mp4": ("h264", "yuv420p"), ".mov": ("prores", "yuva444p12le"), ".webm": ("vp9", "yuv420p")}
    for suffix, (codec, pixels) in expected.items():
        write(tmp_path / f"v{suffix}", [smooth_frame(0)])
        with av.open(str(tmp_path / f"v{suffix}")) as container:
            context = container.streams.video[0].codec_context
            next(container.decode(video=0))
            assert (context.name.removeprefix("lib").replace("vpx-", ""), context.pix_fmt) == (codec, pixels)


@pytest.mark.parametrize("suffix", [*VIDEOS, ".webp"])
def test_equal_frames_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    frames = [smooth_frame(n, 139, 97) for n in range(6)]
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}{suffix}", frames)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_odd_sizes_gain_an_edge_and_say_so(tmp_path: Path) -> None:
    frame = smooth_frame(0, 141, 95)
    notes = write(tmp_path / "v.mp4", [frame])
    assert "142x96" in notes[0]
    (got,) = decode(tmp_path / "v.mp4")
    want = np.pad(over_srgb8(frame, (1, 1, 1)), ((0, 1), (0, 1), (0, 0)), mode="edge")
    assert got.shape == want.shape
    assert np.abs(got - want).mean() <= 2
    for suffix in (".mov", ".webm"):
        assert write(tmp_path / f"v{suffix}", [frame]) == []
        assert decode(tmp_path / f"v{suffix}")[0].shape == (95, 141, 4)


@pytest.mark.shared
@pytest.mark.parametrize("suffix", VIDEOS)
def test_a_real_drawing(tmp_path: Path, shared: Path, suffix: str) -> None:
    from keywarp.core.picture import read_picture

    frame = read_picture(shared / "images" / "renpy_eileen_happy_1080.png").pixels[:700]
    write(tmp_path / f"v{suffix}", [frame, np.roll(frame, 4, 1)])
    got = decode(tmp_path / f"v{suffix}")[0]
    if suffix == ".mp4":
        want = np.pad(over_srgb8(frame, (1, 1, 1)), ((0, 0), (0, 1), (0, 0)), mode="edge")
        assert np.abs(got - want).mean() <= 2
    else:
        want = to_srgb8(frame)
        assert np.abs(got[..., 3] - want[..., 3]).mean() <= 1
        assert np.abs(got - want)[want[..., 3] > 0][:, :3].mean() <= 3


def tone(path: Path, seconds: float, rate: int = 44100, channels: int = 2) -> Path:
    """A file whose tone rises by 100 Hz every quarter of a second from 400 Hz."""
    t = np.arange(int(seconds * rate)) / rate
    phase = np.cumsum(400 + 100 * np.floor(t * 4)) / rate
    samples = (np.sin(2 * np.pi * phase) * 12000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples[:, None], channels, 1).tobytes())
    return path


def sound(path: Path) -> tuple[np.ndarray, int, int]:
    """Mono samples, rate and number of channels of a video's sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        blocks = [b.to_ndarray() for frame in container.decode(stream) for b in resampler.resample(frame)]
        return np.concatenate(blocks, 1)[0], stream.rate, stream.codec_context.channels


def pitch(samples: np.ndarray, start: float) -> float:
    """The strongest frequency in the 0.1 s that begin at this time."""
    part = samples[int(start * 48000) :][:4800]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 48000))
    return float(np.argmax(spectrum))


@pytest.mark.parametrize("suffix", VIDEOS)
@pytest.mark.parametrize("offset", [Fraction(0), Fraction(1, 2)])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_cut_to_the_video(tmp_path: Path, suffix: str, offset: Fraction, channels: int) -> None:
    audio = tone(tmp_path / "a.wav", 3, channels=channels)
    frames = [smooth_frame(n, 64, 64) for n in range(30)]
    write(tmp_path / f"v{suffix}", frames, fps=Fraction(24), audio=audio, audio_offset=offset)
    samples, rate, found_channels = sound(tmp_path / f"v{suffix}")
    assert (rate, found_channels) == (48000, channels)
    assert len(samples) / 48000 == pytest.approx(30 / 24, abs=0.05)
    for time in (0.07, 0.32, 0.57, 0.82):
        want = 400 + 100 * np.floor((time + float(offset)) * 4)
        assert pitch(samples, time) == pytest.approx(want, abs=15)


def test_sound_shorter_than_the_video(tmp_path: Path) -> None:
    audio = tone(tmp_path / "a.wav", 0.3)
    write(tmp_path / "v.mp4", [smooth_frame(n, 64, 64) for n in range(24)], audio=audio)
    assert len(sound(tmp_path / "v.mp4")[0]) / 48000 == pytest.approx(0.3, abs=0.05)
    assert len(decode(tmp_path / "v.mp4")) == 24


@pytest.mark.parametrize("suffix", VIDEOS)
def test_sound_that_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "noise.wav").write_bytes(b"no sound at all" * 20)
    Image.new("RGB", (8, 8)).save(tmp_path / "still.png")
    for name in ("missing.wav", "noise.wav", "still.png"):
        with pytest.raises(KeywarpError) as caught:
            write(tmp_path / f"v{suffix}", [smooth_frame(0)], audio=tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["noise.wav", "still.png"]


@pytest.mark.parametrize("suffix", [*VIDEOS, ".webp"])
def test_nothing_half_written_after_a_failure(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    path.write_bytes(b"an older film")
    frame = smooth_frame(0)
    with pytest.raises(ZeroDivisionError), open_sink(path, Output(144, 96, FILM)) as sink:
        for number in range(5):
            sink.write(number, frame)
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"an older film"


@pytest.mark.parametrize("suffix", [*VIDEOS, ".webp"])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeywarpError, match="could not be written"):
        write(tmp_path / "file" / f"v{suffix}", [smooth_frame(0)])


def test_animated_webp(tmp_path: Path) -> None:
    frames = [smooth_frame(n) for n in range(5)]
    write(tmp_path / "v.webp", frames, fps=Fraction(30))
    with Image.open(tmp_path / "v.webp") as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (5, (144, 96), 0)
        assert PROVENANCE.comment() in image.info["xmp"].decode("utf-8")
        ends = []
        for number, frame in enumerate(frames):
            image.seek(number)
            got, want = np.asarray(image.convert("RGBA")).astype(int), to_srgb8(frame)
            ends.append(image.info["timestamp"] + image.info["duration"])
            assert np.abs(got[..., 3] - want[..., 3]).max() <= 1
            assert np.abs(got - want)[want[..., 3] == 255][:, :3].mean() <= 3
    assert ends == [33, 67, 100, 133, 167]


def test_webp_limits(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="16383"):
        open_sink(tmp_path / "v.webp", Output(16384, 10, FILM))
    with pytest.raises(KeywarpError, match="sound"):
        open_sink(tmp_path / "v.webp", Output(10, 10, FILM, audio=tmp_path / "a.wav"))


def test_frames_of_another_size_or_order_are_defects(tmp_path: Path) -> None:
    for numbers, frame in (((0, 2), smooth_frame(0)), ((0, 1), smooth_frame(0, 80, 80))):
        sink = open_sink(tmp_path / "v.mp4", Output(144, 96, FILM))
        with pytest.raises(ValueError), sink:
            for number in numbers:
                sink.write(number, frame)
    assert not list(tmp_path.iterdir())
