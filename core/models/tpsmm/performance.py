# SPDX-License-Identifier: GPL-3.0-or-later
"""A driving video as keypoints, and the keypoints that a character follows (papers: TPSMM, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from keywarp.core.driving import Driving
from keywarp.core.driving_video import square_frames, video_length
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.progress import report
from keywarp.keyframes.errors import KeywarpError

_FILE = "keypoints.npy"

#: (P, 2) keypoints of a picture (1, 3, side, side), sRGB in [0, 1].
Detector = Callable[[FloatImage], FloatImage]


def keypoints_of(video: Path, model: str, side: int, detect: Detector) -> FloatImage:
    """(F, P, 2): keypoints of every frame, found once for a video and a model (its content hash), then kept."""
    count, _ = video_length(video)
    key = content_hash([video, model.encode(), str(side).encode()])

    def find(folder: Path) -> None:
        found: list[FloatImage] = []
        for frame in square_frames(video, side):
            report("following the driving video", min(len(found) / count, 1.0))
            found.append(detect((frame.transpose(2, 0, 1)[None] / 255).astype(np.float32)))
        if not found:
            raise KeywarpError(f"{video} holds no frames; a driving video was expected")
        np.save(folder / _FILE, np.stack(found))

    points: FloatImage = np.load(cached_folder(f"tpsmm-driving-{key}", find) / _FILE, allow_pickle=False)
    return points


def carried_over(
    driving: Driving,
    performance: FloatImage,
    source: FloatImage,
    avd: Callable[[FloatImage, FloatImage], FloatImage],
) -> FloatImage:
    """(F, P, 2): the keypoints that the picture with the keypoints ``source``, (P, 2), is to take.

    ``avd`` answers with the source's keypoints in the pose of others, both (P, 2).
    """
    if driving.mode == "standard":
        return performance
    if driving.mode == "avd":
        return np.stack([avd(source, points) for points in performance])
    initial = performance[best_frame(performance, source) if driving.best_frame else 0]
    # A movement is as large as the shape that makes it (FOMM, on which the paper's relative mode is based).
    scale = np.sqrt(hull_area(source) / hull_area(initial))
    moved: FloatImage = (source + (performance - initial) * np.float32(scale)).astype(np.float32)
    return moved


def hull_area(points: FloatImage) -> float:
    """Area of the convex hull of keypoints (P, 2); never 0."""
    hull = cv2.convexHull(np.ascontiguousarray(points, np.float32))
    return max(float(cv2.contourArea(hull)), 1e-6)


def best_frame(performance: FloatImage, source: FloatImage) -> int:
    """The frame whose keypoints form a shape most like the source's, wherever and however large it is."""

    def shape(points: FloatImage) -> FloatImage:
        centred = points - points.mean(0)
        unit: FloatImage = centred / np.float32(np.sqrt(hull_area(points)))
        return unit

    wanted = shape(source)
    return int(np.argmin([np.square(shape(points) - wanted).sum() for points in performance]))


def at_frame(points: FloatImage, frame: float) -> FloatImage:
    """(P, 2): keypoints (F, P, 2) at a frame, interpolated between two, held at the ends."""
    place = min(max(frame, 0.0), len(points) - 1.0)
    low = min(int(place), len(points) - 2) if len(points) > 1 else 0
    high = min(low + 1, len(points) - 1)
    share = np.float32(place - low)
    between: FloatImage = points[low] * (1 - share) + points[high] * share
    return between
