# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled kernels: what they compute, and that they come out of the cache."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from keywarp.core.newness import brightness
from keywarp.core.reswarp.sampling import Sampled
from keywarp.core.runtime import kernels
from keywarp.core.runtime.kernels import FLOATS, INDEX, Kernel
from keywarp.core.runtime.sines import sine_in_place

#: OpenCV 4 warps at whole 32nds of a pixel.
EXACT = int(cv2.__version__.split(".")[0]) >= 5


def doubling() -> Kernel:
    kernel = Kernel("doubling", FLOATS, INDEX)
    numbers, count = kernel.arguments
    with kernel.loop(0, count) as i:
        kernel.store(kernel.load(numbers, i) * 2.0, numbers, i)
    return kernel


@pytest.mark.parametrize("writable", [True, False])
def test_kernels_work_with_and_without_a_cache(
    writable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    if not writable:
        folder.write_text("a file where the folder should be")
    monkeypatch.setenv("KEYWARP_CACHE", str(folder))
    for _ in range(2):
        numbers = np.arange(7, dtype=np.float32)
        doubling().compiled()(numbers, 5)
        np.testing.assert_array_equal(numbers, [0, 2, 4, 6, 8, 5, 6])
        if writable:  # the second time it is there
            monkeypatch.setattr(kernels, "_translated", None)
    if writable:
        assert len(list(folder.rglob("code"))) == 1


def test_damaged_code_in_the_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path))
    doubling().compiled()
    (code,) = tmp_path.rglob("code")
    code.write_bytes(code.read_bytes()[:100])
    numbers = np.ones(3, np.float32)
    doubling().compiled()(numbers, 3)
    np.testing.assert_array_equal(numbers, [2, 2, 2])


def test_arrays_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        doubling().compiled()(np.zeros(3), 3)


@pytest.mark.parametrize("count", [1, 7, 8, 1000])
def test_sines_are_exact_to_a_ten_millionth(count: int) -> None:
    x = np.random.default_rng(0).normal(0, 100, count).astype(np.float32)
    exact = np.sin(x.astype(np.float64))
    sine_in_place(x)
    assert np.abs(x - exact).max() <= 1.5e-7


@pytest.mark.skipif(not EXACT, reason="OpenCV 4 warps by 32nds of a pixel")
@pytest.mark.parametrize("clamped", [True, False])
@pytest.mark.parametrize("width", [40, 43])
def test_samples_are_those_of_opencv(clamped: bool, width: int) -> None:
    random = np.random.default_rng(1)
    image = random.random((31, 37, 4), np.float32)
    # Far outside, too.
    x, y = (random.uniform(-60, 100, (29, width)).astype(np.float32) for _ in range(2))
    border = cv2.BORDER_REPLICATE if clamped else cv2.BORDER_CONSTANT
    linear, cubic = (
        cv2.remap(image, x, y, kernel, borderMode=border) for kernel in (cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    )
    sampled = Sampled.of(image, clamped)
    out = np.ones((29, width, 4), np.float32)
    sampled.add_to(out, x * 2, y * 2, 0.5, 0.0)
    np.testing.assert_allclose(out, 1 + cubic, atol=2e-5)
    own_x, own_y = (random.uniform(0, 40, n).astype(np.float32) for n in (width, 29))
    second = random.random(image.shape, np.float32)
    maps, there = [np.empty_like(x) for _ in range(3)], np.empty((29, width, 4), np.float32)
    sampled.map_into(maps, (own_x, own_y), x, y, Sampled.of(second, clamped), there)
    for i, offset in enumerate([own_x, own_y[:, None], 0]):
        np.testing.assert_allclose(maps[i], linear[..., i] + offset, atol=2e-5)
    np.testing.assert_allclose(there, cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=border), atol=2e-5)
    other, weight = random.random((29, width, 4), np.float32), random.random((29, width), np.float32)
    found = sampled.compared(other, x, y, weight)
    tapered = linear + (other - linear) * weight[..., None]
    np.testing.assert_allclose(found.image, tapered, atol=2e-5)
    np.testing.assert_allclose(found.lack, cubic - linear, atol=4e-5)
    np.testing.assert_allclose(found.has, ((tapered - linear) * (cubic - linear)).sum(-1), atol=2e-4)
    np.testing.assert_allclose(found.all_of_it, ((cubic - linear) ** 2).sum(-1), atol=2e-4)
    np.testing.assert_allclose(found.opacity, np.maximum(tapered, linear)[..., 3], atol=2e-5)
    for levels, shown in ((found.levels, tapered), (found.expected, linear)):
        assert np.abs(levels.astype(int) - brightness(shown)).max() <= 1
        assert (levels == brightness(shown)).mean() > 0.98


def test_a_plainly_enlarged_image_is_a_sharpened_cubic_one_in_the_range_of_its_surroundings() -> None:
    random = np.random.default_rng(2)
    image = random.random((20, 24, 4), np.float32)
    x, y = (random.uniform(1, side, (15, 15)).astype(np.float32) for side in (21.9, 17.9))
    kept = random.choice([0.0, 0.25, 1.0], (15, 15)).astype(np.float32)
    before = random.random((15, 15, 4), np.float32)
    out = before.copy()
    Sampled.of(image, clamped=True).blend_into(out, x, y, kept)
    near = np.ones((3, 3), np.uint8)
    sharp = cv2.addWeighted(image, 1.5, cv2.blur(image, (3, 3), borderType=cv2.BORDER_REPLICATE), -0.5, 0)
    plain, low, high = (
        cv2.remap(source, x, y, kernel, borderMode=cv2.BORDER_REPLICATE)
        for source, kernel in (
            (sharp, cv2.INTER_CUBIC),
            (cv2.erode(image, near), cv2.INTER_LINEAR),
            (cv2.dilate(image, near), cv2.INTER_LINEAR),
        )
    )
    share = kept[..., None]
    # OpenCV 4 warps by 32nds of a pixel.
    np.testing.assert_allclose(
        out, before * share + np.clip(plain, low, high) * (1 - share), atol=1e-5 if EXACT else 0.05
    )
