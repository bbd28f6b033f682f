# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures between the rest picture and the posed one, for networks that go that way in steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.resample import identity_map
from keywarp.core.training.sample import Pixels, Sample
from keywarp.keyframes.errors import KeywarpError

REST, POSED = "rest", "posed"
_DIFFERS = 12
"""Of 255: colours farther apart than this are not the same content."""
_AROUND = 1 / 64
"""How far around it still counts as differing, in sides of the picture."""


@dataclass(frozen=True)
class Pair:
    """Which of a sample's pictures a network is given, and which it is to answer with: ``rest``, ``posed`` or one of
    ``sample.STAGES``."""

    source: str = REST
    target: str = POSED
    layers: tuple[str, ...] = ()
    """Further pictures, in ``Example.layers``."""

    @property
    def whole(self) -> bool:
        return (self.source, self.target, self.layers) == (REST, POSED, ())


def between(sample: Sample, pair: Pair) -> Sample:
    """The sample with the pair's pictures for its rest and posed ones.

    The true flow remains where it leads to content that the source shares with the rest picture. Of another target
    than the posed picture neither it nor visibility is known; its region ``face`` is where it differs from the
    source. Raises ``KeywarpError`` where the sample lacks one of the pictures.
    """
    source, target = picture(sample, pair.source), picture(sample, pair.target)
    for name in pair.layers:
        picture(sample, name)
    if pair.target != POSED:
        changed = _differing(source, target).astype(np.float32)
        return replace(sample, rest=source, posed=target, flow=None, visible=None, regions={"face": changed})
    if pair.source == REST or sample.flow is None or sample.rest is None:
        return replace(sample, rest=source)
    visible = np.ones(sample.flow.shape[:2], np.float32) if sample.visible is None else sample.visible
    return replace(sample, rest=source, visible=visible * _shared(source, sample.rest, sample.flow))


def picture(sample: Sample, name: str) -> Pixels:
    """One of the sample's pictures by name, (n, n, 4); raises ``KeywarpError`` where it has none of that name."""
    found = {REST: sample.rest, POSED: sample.posed}.get(name, sample.stages.get(name))
    if found is None:
        raise KeywarpError(
            f"the sample {sample.key} has no picture {name!r}, which is needed here; photograph characters with "
            "`keywarp dataset render --scheme tha45 --framing tha --stages`"
        )
    return found


def _shared(source: Pixels, rest: Pixels, flow: FloatImage) -> FloatImage:
    """(n, n): 1 where the flow, (n, n, 2), leads to what source and rest picture show alike, else 0."""
    n = len(rest)
    alike = 1 - _differing(source, rest).astype(np.float32)
    where = (flow * np.float32(n / 2) + identity_map(n, n)).astype(np.float32)
    shared: FloatImage = cv2.remap(alike, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (shared > 0.999).astype(np.float32)


def _differing(one: Pixels, other: Pixels) -> Pixels:
    """(n, n): 1 where two pictures differ and a little around it, else 0."""
    differs = (np.abs(one.astype(np.int16) - other).max(-1) > _DIFFERS).astype(np.uint8)
    reach = 2 * max(round(_AROUND * len(one)), 1) + 1
    return np.asarray(cv2.dilate(differs, np.ones((reach, reach), np.uint8)), np.uint8)
