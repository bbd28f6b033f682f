# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled kernels: what they compute, and that they come out of the cache."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from keywarp.core.reswarp.sampling import Enlarged, Sampled
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
    other = random.random((29, width, 4), np.float32)
    found, lack, has, all_of_it = sampled.compared(other, x, y)
    np.testing.assert_allclose(found, linear, atol=2e-5)
    np.testing.assert_allclose(lack, cubic - linear, atol=4e-5)
    np.testing.assert_allclose(has, ((other - linear) * (cubic - linear)).sum(-1), atol=2e-4)
    np.testing.assert_allclose(all_of_it, ((cubic - linear) ** 2).sum(-1), atol=2e-4)


def test_an_enlarged_image_never_leaves_the_range_of_its_surroundings() -> None:
    random = np.random.default_rng(2)
    image = random.random((20, 20, 4), np.float32)
    x, y = (random.uniform(0, 19, (15, 15)).astype(np.float32) for _ in range(2))
    out = np.zeros((15, 15, 4), np.float32)
    Enlarged.of(image[5:15, 4:16], (4, 5)).blend_into(
        out, np.clip(x, 5, 14), np.clip(y, 6, 13), np.zeros((15, 15), np.float32)
    )
    near = np.ones((5, 5), np.uint8)
    where = tuple(np.rint(axis).astype(int) for axis in (np.clip(y, 6, 13), np.clip(x, 5, 14)))
    assert (out <= cv2.dilate(image, near)[where] + 1e-6).all()
    assert (out >= cv2.erode(image, near)[where] - 1e-6).all()
    kept = np.full((15, 15), 0.25, np.float32)
    half = np.ones_like(out)
    Enlarged.of(image[5:15, 4:16], (4, 5)).blend_into(half, np.clip(x, 5, 14), np.clip(y, 6, 13), kept)
    np.testing.assert_allclose(half, 0.25 + 0.75 * out, atol=1e-6)
