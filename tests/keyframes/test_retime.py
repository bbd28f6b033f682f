# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips at another frame rate and another start: every second shows the same."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip, Marker
from keywarp.keyframes.curve import Curve, Cycles, Key
from keywarp.keyframes.easing import EASINGS
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS
from keywarp.keyframes.retime import retimed


def clip_of(curve: Curve) -> Clip:
    return Clip("tha45", {"head_x": curve}, 24.0, 2.0, 62.0, (Marker(12.0, "here"),))


def every_kind() -> list[Curve]:
    rng = np.random.default_rng(7)
    curves = [Curve.from_points(np.arange(0, 60, 5), rng.uniform(-1, 1, 12), kind) for kind in INTERPOLATIONS]
    for handle_type in HANDLE_TYPES:
        keys = [
            Key(
                f,
                v,
                "BEZIER",
                str(rng.choice(EASINGS)),
                handle_type,
                handle_type,
                (f - 2.5, v - 0.2),
                (f + 3.5, v + 0.28),
            )
            for f, v in zip(range(0, 60, 12), rng.uniform(-1, 1, 5))
        ]
        curves += [
            Curve(keys, "LINEAR", "CONT_ACCEL"),
            Curve(keys, cycles=Cycles(frame_start=-20.0, frame_end=90.0)),
        ]
    curves.append(Curve([Key(0, 0, "ELASTIC", "EASE_OUT", amplitude=0.3, period=6.0), Key(50, 1)]))
    return curves


@pytest.mark.parametrize(("fps", "start"), [(60.0, None), (24.0, 101.0), (25.0, -7.5), (23.976, 1.0)])
@pytest.mark.parametrize("curve", every_kind(), ids=repr)
def test_every_second_shows_the_same(curve: Curve, fps: float, start: float | None) -> None:
    clip = clip_of(curve)
    moved = retimed(clip, fps, start)
    at = np.linspace(-40.0, 140.0, 977)
    where = at * (fps / clip.fps) + (moved.start - clip.start * (fps / clip.fps))
    assert np.allclose(moved.curves["head_x"].sample(where), curve.sample(at), atol=2e-6)
    assert moved.seconds == pytest.approx(clip.seconds)
    assert start is None or moved.start == pytest.approx(start)
    assert moved.markers[0].frame - moved.start == pytest.approx((12.0 - 2.0) * fps / 24.0)


def test_nothing_asked_is_nothing_done() -> None:
    clip = clip_of(Curve([Key(0, 1)]))
    assert retimed(clip) is clip
    assert retimed(clip, 24.0, 2.0) is clip
