# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels a triangle covers, against barycentric coordinates by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keywarp.core.runtime.kernels import FLOATS, INDEX, Compiled, Kernel, built_once
from keywarp.core.runtime.triangles import covered

WIDTH, HEIGHT = 23, 17
CLOSE = 1e-4
"""So near to an edge either answer is right."""


@built_once
def _counting() -> Compiled:
    """Of each pixel how many triangles cover it, and the last one's shares of its second and third corner."""
    k = Kernel("test_triangles", FLOATS, FLOATS, FLOATS, INDEX)
    out, corners, last, count = k.arguments
    with k.loop(0, count) as triangle:
        places = [
            (k.load(corners, triangle * 6 + 2 * i), k.load(corners, triangle * 6 + 2 * i + 1))
            for i in range(3)
        ]
        bounds = k.load(last, k.index(0)), k.load(last, k.index(1))
        with covered(k, places, *bounds) as (row, column, b1, b2):
            at = (row * WIDTH + column) * 3
            k.store(k.load(out, at) + 1.0, out, at)
            k.store(b1, out, at + 1)
            k.store(b2, out, at + 2)
    return k.compiled()


def drawn(triangles: Any) -> Any:
    """(HEIGHT, WIDTH, 3): see ``_counting``; a guard around it shows what was written elsewhere."""
    guarded = np.full((HEIGHT + 2, WIDTH, 3), -7, np.float32)
    guarded[1:-1] = 0
    given = np.ascontiguousarray(triangles, np.float32)
    last = np.array([WIDTH - 1, HEIGHT - 1], np.float32)
    _counting()(guarded[1:-1], given, last, len(given))
    assert (guarded[[0, -1]] == -7).all()
    return guarded[1:-1]


def shares(triangle: Any) -> Any:
    """(HEIGHT, WIDTH, 3): barycentric coordinates of each pixel's centre, as ratios of areas."""
    points = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).astype(np.float64)
    corners = np.float32(triangle).astype(np.float64)

    def area(a: Any, b: Any, c: Any) -> Any:
        return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (
            b[..., 1] - a[..., 1]
        )

    a, b, c = corners
    return np.stack([area(points, b, c), area(points, c, a), area(points, a, b)], -1) / area(a, b, c)


@pytest.mark.parametrize("reach", [3.0, 12.0, 60.0])
def test_pixels_are_covered_as_their_barycentric_coordinates_say(reach: float) -> None:
    """Triangles small and large, turned either way, within the picture, across its border and beyond."""
    random = np.random.Generator(np.random.PCG64(int(reach)))
    tried = 0
    for _ in range(60):
        middle = random.uniform(-5, 25, 2)
        triangle = middle + random.uniform(-reach, reach, (3, 2))
        wanted = shares(triangle)
        if np.abs(np.linalg.det(triangle[1:] - triangle[0])) < 0.5:
            continue
        found = drawn(triangle[None])
        least = wanted.min(-1)
        clear = np.abs(least) > CLOSE
        np.testing.assert_array_equal(found[clear][:, 0], least[clear] > 0)
        inside = found[..., 0] > 0
        np.testing.assert_allclose(found[inside][:, 1:], wanted[inside][:, 1:], atol=2e-4)
        tried += int(inside.any())
    assert tried > 20


def test_corners_on_pixels_are_covered() -> None:
    found = drawn([[[2, 2], [6, 2], [2, 6]]])[..., 0]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    np.testing.assert_array_equal(found, (rows >= 2) & (columns >= 2) & (rows + columns <= 8))


def test_a_mesh_leaves_no_hole() -> None:
    """Neighbours that share an edge cover every pixel between them, whatever the edge."""
    random = np.random.Generator(np.random.PCG64(5))
    for _ in range(40):
        x, y = np.meshgrid(np.linspace(-2, WIDTH + 1, 6), np.linspace(-2, HEIGHT + 1, 6))
        grid = np.stack([x, y], -1) + random.uniform(-1.2, 1.2, (6, 6, 2))
        a, b, c, d = (grid[r : r + 5, s : s + 5].reshape(-1, 2) for r, s in ((0, 0), (0, 1), (1, 0), (1, 1)))
        found = drawn(np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]))
        assert found[2:-2, 2:-2, 0].min() >= 1
