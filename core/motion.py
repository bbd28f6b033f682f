# SPDX-License-Identifier: GPL-3.0-or-later
"""``Motion``: what every model family answers with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Motion:
    """A posed low-resolution image, and how its content moved there from the rest picture.

    Convention: the model's square is 2 wide with its origin in the centre, x to the right and y
    down; the centre of pixel i of n lies at ``(2 * i + 1) / n - 1`` (align_corners False). At rest
    ``flow`` and ``painted`` are 0 up to the network's error.
    """

    image: FloatImage
    """(h, w, 4): RGBA in [0, 1], premultiplied, linear light."""
    flow: FloatImage
    """(h, w, 2): backward flow (dx, dy) in the square's units: added to a pixel's own place, it
    says where in the rest picture's square that pixel's content comes from; the border is clamped."""
    painted: FloatImage
    """(h, w, 1): 0..1, soft; 1 where the content is new, so that no detail of the rest picture
    belongs there (papers: ATW, appendix A.3 and A.4)."""

    def __post_init__(self) -> None:
        h, w = self.image.shape[:2]
        shapes = (self.image.shape, self.flow.shape, self.painted.shape)
        if shapes != ((h, w, 4), (h, w, 2), (h, w, 1)):
            raise ValueError(f"a Motion is (h, w, 4), (h, w, 2), (h, w, 1), not {shapes}")
