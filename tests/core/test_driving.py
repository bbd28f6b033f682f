# SPDX-License-Identifier: GPL-3.0-or-later
"""Driving videos: how they are read, and how character files name them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from keywarp.core.character import character_text, load_character
from keywarp.core.driving import Driving, is_video
from keywarp.core.driving_video import square_frames, video_length, whole_video
from keywarp.keyframes.errors import KeywarpError


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four frames of 96x48, lossless: the left third red, the middle green, the right blue."""
    path = tmp_path / "colours.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(24000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 48, "bgr0"
        pixels = np.zeros((48, 96, 3), np.uint8)
        for i in range(3):
            pixels[:, 32 * i : 32 * i + 32, i] = 200
        for _ in range(4):
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_frames_are_centred_squares(video: Path) -> None:
    frames = list(square_frames(video, 24))
    assert len(frames) == 4
    # Columns 24 to 72 of 96: 8 pixels red, 32 green, 8 blue; half as large.
    row = frames[0][12].astype(int)
    assert (row[:3, 0] > 190).all()
    assert (row[5:19, 1] > 190).all()
    assert (row[21:, 2] > 190).all()


def test_a_whole_video_is_a_clip_of_its_own_rate(video: Path) -> None:
    assert video_length(video) == (4, pytest.approx(Fraction(24000, 1001), rel=1e-3))
    clip = whole_video(video)
    assert clip.space == "driving"
    np.testing.assert_allclose(clip.sample(np.arange(4.0))[:, 0], np.arange(4.0), atol=1e-9)
    np.testing.assert_array_equal(clip.sample(np.arange(4.0))[:, 1], 1)


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match=r"no\.mp4 does not exist; a driving video"):
        video_length(tmp_path / "no.mp4")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video at all" * 50)
    with pytest.raises(KeywarpError, match=r"bad\.mp4 cannot be read as a video"):
        list(square_frames(bad, 64))


@pytest.mark.parametrize(
    ("name", "expected"), [("a.mp4", True), ("b.GIF", True), ("c.json", False), ("d.vmd", False)]
)
def test_videos_are_told_by_name(name: str, expected: bool) -> None:
    assert is_video(Path(name)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v.mp4", ("relative", False)),
        ("{video: v.mp4}", ("relative", False)),
        ("{video: v.mp4, mode: avd}", ("avd", False)),
        ("{video: v.mp4, mode: relative, best_frame: true}", ("relative", True)),
    ],
)
def test_a_character_file_names_it(tmp_path: Path, text: str, expected: tuple[str, bool]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"keywarp: 1\npicture: a.png\nmodel: m\ndriving: {text}\n")
    who = load_character(file)
    assert who.driving == Driving(tmp_path / "v.mp4", *expected)  # type: ignore[arg-type]
    assert who.remarks == []
    again = tmp_path / "again.yaml"
    again.write_text(character_text(who, again))
    assert load_character(again).driving == who.driving


@pytest.mark.parametrize(
    "text", ["7", "[a]", "{mode: avd}", "{video: a, mode: best}", "{video: a, speed: 2}", "''"]
)
def test_a_driving_entry_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"keywarp: 1\npicture: a.png\nmodel: m\ndriving: {text}\n")
    with pytest.raises(KeywarpError, match=r"c\.yaml: driving should be a video"):
        load_character(file)
