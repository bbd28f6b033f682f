# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and masks laid into frames: what happens at their borders."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.core.resample import place_mask, place_picture


@pytest.mark.parametrize("size", [(640, 360), (90, 200), (77, 31)])
def test_what_reaches_the_border_stays_opaque(size: tuple[int, int]) -> None:
    """Larger or smaller, in a frame of another shape: a full picture is full up to its border, and ends there."""
    width, height = size
    scale = min(width / 128, height / 96)
    x, y = (width - 128 * scale) / 2, (height - 96 * scale) / 2
    picture = np.ones((96, 128, 4), np.float32)
    out = place_picture(picture, np.array([[scale, 0, x], [0, scale, y]]), width, height)

    def share(count: int, start: float, end: float) -> np.ndarray:
        edges = np.arange(count + 1)
        return np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, 1)

    wanted = share(height, y, y + 96 * scale)[:, None] * share(width, x, x + 128 * scale)
    np.testing.assert_allclose(out, np.repeat(wanted[..., None], 4, -1), atol=1e-5)


def test_a_mask_stays_between_its_values_up_to_the_border() -> None:
    mask = np.ones((100, 200), np.float32)
    mask[:, :100] = 0
    for width, height in ((1000, 600), (120, 90)):
        scale = np.array([[width / 200, 0, 0], [0, height / 100, 0]])
        out = place_mask(mask, scale, width, height)
        assert out.min() >= 0 and out.max() <= 1
        assert not out[:, : int(width * 0.49)].any()
        assert (out[:, int(width * 0.51) :] == 1).all()
