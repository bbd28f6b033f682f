# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of videos and of frames, and what heads do in them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from keywarp.core.driving_video import square_frame, square_frames
from keywarp.core.training.clips import PAIRS, find_clips
from keywarp.core.training.data import data_files, data_groups
from keywarp.core.training.stream import Stream
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space


def video(path: Path, count: int = 12, codec: str = "mpeg4", pixels: str = "yuv420p") -> Path:
    """Frames of 80x64 whose grey says their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 80, 64, pixels
        for number in range(count):
            image = np.full((64, 80, 3), (20 + 15 * number) % 256, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def frames(folder: Path, count: int = 5) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (40, 50), (50 * number, 90, 60)).save(folder / f"{number:07}.png")
    return folder


@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("a.mp4", "mpeg4", "yuv420p"), ("a.gif", "gif", "rgb8")]
)
def test_any_frame_of_a_video_is_found(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    path = video(tmp_path / name, 15, codec, pixels)
    every = list(square_frames(path, 64))
    for number in (0, 1, 7, 12, 14, 14, 3):
        assert np.array_equal(square_frame(path, number, 64), every[number])
    assert np.array_equal(square_frame(path, 99, 64), every[-1])
    assert square_frame(path, 2, 32).shape == (32, 32, 3)


def test_clips_are_found_in_folders_below(tmp_path: Path) -> None:
    video(tmp_path / "train" / "id1#a.mp4")
    frames(tmp_path / "train" / "id1#b.mp4")
    Image.new("RGB", (40, 40)).save(tmp_path / "cover.png")  # one picture alone moves nowhere
    clips = find_clips(tmp_path)
    assert [(clip.name, clip.count) for clip in clips] == [("train/id1#a.mp4", 12), ("train/id1#b.mp4", 5)]
    assert {clip.identity for clip in clips} == {"train/id1"}
    assert [path.name for path in data_files([tmp_path])] == ["id1#a.mp4", "0000000.png"]
    assert len(data_groups([tmp_path])) == 2
    (tmp_path / "nothing").mkdir()
    with pytest.raises(KeywarpError, match="nothing is neither a shard"):
        data_groups([tmp_path / "nothing"])


def test_pairs_are_drawn_anew_but_the_same_when_asked_again(tmp_path: Path) -> None:
    groups = data_groups([video(tmp_path / "a.mp4")])
    stream = Stream(groups, space="driving", side=32, seed=3)
    again = Stream(groups, space="driving", side=32, seed=3)
    found = [stream[place] for place in range(24)]
    pairs = [(float(e.rest.mean()), float(e.posed.mean())) for e in found]
    assert pairs == [(float(e.rest.mean()), float(e.posed.mean())) for e in map(again.__getitem__, range(24))]
    assert len({rest for rest, _ in pairs}) > 4
    assert all(e.paired and np.array_equal(e.pose, [0, 1]) for e in found)
    shown = Stream(groups, space="driving", side=32, shuffled=False)
    assert [shown.stored(n).about["frame"] for n in range(12)] == list(range(12))
    assert len({float(shown[n].rest.mean()) for n in range(12)}) == 1  # the first frame becomes each of them


def test_a_long_clip_counts_as_often_as_any(tmp_path: Path) -> None:
    (group,) = data_groups([video(tmp_path / "a.mp4", 100)])
    assert len(group) == PAIRS
    numbers = [one.read().about["frame"] for one in (group[0], group[-1])]
    assert numbers == [0, 99]


WHOLE = np.arange(257.0)
WANTED = np.concatenate([WHOLE[80:144], WHOLE[224:227] / 1000, WHOLE[254:257]])


def poses(path: Path, clip: Path) -> list[np.ndarray]:
    shown = Stream(data_groups([clip]), space="bfm70", side=32, shuffled=False)
    assert path.exists()
    return [np.asarray(shown[n].pose) for n in range(len(shown))]


def test_poses_lie_beside_a_video(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4", 3)
    whole = WHOLE.copy()
    whole[224:227] /= 1000
    rows = np.stack([whole, whole * 2, whole * 3])
    savemat(tmp_path / "a.mat", {"coeff": rows, "transform_params": np.zeros((3, 5))})
    assert np.allclose(poses(tmp_path / "a.mat", clip), [WANTED, WANTED * 2, WANTED * 3])
    (tmp_path / "a.mat").unlink()
    np.save(tmp_path / "a.npy", rows[:2])
    with pytest.raises(KeywarpError, match=r"a\.npy has poses of 2 frames, but its clip has 3"):
        poses(tmp_path / "a.npy", clip)
    np.save(tmp_path / "a.npy", rows[:, :5])
    with pytest.raises(KeywarpError, match=r"shape \(3, 5\); expected 257 numbers a frame"):
        poses(tmp_path / "a.npy", clip)


def test_poses_lie_where_animos_authors_keep_them(tmp_path: Path) -> None:
    clip = frames(tmp_path / "images" / "train" / "id1#x.mp4", 2)
    place = tmp_path / "3dmm" / "train" / "id1#x.mp4"
    place.mkdir(parents=True)
    parts = {"exp": WANTED[None, :64], "angle": WANTED[None, 64:67], "trans": WANTED[None, 67:]}
    for number in range(2):
        scaled = {name: value * (number + 1) for name, value in parts.items()}
        savemat(place / f"{number:07}.mat", {**scaled, "id": np.zeros((1, 80))})
    assert np.allclose(poses(place, clip), [WANTED, WANTED * 2])
    (place / "0000001.mat").write_bytes(b"nothing")
    with pytest.raises(KeywarpError, match=r"0000001\.mat cannot be read"):
        poses(place, clip)
    (place / "0000001.mat").unlink()
    with pytest.raises(KeywarpError, match=r"poses of 1 of 2 frames; 0000001\.mat is missing"):
        poses(place, clip)


def test_a_clip_without_poses_says_so(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4", 2)
    with pytest.raises(KeywarpError, match="no pose of bfm70 follows"):
        poses(clip, clip)
    assert len(space("bfm70")) == 70
