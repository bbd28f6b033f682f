# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses in the model's space, held against how clips are rendered."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywarp.core.engine.poses import model_pose
from keywarp.core.render.job import PoseTrack
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import MAPPINGS
from keywarp.keyframes.spaces import space

WAYS = sorted({(a, b) for a, b in MAPPINGS} | {("tha45", "tha45"), ("arkit52", "anitalk6")})


def rendered(values: dict[str, float], source: str, target: str, defaults: dict[str, float]) -> np.ndarray:
    """What a clip that holds these values shows."""
    curves = {name: Curve([Key(0, value)]) for name, value in values.items()}
    stage = SimpleNamespace(model=SimpleNamespace(space=target), character=SimpleNamespace(resting=defaults))
    return PoseTrack(Clip(source, curves, 24.0, 0, 1), stage).poses(np.zeros(1))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_a_pose_is_what_a_clip_of_it_shows(source: str, target: str) -> None:
    given_space, wanted = space(source), space(target)
    random = np.random.default_rng(3)
    for count in (0, 1, 3, len(given_space)):
        for _ in range(4):
            names = random.choice(given_space.names, min(count, len(given_space)), replace=False)
            values = {
                str(name): float(random.uniform(given_space[name].minimum, given_space[name].maximum))
                for name in names
            }
            some = random.choice(wanted.names, min(3, len(wanted)), replace=False)
            defaults = {str(name): float(wanted[name].maximum) for name in some}
            ours = model_pose(values, source, target, defaults)
            np.testing.assert_allclose(ours, rendered(values, source, target, defaults), atol=1e-6)


@given(st.lists(st.floats(-2, 2), min_size=45, max_size=45))
def test_a_pose_in_the_models_own_space_passes_exactly(numbers: list[float]) -> None:
    tha45 = space("tha45")
    pose = model_pose(dict(zip(tha45.names, numbers, strict=True)), "tha45", "tha45", {"head_y": 0.3})
    assert np.array_equal(pose, np.clip(numbers, tha45.minimum, tha45.maximum))


def test_channels_that_only_the_model_has_are_taken_as_they_are() -> None:
    extra = next(name for name in space("animeceleb20gaze").names if name not in space("tha45"))
    wanted = space("animeceleb20gaze")
    pose = model_pose({"head_y": 0.5, extra: wanted[extra].maximum}, "tha45", "animeceleb20gaze", {})
    assert pose[wanted.index(extra)] == wanted[extra].maximum


def test_a_channel_that_nobody_has_is_named() -> None:
    with pytest.raises(KeywarpError, match="mouht_aaa"):
        model_pose({"mouht_aaa": 1.0}, "tha45", "anitalk6", {})
    with pytest.raises(KeywarpError, match="nowhere"):
        model_pose({}, "nowhere", "tha45", {})
