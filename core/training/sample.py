# SPDX-License-Identifier: GPL-3.0-or-later
"""What networks learn from: a posed picture of somebody, where there is one the rest picture, and what is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.layered import Layered
from keywarp.core.motion import FloatImage
from keywarp.core.picture import Picture
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings.base import checked_poses
from keywarp.keyframes.spaces import space

Pixels = npt.NDArray[np.uint8]

REGIONS = ("face", "eyes", "mouth")
"""Parts of the posed picture that losses and scores may weigh by themselves."""
STAGES = ("bare", "brows", "browed", "morphed")
"""Pictures on the way from rest to pose, as Talking Head Anime's networks go it: the rest picture without its brows,
these alone, the rest picture with the pose's brows, and with all of the pose's face."""
MAX_SIDE = 4096
_KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True)
class Sample:
    """A picture with its pose, as it is stored.

    Images are square, all of one side, (n, n, 4) uint8 sRGB with straight alpha. Raises ``KeywarpError`` where
    parts do not fit together.
    """

    key: str
    """Unique in its data set: letters, digits, ``_`` and ``-``."""
    identity: str
    """Who is shown: the same text for all pictures of one character."""
    posed: Pixels
    poses: Mapping[str, Poses] = field(default_factory=dict)
    """By the name of the pose space: the pose of ``posed``, (C,)."""
    rest: Pixels | None = None
    """The same character in the rest pose, seen alike; ``None``: the picture has no partner (unpaired data)."""
    flow: FloatImage | None = None
    """(n, n, 2): true backward flow in the square's units (see ``Motion``): added to a pixel's own place in the
    posed picture it says where in the rest picture its content lies; 0 where the posed picture is transparent."""
    visible: FloatImage | None = None
    """(n, n) in [0, 1]: 1 where that content can be seen in the rest picture."""
    regions: Mapping[str, FloatImage] = field(default_factory=dict)
    """Masks, (n, n) in [0, 1], over the posed picture, by a name of ``REGIONS``."""
    stages: Mapping[str, Pixels] = field(default_factory=dict)
    """Pictures by a name of ``STAGES``."""
    layered: Layered | None = None
    """The rest picture as a layered depth image, of the same side."""
    category: str | None = None
    """Expression category, where the data are labelled by these."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Anything else worth keeping (style, licence, seed): plain JSON values."""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise KeywarpError(f"{self.key!r} is no key of a sample: letters, digits, _ and - only")
        n = self.posed.shape[0]
        if not 1 <= n <= MAX_SIDE:
            raise KeywarpError(f"{self.key}: pictures are 1 to {MAX_SIDE} pixels wide, not {n}")
        self._check("posed", self.posed, (n, n, 4))
        self._check("rest", self.rest, (n, n, 4))
        self._check("flow", self.flow, (n, n, 2))
        self._check("visible", self.visible, (n, n))
        for name, mask in self.regions.items():
            if name not in REGIONS:
                raise KeywarpError(f"{self.key}: there is no region {name!r}; there are {', '.join(REGIONS)}")
            self._check(name, mask, (n, n))
        for name, picture in self.stages.items():
            if name not in STAGES:
                raise KeywarpError(f"{self.key}: there is no stage {name!r}; there are {', '.join(STAGES)}")
            self._check(name, picture, (n, n, 4))
        if self.layered is not None:
            for layer in self.layered.layers:
                self._check("a layer", layer.seen, (n, n))
        for name, pose in self.poses.items():
            if checked_poses(space(name), pose).ndim != 1:
                raise KeywarpError(f"{self.key}: a sample has one pose of {name}, not several")

    def _check(self, name: str, array: npt.NDArray[Any] | None, shape: tuple[int, ...]) -> None:
        if array is not None and array.shape != shape:
            raise KeywarpError(f"{self.key}: {name} has the shape {array.shape} instead of {shape}")

    @property
    def side(self) -> int:
        return int(self.posed.shape[0])


@dataclass(frozen=True)
class Example:
    """A sample as a network takes it: one size, augmented, in linear light."""

    identity: str
    rest: Picture
    """(n, n, 4); where there is no partner, ``posed`` itself."""
    posed: Picture
    pose: Poses
    """(C,) in the pose space that was asked for."""
    paired: bool
    flow: FloatImage
    """(n, n, 2); 0 where it is not known."""
    visible: FloatImage
    """(n, n); 1 where it is not known."""
    has_flow: bool
    regions: FloatImage
    """(n, n, R): masks of ``REGIONS`` in their order; 0 where they are not known."""
    domain: int = 0
    """Which of a recipe's domains it is from, see ``domains``."""
    layers: FloatImage = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    """(n, n, 4 L): the further pictures that a recipe's ``pair`` asks for, one behind the other; premultiplied, in
    linear light, never with a background."""
    layered: Layered | None = None
    """The rest picture as a layered depth image; ``None``: not known."""
