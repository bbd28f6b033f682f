# SPDX-License-Identifier: GPL-3.0-or-later
"""The published data sets' schemes, counted."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.core.studio.annotate import CHANNELS
from keywarp.core.studio.sampling import SCHEMES, scheme
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space


@pytest.mark.parametrize("name", SCHEMES)
def test_poses_lie_in_their_space_and_follow_the_seed(name: str) -> None:
    chosen = scheme(name)
    poses = np.array([draw.pose for draw in chosen.poses(CHANNELS, 23, seed=5, count=60)])
    np.testing.assert_array_equal(space(chosen.space).clamp(poses), poses)
    assert len(np.unique(poses, axis=0)) > 50
    again = np.array([draw.pose for draw in chosen.poses(CHANNELS, 23, seed=5, count=60)])
    np.testing.assert_array_equal(again, poses)
    assert space(chosen.space).clamp(chosen.rest()).shape == poses[0].shape


@pytest.mark.parametrize(("targets", "count"), [(23, 100), (6, 100), (5, 20), (0, 20)])
def test_animeceleb_takes_100_or_20(targets: int, count: int) -> None:
    draws = scheme("animeceleb").poses(CHANNELS, targets, seed=0)
    assert len(draws) == count
    heads = np.array([draw.pose[17:] for draw in draws])
    rotated = np.array([draw.group == "rotated-expression" for draw in draws])
    assert rotated.sum() == count // 2
    assert (heads[~rotated] == 0).all()
    assert (heads[rotated] != 0).all()
    assert np.abs(heads).max() <= 20
    for draw in draws:
        # One target morph a part: at most one value, on one side or on both.
        for part in (draw.pose[:6], draw.pose[6:12], draw.pose[12:17]):
            assert len(set(part[part != 0])) == 1


def test_animeceleb_moves_only_what_is_annotated() -> None:
    draws = scheme("animeceleb").poses({"eye_wink_left", "mouth_aaa"}, 2, seed=0, count=200)
    poses = space("animeceleb20")
    used = {poses.names[i] for draw in draws for i in np.flatnonzero(draw.pose[:17])}
    assert used == {"eye_closed_left", "mouth_a"}


def test_anitalk_takes_all_combinations_of_its_levels() -> None:
    draws = scheme("anitalk").poses(CHANNELS, 23, seed=0)
    expressions = [draw.pose for draw in draws if draw.group == "expression"]
    heads = [draw.pose for draw in draws if draw.group == "head"]
    assert (len(expressions), len(heads)) == (150, 1108)
    assert set(np.unique(np.array(expressions)[:, :3])) == {0, 0.25, 0.5, 0.75, 1}
    assert set(np.unique(np.array(heads)[:, 3:])) == set(np.arange(-4, 5) / 4)
    assert len(np.unique(np.array(expressions)[:, :3], axis=0)) == 5**3
    assert len(np.unique(np.array(heads)[:, 3:], axis=0)) == 9**3


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(KeywarpError, match="animeceleb-gaze"):
        scheme("animeceleb20")
