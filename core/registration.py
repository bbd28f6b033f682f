# SPDX-License-Identifier: GPL-3.0-or-later
"""Registration: where the pixels of a picture lie in the same artwork at higher resolution.

First guesses from matched features (SIFT: Lowe, Distinctive Image Features from Scale-Invariant
Keypoints, 2004, with a similarity by RANSAC) and from the silhouettes; then Gauss-Newton on the
pixels themselves, with the high resolution averaged down to the picture's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from keywarp.core.color import linear_to_srgb
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine, inverse, reduce, then, warp
from keywarp.keyframes.errors import KeywarpError

Planes = npt.NDArray[np.float32]
"""(H, W, 3): encoded luminance over mid grey, alpha, and 1 where there is a picture at all."""


@dataclass(frozen=True)
class Registration:
    """How the same artwork at higher resolution lies over a picture."""

    matrix: Affine
    """(2, 3) similarity: the artwork's pixels to the picture's, both continuous (first centre at 0.5)."""
    residual: float
    """Root mean square difference of encoded luminance and alpha where both have pixels, [0, 1]."""
    confidence: float
    """Correlation of the fine detail of both, where the figure is, [0, 1]."""


#: Working sizes, in pixels on the longer side: the picture, and the artwork for features and for pixels.
_PICTURE_SIDE = 1024
_FEATURE_SIDE = 1024
_ART_SIDE = 2048
#: Detail of different artwork correlates by less than this; a poor JPEG of the same by more.
_LEAST_CORRELATION = 0.8
#: A guess that has led to less at a coarse level is given up.
_HOPELESS = 0.4
#: Gauss-Newton has converged when no corner moves by more (pixels of the picture).
_STILL = 0.002


def register(hd: Picture, picture: Picture, name: str = "the high-resolution picture") -> Registration:
    """The similarity that lays ``hd`` over ``picture``, the same artwork at another resolution.

    It may be cropped or padded differently and turned a little. Raises ``KeywarpError``, which calls ``hd`` by its
    ``name``, where the two do not show the same artwork.
    """
    target, target_scale = _planes(picture, _PICTURE_SIDE)
    art, art_scale = _planes(hd, _ART_SIDE)
    best: Registration | None = None
    for guess in _guesses(art, target):
        found = _refined(art, target, guess)
        if found is not None and (best is None or found.confidence > best.confidence):
            best = found
        if best is not None and best.confidence > 0.95:
            break
    if best is None or best.confidence < _LEAST_CORRELATION:
        raise KeywarpError(
            f"{name} does not show the same artwork as the picture; "
            "it must be the same drawing, only larger, and may be cropped or padded differently"
        )
    matrix = then(then(art_scale, best.matrix), inverse(target_scale))
    return Registration(matrix, best.residual, best.confidence)


def _planes(picture: Picture, side: int) -> tuple[Planes, Affine]:
    """What is compared, at most ``side`` pixels long, and the map from the picture's pixels to it.

    The picture is padded until both sides divide: the map has exactly one scale.
    """
    h, w = picture.shape[:2]
    by = -(-max(h, w) // side)
    small: Planes = picture
    if by > 1:
        padded = cv2.copyMakeBorder(picture, 0, -h % by, 0, -w % by, cv2.BORDER_REPLICATE)
        small = reduce(np.asarray(padded, np.float32), padded.shape[1] // by, padded.shape[0] // by)
    grey = np.float32(0.214)  # encoded 0.5
    luminance = small[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32) + grey * (1 - small[..., 3])
    planes = np.stack([linear_to_srgb(luminance), small[..., 3], np.ones_like(luminance)], -1)
    return planes.astype(np.float32), np.array([[1 / by, 0, 0], [0, 1 / by, 0]])


def _guesses(art: Planes, target: Planes) -> Iterator[Affine]:
    """First similarities, the likeliest first."""
    matched = _by_features(art, target)
    if matched is not None:
        yield matched
    yield _box_to_box(_whole(art), _whole(target))
    figures = _figure(art), _figure(target)
    if figures[0] is not None and figures[1] is not None:
        yield _box_to_box(figures[0], figures[1])


Box = tuple[float, float, float, float]


def _whole(planes: Planes) -> Box:
    return 0.0, 0.0, float(planes.shape[1]), float(planes.shape[0])


def _figure(planes: Planes) -> Box | None:
    """Bounding box of what is not transparent: left, top, right, bottom."""
    solid = planes[..., 1] >= 0.5
    if not solid.any():
        return None
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _box_to_box(source: Box, target: Box) -> Affine:
    """The upright similarity between the boxes' centres, by the mean of both axes' scales."""
    sx, sy = (np.array(b[2:]) - b[:2] for b in (source, target))
    scale = float(np.sqrt(np.prod(sy / sx)))
    shift = (np.array(target[:2]) + target[2:]) / 2 - scale * (np.array(source[:2]) + source[2:]) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _by_features(art: Planes, target: Planes) -> Affine | None:
    """The similarity on which most matched features agree; OpenCV seeds its RANSAC alike on every call."""
    by = max(art.shape[:2]) / _FEATURE_SIDE
    size = [round(n / by) for n in art.shape[1::-1]] if by > 1 else list(art.shape[1::-1])
    small = reduce(art, size[0], size[1]) if by > 1 else art
    points_a, words_a = _features(small)
    points_b, words_b = _features(target)
    if min(len(points_a), len(points_b)) < 4:
        return None
    points_a = points_a * (np.array(art.shape[1::-1]) / size)
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words_b, words_a, k=2)
    kept = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.8 * p[1].distance]
    if len(kept) < 4:
        return None
    source = points_a[[m.trainIdx for m in kept]]
    goal = points_b[[m.queryIdx for m in kept]]
    matrix, _ = cv2.estimateAffinePartial2D(source, goal, method=cv2.RANSAC, ransacReprojThreshold=2.0)
    return None if matrix is None or not np.isfinite(matrix).all() else np.asarray(matrix, np.float64)


def _features(planes: Planes) -> tuple[npt.NDArray[np.float64], Any]:
    """(N, 2) positions, continuous, and their descriptors."""
    grey = np.clip(np.rint(planes[..., 0] * 255), 0, 255).astype(np.uint8)
    sift = cv2.SIFT_create(nfeatures=2000)  # type: ignore[attr-defined]
    points, words = sift.detectAndCompute(grey, None)
    return np.array([p.pt for p in points], np.float64).reshape(-1, 2) + 0.5, words


def _refined(art: Planes, target: Planes, guess: Affine) -> Registration | None:
    """Gauss-Newton from a first guess, from coarse to fine, and how well the end agrees."""
    matrix = guess
    for by in (8, 4, 2, 1):
        if min(target.shape[:2]) < 24 * by:
            continue
        level = np.array([[1 / by, 0, 0], [0, 1 / by, 0]])
        h, w = (n // by * by for n in target.shape[:2])
        small = reduce(np.ascontiguousarray(target[:h, :w]), w // by, h // by)
        step = _gauss_newton(art, small, then(matrix, level))
        if step is None:
            return None
        matrix = then(step, inverse(level))
        agreement = _agreement(art, small, step)
        if agreement is None or agreement.confidence < _HOPELESS:
            return None
    return _agreement(art, target, matrix)


def _gauss_newton(art: Planes, target: Planes, matrix: Affine) -> Affine | None:
    """The similarity that minimises the difference of ``target`` and the laid-over art, robustly."""
    reduced = _reduced(art, matrix)
    h, w = target.shape[:2]
    fine = then(_scaling(reduced), matrix)
    corners = np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]], np.float64)
    for _ in range(20):
        laid, valid = _laid(reduced.planes, fine, w, h)
        if valid.sum() < 256:
            return None
        step = _step(laid, target, valid)
        if step is None:
            return None
        fine = then(fine, step)
        if np.abs(step @ corners - corners[:2]).max() < _STILL:
            break
    found = then(inverse(_scaling(reduced)), fine)
    return found if 1e-3 < np.hypot(*found[:, 0]) < 1e3 else None


@dataclass(frozen=True)
class _Reduced:
    planes: Planes
    by: int


def _reduced(art: Planes, matrix: Affine) -> _Reduced:
    """The art averaged down to between two and four of its pixels to one of the target's."""
    by = max(int(1 / (2 * float(np.hypot(*matrix[:, 0])))), 1)
    if by == 1:
        return _Reduced(art, 1)
    h, w = (max(n // by, 1) for n in art.shape[:2])
    return _Reduced(reduce(np.ascontiguousarray(art[: h * by, : w * by]), w, h), by)


def _scaling(art: _Reduced) -> Affine:
    """Pixels of the reduced art to those of the whole."""
    return np.array([[art.by, 0, 0], [0, art.by, 0]], np.float64)


def _laid(art: Planes, matrix: Affine, width: int, height: int) -> tuple[Planes, npt.NDArray[np.bool_]]:
    """The art on the target's pixels, and where it covers them wholly.

    Each pixel is the mean of 4 x 4 samples, or one sample where the art is no finer than the target.
    """
    by = 4 if np.hypot(*matrix[:, 0]) < 0.99 else 1
    to_art = then(np.array([[1 / by, 0, 0], [0, 1 / by, 0]]), inverse(matrix))
    image = warp(art, to_art, width * by, height * by, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    if by > 1:
        image = reduce(image, width, height)
    return image, image[..., 2] > 0.999


def _step(laid: Planes, target: Planes, valid: npt.NDArray[np.bool_]) -> Affine | None:
    """One Gauss-Newton step: the similarity of the target's plane that brings ``laid`` onto it.

    The gradient is the mean of both pictures' (second-order convergence: Malis, Improving vision-based
    control using efficient second-order minimization techniques, 2004). Luminance may differ by a gain
    and an offset, which are solved for along with it.
    """
    h, w = valid.shape
    y, x = np.mgrid[:h, :w].astype(np.float32) + 0.5
    x, y, reach = x - w / 2, y - h / 2, max(w, h) / 2
    inside = cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) > 0
    rows, rest = [], []
    for plane in (0, 1):
        mean = (laid[..., plane] + target[..., plane]) / 2
        gx, gy = (cv2.Scharr(mean, cv2.CV_32F, *d, scale=1 / 32)[inside] for d in ((1, 0), (0, 1)))
        px, py = x[inside] / reach, y[inside] / reach
        lit = 1.0 - plane
        photo = lit * (laid[..., 0][inside] - 0.5), np.full(len(gx), lit, np.float32)
        rows.append(np.stack([gx, gy, gx * px + gy * py, gy * px - gx * py, *photo], -1))
        rest.append((laid[..., plane] - target[..., plane])[inside])
    solution = _robust(np.concatenate(rows).astype(np.float64), np.concatenate(rest).astype(np.float64))
    if solution is None:
        return None
    dx, dy, grow, turn = solution[:4]
    a, b = 1 + grow / reach, turn / reach
    # About the target's centre: p -> centre + (a, b) (p - centre) + d.
    cx, cy = w / 2, h / 2
    return np.array([[a, -b, cx + dx - a * cx + b * cy], [b, a, cy + dy - b * cx - a * cy]])


def _robust(rows: npt.NDArray[np.float64], rest: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Least squares with Huber's weights at the residual's own scale."""
    scale = max(1.4826 * float(np.median(np.abs(rest[rest != 0]))) if rest.any() else 0.0, 1e-4)
    weight = np.minimum(1.0, 1.345 * scale / np.maximum(np.abs(rest), 1e-12))
    normal = rows.T @ (rows * weight[:, None])
    normal[np.diag_indices(6)] += 1e-9 * np.trace(normal) + 1e-12
    try:
        return np.asarray(np.linalg.solve(normal, rows.T @ (weight * rest)))
    except np.linalg.LinAlgError:
        return None


def _agreement(art: Planes, target: Planes, matrix: Affine) -> Registration | None:
    """How well art and target agree under a similarity, over the figure where both have pixels."""
    reduced = _reduced(art, matrix)
    h, w = target.shape[:2]
    laid, valid = _laid(reduced.planes, then(_scaling(reduced), matrix), w, h)
    figure = target[..., 1] >= 0.02
    both = valid & (figure | (laid[..., 1] >= 0.02))
    if both.sum() < max(64, 0.2 * figure.sum()):
        return None
    difference = (laid - target)[both][:, :2]
    # Where the art ends, the target goes on: its end is no detail.
    shown = np.where(valid, laid[..., 0], target[..., 0])
    fine = [plane - cv2.GaussianBlur(plane, (0, 0), 4.0) for plane in (shown, target[..., 0])]
    a, b = (plane[both] - plane[both].mean() for plane in fine)
    spread = float(np.sqrt((a @ a) * (b @ b)))
    correlation = float(a @ b) / spread if spread > 1e-9 else 0.0
    return Registration(matrix, float(np.sqrt(np.mean(difference**2))), float(np.clip(correlation, 0, 1)))
