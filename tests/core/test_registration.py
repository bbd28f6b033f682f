# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering artwork to its own reductions, made here by known similarities."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from keywarp.core.color import from_srgb8, over_srgb8, to_srgb8
from keywarp.core.picture import Picture, read_picture
from keywarp.core.registration import register
from keywarp.core.resample import Affine
from keywarp.keyframes.errors import KeywarpError

IMAGES = ["raven_aria1", "raven_ol1", "renpy_eileen_happy_1080", "renpy_lucy_happy"]


def drawing(seed: int = 0, size: int = 900) -> Picture:
    """Overlapping discs of many colours on a transparent ground: an artwork to be recognised."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size, 4), np.uint8)
    for _ in range(60):
        x, y = rng.integers(size // 5, 4 * size // 5, 2)
        colour = (*(int(c) for c in rng.integers(0, 256, 3)), 255)
        cv2.circle(image, (int(x), int(y)), int(rng.integers(size // 60, size // 9)), colour, -1)
    return from_srgb8(image)


def similarity(scale: float, degrees: float, centre: tuple[float, float], to: tuple[float, float]) -> Affine:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    a = np.array([[c, -s], [s, c]])
    return np.hstack([a, (np.array(to) - a @ centre)[:, None]])


def reduction(hd: Picture, matrix: Affine, width: int, height: int, by: int = 6) -> Picture:
    """The picture that the similarity makes of ``hd``: each pixel the mean of 6 x 6 samples of its area."""
    # Sample (i, j) of the fine grid has its centre at ((i + 0.5) / by, (j + 0.5) / by).
    x, y = np.meshgrid((np.arange(width * by) + 0.5) / by, (np.arange(height * by) + 0.5) / by)
    a = np.linalg.inv(matrix[:, :2])
    at = np.stack([x - matrix[0, 2], y - matrix[1, 2]], -1) @ a.T - 0.5
    fine = cv2.remap(
        hd,
        at.astype(np.float32),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0.0,) * 4,
    )
    return np.ascontiguousarray(fine.reshape(height, by, width, by, 4).mean((1, 3)))


def corner_error(found: Affine, true: Affine, hd: Picture) -> float:
    """The farthest that a corner of the figure's bounding box is off, in pixels of the picture."""
    rows, columns = np.nonzero(hd[..., 3] > 0.5)
    corners = [(x, y, 1.0) for x in (columns.min(), columns.max() + 1) for y in (rows.min(), rows.max() + 1)]
    return float(np.hypot(*((found - true) @ np.array(corners).T)).max())


def noisy(picture: Picture, sigma: float) -> Picture:
    coded = to_srgb8(picture).astype(np.float64)
    coded[..., :3] += np.random.default_rng(1).normal(0, sigma, coded[..., :3].shape)
    return from_srgb8(np.clip(np.rint(coded), 0, 255).astype(np.uint8))


def jpeg(picture: Picture, quality: int) -> Picture:
    """The picture over white, through a JPEG file: opaque."""
    coded = np.ascontiguousarray(over_srgb8(picture, (1.0, 1.0, 1.0))[..., 2::-1])
    _, data = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return from_srgb8(np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]))


@pytest.mark.parametrize(
    ("scale", "degrees"), [(0.55, 0.0), (0.3, 2.0), (0.45, -7.0), (0.2, 0.5), (0.9, 0.0), (1.0, 3.0)]
)
def test_a_known_similarity_is_found(scale: float, degrees: float) -> None:
    hd = drawing()
    true = similarity(scale, degrees, (450, 450), (259.3, 250.6))
    found = register(hd, reduction(hd, true, 512, 512))
    assert corner_error(found.matrix, true, hd) < 0.15
    assert found.confidence > 0.9


@pytest.mark.shared
@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("degrees", [0.0, 2.5])
def test_real_illustrations_register_to_their_noisy_reductions(
    shared: Path, name: str, degrees: float
) -> None:
    hd = read_picture(shared / "images" / f"{name}.png").pixels
    h, w = hd.shape[:2]
    true = similarity(0.45, degrees, (w / 2, h / 2), (259.3, 248.2))
    found = register(hd, noisy(reduction(hd, true, 512, 512), 4.0))
    assert corner_error(found.matrix, true, hd) < 0.15


@pytest.mark.shared
@pytest.mark.parametrize("name", IMAGES)
def test_a_cropped_picture_in_a_jpeg_file_registers_to_the_opaque_artwork(shared: Path, name: str) -> None:
    hd = read_picture(shared / "images" / f"{name}.png").pixels
    hd = hd + (1 - hd[..., 3:])  # over white
    h, w = hd.shape[:2]
    true = similarity(0.6, 0.0, (w / 2, h / 4), (131.7, 120.4))
    found = register(hd, jpeg(reduction(hd, true, 260, 240), 75))
    corners = np.array([(x, y, 1.0) for x in (0, 260) for y in (0, 240)]).T
    back = np.linalg.inv(np.vstack([true, (0, 0, 1)])) @ corners
    assert np.hypot(*(found.matrix @ back - corners[:2])).max() < 0.15


@pytest.mark.shared
def test_a_crop_of_the_head_at_high_resolution_registers_to_the_whole_picture(shared: Path) -> None:
    hd = read_picture(shared / "images" / "renpy_eileen_happy_1080.png").pixels
    true = similarity(0.4, 0.0, (240, 540), (256.4, 255.1))
    picture = reduction(hd, true, 512, 512)
    crop = np.ascontiguousarray(hd[5:560, 20:470])
    moved = true.copy()
    moved[:, 2] += true[:, :2] @ (20, 5)
    assert corner_error(register(crop, picture).matrix, moved, crop) < 0.15


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_registers_to_itself_by_the_identity(seed: int) -> None:
    picture = drawing(seed)
    found = register(picture, picture)
    assert corner_error(found.matrix, np.eye(2, 3), picture) < 0.01
    assert found.confidence > 0.99
    assert found.residual < 0.01


def test_padding_and_cropping_are_pure_shifts() -> None:
    hd = drawing(1)
    padded = cv2.copyMakeBorder(hd, 37, 11, 64, 5, cv2.BORDER_CONSTANT, value=(0.0,) * 4)
    matrix = register(padded, hd).matrix
    # OpenCV 4 warps at whole 32nds of a pixel.
    nearest = 0.01 if int(cv2.__version__.split(".")[0]) >= 5 else 1 / 16
    assert corner_error(matrix, np.array([[1.0, 0, -64], [0, 1, -37]]), padded) < nearest


def test_flat_artwork_without_features_registers_by_its_silhouette() -> None:
    hd = np.zeros((800, 800, 4), np.float32)
    mask = np.zeros((800, 800), np.uint8)
    cv2.ellipse(mask, (400, 380), (180, 260), 20, 0, 360, 255, -1)
    hd[...] = cv2.GaussianBlur(mask, (0, 0), 6)[..., None] / np.float32(255)
    true = similarity(0.5, 1.0, (400, 380), (211.3, 197.9))
    assert corner_error(register(hd, reduction(hd, true, 400, 400)).matrix, true, hd) < 0.15


def test_the_answer_is_the_same_on_every_call() -> None:
    hd = drawing(2)
    picture = noisy(reduction(hd, similarity(0.4, 1.0, (450, 450), (200, 210)), 400, 400), 3.0)
    first, second = register(hd, picture), register(hd, picture)
    assert np.array_equal(first.matrix, second.matrix)
    assert (first.residual, first.confidence) == (second.residual, second.confidence)


@pytest.mark.parametrize(
    "other",
    [drawing(5), np.ascontiguousarray(drawing(4)[:, ::-1]), np.zeros((64, 64, 4), np.float32)],
    ids=["another drawing", "mirrored", "empty"],
)
def test_different_artwork_is_refused_in_one_sentence(other: Picture) -> None:
    with pytest.raises(KeywarpError, match="does not show the same artwork"):
        register(drawing(4), other)


@pytest.mark.shared
@pytest.mark.slow
def test_different_illustrations_are_refused(shared: Path) -> None:
    pictures = [read_picture(shared / "images" / f"{name}.png").pixels for name in IMAGES]
    for a in range(len(pictures)):
        for b in range(len(pictures)):
            other = pictures[b] if a != b else np.ascontiguousarray(pictures[b][:, ::-1])
            with pytest.raises(KeywarpError):
                register(pictures[a], other)


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (40, 40)])
def test_tiny_pictures_end_in_a_sentence(size: tuple[int, int]) -> None:
    with pytest.raises(KeywarpError):
        register(drawing(0), np.ones((*size, 4), np.float32))


def test_four_thousand_pixels_take_seconds() -> None:
    hd = np.ascontiguousarray(cv2.resize(drawing(3), (4096, 4096), interpolation=cv2.INTER_LINEAR))
    true = similarity(512 / 4096, 0.0, (0, 0), (0, 0))
    picture = cv2.resize(hd, (512, 512), interpolation=cv2.INTER_AREA)
    began = time.process_time()
    found = register(hd, picture)
    assert time.process_time() - began < 15
    assert corner_error(found.matrix, true, hd) < 0.15
